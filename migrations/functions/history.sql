-- Which history of the database this is: a failover or a restore begins another one, which may lack the last commits of the one before.
-- What a server does not tell counts as unchanged.
CREATE OR REPLACE FUNCTION rtmanager.current_history() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  identity text := '?';
  timeline text := '?';
BEGIN
  BEGIN
    SELECT system_identifier::text INTO identity FROM pg_control_system();
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  RETURN identity || ' ' || timeline;
END $$;

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
REVOKE ALL ON FUNCTION rtmanager.current_history, rtmanager.same_history, rtmanager.note_history FROM PUBLIC;
