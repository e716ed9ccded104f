-- Desired state, status, and what is told of both. See docs/contract.md.
CREATE SCHEMA IF NOT EXISTS rtmanager;

CREATE TABLE rtmanager.games (
  game_id text PRIMARY KEY
    CONSTRAINT "game_id takes 1 to 51 characters a-z, 0-9 and -" CHECK (game_id ~ '^[a-z0-9]([a-z0-9-]{0,49}[a-z0-9])?$'),
  state text NOT NULL DEFAULT 'running'
    CONSTRAINT "state takes running, stopped or removed" CHECK (state IN ('running', 'stopped', 'removed')),
  image_ref text NOT NULL
    CONSTRAINT "image_ref takes an image with a tag or digest" CHECK (length(image_ref) <= 512 AND image_ref !~ '[[:space:]]' AND image_ref ~ '[^/](:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@[a-z0-9+._-]+:[0-9a-fA-F]{32,})$'),
  restart_policy text NOT NULL DEFAULT 'always'
    CONSTRAINT "restart_policy takes always, on_failure or never" CHECK (restart_policy IN ('always', 'on_failure', 'never')),
  spec jsonb NOT NULL DEFAULT '{}'
    CONSTRAINT "spec takes a JSON object" CHECK (jsonb_typeof(spec) = 'object'),
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rtmanager.games IS 'Desired state, one row a game. INSERT to start, UPDATE to change, DELETE to remove for good.';

-- The generation counts changes of what is desired, and nothing else moves it.
CREATE FUNCTION rtmanager.games_before_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.generation := 1;
    NEW.created_at := now();
    NEW.updated_at := now();
    RETURN NEW;
  END IF;
  IF NEW.game_id <> OLD.game_id THEN
    RAISE EXCEPTION 'game_id of % cannot change', OLD.game_id USING ERRCODE = 'check_violation',
      HINT = 'Insert a row for the other game.';
  END IF;
  IF OLD.state = 'removed' AND NEW.state <> 'removed' THEN
    RAISE EXCEPTION 'game % was removed, and removed is for good', OLD.game_id USING ERRCODE = 'check_violation',
      HINT = 'Use a new game_id.';
  END IF;
  NEW.created_at := OLD.created_at;
  IF (NEW.state, NEW.image_ref, NEW.restart_policy, NEW.spec) IS DISTINCT FROM (OLD.state, OLD.image_ref, OLD.restart_policy, OLD.spec) THEN
    NEW.generation := OLD.generation + 1;
    NEW.updated_at := now();
  ELSE
    NEW.generation := OLD.generation;
    NEW.updated_at := OLD.updated_at;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER games_before_write BEFORE INSERT OR UPDATE ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.games_before_write();

CREATE FUNCTION rtmanager.games_after_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.generation <> OLD.generation THEN
    PERFORM pg_notify('rtmanager_games', NEW.game_id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER games_after_write AFTER INSERT OR UPDATE ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.games_after_write();

-- DELETE marks, as it does in Kubernetes: absence would be no order.
CREATE FUNCTION rtmanager.games_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE rtmanager.games SET state = 'removed' WHERE game_id = OLD.game_id;
  RETURN NULL;
END $$;
CREATE TRIGGER games_delete BEFORE DELETE ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.games_delete();

CREATE FUNCTION rtmanager.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0];
END $$;
CREATE TRIGGER games_truncate BEFORE TRUNCATE ON rtmanager.games
  FOR EACH STATEMENT EXECUTE FUNCTION rtmanager.refuse('To remove games, DELETE their rows.');

CREATE TABLE rtmanager.runtime_records (
  game_id text PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('running', 'stopped', 'removed')),
  current_container_id text,
  current_image_ref text,
  engine_endpoint text,
  engine_id text,
  spec_hash text,
  observed_generation bigint NOT NULL DEFAULT 0,
  conditions jsonb NOT NULL DEFAULT '[]',
  restart_count integer NOT NULL DEFAULT 0,
  next_restart_at timestamptz,
  failure_count integer NOT NULL DEFAULT 0,
  last_error_code text,
  last_error_reason text,
  last_error_message text,
  exit_code integer,
  oom_killed boolean NOT NULL DEFAULT false,
  started_at timestamptz,
  stopped_at timestamptz,
  stopping_since timestamptz,
  removed_at timestamptz,
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rtmanager.runtime_records IS 'Status: what the controller knows to be true of each game. Written by the controller only.';

CREATE FUNCTION rtmanager.record_status_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before text := CASE WHEN TG_OP = 'INSERT' THEN 'none' ELSE OLD.status END;
BEGIN
  IF before <> NEW.status AND (before, NEW.status) NOT IN (
    ('none', 'running'), ('none', 'stopped'), ('running', 'stopped'), ('running', 'removed'), ('stopped', 'running'), ('stopped', 'removed')
  ) THEN
    RAISE EXCEPTION 'status of % may not move from % to %', NEW.game_id, before, NEW.status USING ERRCODE = 'check_violation';
  END IF;
  NEW.updated_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER record_status_move BEFORE INSERT OR UPDATE ON rtmanager.runtime_records
  FOR EACH ROW EXECUTE FUNCTION rtmanager.record_status_move();

CREATE TABLE rtmanager.operation_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  game_id text NOT NULL,
  op_kind text NOT NULL CHECK (op_kind IN ('start', 'stop', 'restart', 'patch', 'cleanup_container',
    'reconcile_adopt', 'reconcile_dispose', 'reconcile_recreate', 'reconcile_restart')),
  op_source text NOT NULL CHECK (op_source IN ('job_stream', 'desired_state', 'api', 'auto_reconcile', 'auto_ttl')),
  source_ref text NOT NULL DEFAULT '',
  image_ref text,
  container_id text,
  outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
  error_code text,
  error_message text,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL
);
CREATE INDEX operation_log_game ON rtmanager.operation_log (game_id, id DESC);
CREATE TRIGGER operation_log_append_only BEFORE UPDATE OR DELETE ON rtmanager.operation_log
  FOR EACH ROW EXECUTE FUNCTION rtmanager.refuse('The log is append-only.');
