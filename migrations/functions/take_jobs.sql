-- Writes one wish as desired state: the generation it is part of, null where there is no such game.
CREATE OR REPLACE FUNCTION rtmanager.apply_wish(job jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  game text := job->>'game_id';
  before rtmanager.games%ROWTYPE;
  generation bigint;
BEGIN
  SELECT * INTO before FROM rtmanager.games g WHERE g.game_id = game FOR UPDATE;
  generation := before.generation;
  IF before.state = 'removed' OR EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = game AND r.status = 'removed') THEN
    RETURN generation;
  END IF;
  IF job->>'kind' = 'start' THEN
    INSERT INTO rtmanager.games AS g (game_id, image_ref, restart_policy, spec)
    VALUES (game, job->>'image_ref', coalesce(job->>'restart_policy', 'never'), coalesce(job->'spec', '{}'))
    ON CONFLICT (game_id) DO UPDATE SET
      state = 'running',
      image_ref = excluded.image_ref,
      restart_policy = coalesce(job->>'restart_policy', g.restart_policy),
      spec = coalesce(job->'spec', g.spec)
    -- Deleted while its lock was waited for: there was no row then, and now there is its mark.
    WHERE g.state <> 'removed'
    RETURNING g.generation INTO generation;
  ELSIF before.game_id IS NOT NULL THEN
    UPDATE rtmanager.games g SET state = 'stopped' WHERE g.game_id = game RETURNING g.generation INTO generation;
  END IF;
  RETURN generation;
END $$;

-- Takes jobs in order. One taken before is passed over; a refused one is answered here; answers the games to look at.
CREATE OR REPLACE FUNCTION rtmanager.take_entries(jobs jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  job jsonb;
  taken bigint;
BEGIN
  FOR job IN SELECT value FROM jsonb_array_elements(jobs) LOOP
    INSERT INTO rtmanager.jobs (stream, life, entry_id, kind, game_id, payload, outcome, error_code, error_message, completed_at)
    VALUES (job->>'stream', coalesce(job->>'life', ''), job->>'entry_id', job->>'kind', job->>'game_id', job->'payload', job->>'outcome',
      job->>'error_code', job->>'error_message', CASE WHEN job ? 'outcome' THEN now() END)
    ON CONFLICT (stream, life, entry_id) DO NOTHING RETURNING id INTO taken;
    CONTINUE WHEN taken IS NULL;
    PERFORM rtmanager.write_messages(job->>'game_id', job->'messages');
    IF NOT job ? 'outcome' THEN
      UPDATE rtmanager.jobs SET generation = rtmanager.apply_wish(job) WHERE id = taken;
      RETURN NEXT job->>'game_id';
    END IF;
  END LOOP;
END $$;

-- With the owner's rights, as `commit_step`. A row that somebody holds locked is waited for only so long: its game's jobs are left for
-- later, the others are taken.
CREATE OR REPLACE FUNCTION rtmanager.take_jobs(epoch bigint, jobs jsonb) RETURNS SETOF text LANGUAGE plpgsql
SECURITY DEFINER SET lock_timeout = '250ms' SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rtmanager.fence(epoch);
  PERFORM rtmanager.same_history();
  RETURN QUERY SELECT rtmanager.take_entries(jobs);
END $$;

-- The same for entries that are read again, because this history of the database may lack them.
CREATE OR REPLACE FUNCTION rtmanager.take_jobs_again(epoch bigint, jobs jsonb) RETURNS SETOF text LANGUAGE plpgsql
SECURITY DEFINER SET lock_timeout = '250ms' SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rtmanager.fence(epoch);
  RETURN QUERY SELECT rtmanager.take_entries(jobs);
END $$;
REVOKE ALL ON FUNCTION rtmanager.take_jobs, rtmanager.take_jobs_again, rtmanager.take_entries, rtmanager.apply_wish FROM PUBLIC;
