-- Which database this is, as far as the server tells the schema's owner: a copy or a restore has another identifier or oid, a replica that was
-- promoted another timeline.
CREATE OR REPLACE FUNCTION rtmanager.this_database(OUT system_identifier text, OUT database_oid text, OUT timeline integer) LANGUAGE plpgsql AS $$
BEGIN
  SELECT d.oid::text INTO database_oid FROM pg_database d WHERE d.datname = current_database();
  BEGIN
    SELECT s.system_identifier::text INTO system_identifier FROM pg_control_system() s;
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  BEGIN
    -- The checkpoint's own timeline lags behind a promotion.
    timeline := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
  EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function OR object_not_in_prerequisite_state THEN NULL;
  END;
END $$;

-- Which history of the database this is: a failover or a restore begins another one, which may lack the last commits of the one before.
-- What a server does not tell counts as unchanged.
CREATE OR REPLACE FUNCTION rtmanager.current_history() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(t.system_identifier, '?') || ' ' || coalesce(t.timeline::text, '?') FROM rtmanager.this_database() t
$$;

-- Fails when the history is not the one that was noted: the recent jobs have to be read again before any newer one is taken.
CREATE OR REPLACE FUNCTION rtmanager.same_history() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM rtmanager.history h WHERE h.noted <> rtmanager.current_history()) THEN
    RAISE EXCEPTION 'the database has another history than when jobs were taken last' USING ERRCODE = 'RTM03';
  END IF;
END $$;

-- Fenced: the caller has read again what may be missing.
CREATE OR REPLACE FUNCTION rtmanager.note_history(epoch bigint) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rtmanager.fence(epoch);
  INSERT INTO rtmanager.history AS h (noted) VALUES (rtmanager.current_history())
  ON CONFLICT (is_only) DO UPDATE SET noted = excluded.noted WHERE h.noted <> excluded.noted;
END $$;
REVOKE ALL ON FUNCTION rtmanager.this_database, rtmanager.current_history, rtmanager.same_history, rtmanager.note_history FROM PUBLIC;