CREATE TRIGGER operation_log_truncate BEFORE TRUNCATE ON rtmanager.operation_log
  FOR EACH STATEMENT EXECUTE FUNCTION rtmanager.refuse('The log is append-only.');

CREATE TABLE rtmanager.health_snapshots (
  game_id text PRIMARY KEY,
  container_id text NOT NULL,
  event_type text NOT NULL,
  occurred_at timestamptz NOT NULL,
  details jsonb NOT NULL
);

CREATE TABLE rtmanager.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  entry_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('start', 'stop')),
  game_id text NOT NULL,
  generation bigint,
  changed boolean NOT NULL DEFAULT false,
  payload jsonb NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT now(),
  outcome text CHECK (outcome IN ('success', 'failure')),
  container_id text,
  engine_endpoint text,
  error_code text,
  error_message text,
  completed_at timestamptz,
  UNIQUE (stream, entry_id)
);
CREATE INDEX jobs_pending ON rtmanager.jobs (game_id, id) WHERE outcome IS NULL;

CREATE TABLE rtmanager.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id uuid NOT NULL DEFAULT gen_random_uuid(),
  topic text NOT NULL,
  game_id text NOT NULL,
  fields jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rtmanager.lease (
  name text PRIMARY KEY,
  holder text NOT NULL,
  epoch bigint NOT NULL,
  renewed_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
INSERT INTO rtmanager.lease VALUES ('controller', '', 0, now(), now());

-- Fails unless the caller acts under the newest lease. The lock lets renewals pass and makes a takeover wait for writes
-- of the old epoch that are under way.
CREATE FUNCTION rtmanager.fence(epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM rtmanager.lease l WHERE l.name = 'controller' AND l.epoch = fence.epoch FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'another controller acts by now (epoch % is over)', epoch USING ERRCODE = 'RTM01';
  END IF;
END $$;

-- Writes one wish as desired state: the generation it is part of (null: no such game) and whether it changed the row.
CREATE FUNCTION rtmanager.apply_wish(job jsonb, OUT generation bigint, OUT changed boolean) LANGUAGE plpgsql AS $$
DECLARE
  game text := job->>'game_id';
  before rtmanager.games%ROWTYPE;
BEGIN
  SELECT * INTO before FROM rtmanager.games g WHERE g.game_id = game FOR UPDATE;
  changed := false;
  generation := before.generation;
  IF before.state = 'removed' OR EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = game AND r.status = 'removed') THEN
    RETURN;
  END IF;
  IF job->>'kind' = 'start' THEN
    INSERT INTO rtmanager.games AS g (game_id, image_ref, restart_policy, spec)
    VALUES (game, job->>'image_ref', coalesce(job->>'restart_policy', 'never'), coalesce(job->'spec', '{}'))
    ON CONFLICT (game_id) DO UPDATE SET
      state = 'running',
      image_ref = excluded.image_ref,
      restart_policy = coalesce(job->>'restart_policy', g.restart_policy),
      spec = coalesce(job->'spec', g.spec)
    RETURNING g.generation INTO generation;
  ELSIF before.game_id IS NOT NULL THEN
    UPDATE rtmanager.games g SET state = 'stopped' WHERE g.game_id = game RETURNING g.generation INTO generation;
  END IF;
  changed := generation IS DISTINCT FROM before.generation;
END $$;

-- Takes jobs in order. One taken before is passed over; a refused one is answered here; answers the games to look at.
CREATE FUNCTION rtmanager.take_jobs(epoch bigint, jobs jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  job jsonb;
  taken bigint;
  wish record;
BEGIN
  PERFORM rtmanager.fence(epoch);
  FOR job IN SELECT value FROM jsonb_array_elements(jobs) LOOP
    INSERT INTO rtmanager.jobs (stream, entry_id, kind, game_id, payload, outcome, error_code, error_message, completed_at)
    VALUES (job->>'stream', job->>'entry_id', job->>'kind', job->>'game_id', job->'payload', job->>'outcome',
      job->>'error_code', job->>'error_message', CASE WHEN job ? 'outcome' THEN now() END)
    ON CONFLICT (stream, entry_id) DO NOTHING RETURNING id INTO taken;
    CONTINUE WHEN taken IS NULL;
    INSERT INTO rtmanager.outbox (topic, game_id, fields)
    SELECT m->>'topic', job->>'game_id', m->'fields' FROM jsonb_array_elements(job->'messages') m;
    IF NOT job ? 'outcome' THEN
      SELECT * INTO wish FROM rtmanager.apply_wish(job);
      UPDATE rtmanager.jobs j SET generation = wish.generation, changed = wish.changed WHERE j.id = taken;
      RETURN NEXT job->>'game_id';
    END IF;
  END LOOP;
END $$;
