-- Which installation this database belongs to, as it is kept, and which database it is now. Makes the row where there is none,
-- and locks it: controllers that begin at once agree. What the server does not tell the schema's owner is null.
CREATE OR REPLACE FUNCTION rtmanager.look_at_instance(fresh_id text, OUT id text, OUT system_identifier text, OUT database_oid text,
  OUT timeline integer, OUT halted text, OUT now_system_identifier text, OUT now_database_oid text, OUT now_timeline integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO rtmanager.instance (id) VALUES (fresh_id) ON CONFLICT DO NOTHING;
  SELECT i.id, i.system_identifier, i.database_oid, i.timeline, i.halted INTO id, system_identifier, database_oid, timeline, halted
  FROM rtmanager.instance i FOR UPDATE;
  SELECT d.system_identifier, d.database_oid, d.timeline INTO now_system_identifier, now_database_oid, now_timeline FROM rtmanager.this_database() d;
END $$;
REVOKE ALL ON FUNCTION rtmanager.look_at_instance FROM PUBLIC;

-- What is settled: whose database this is, and which one it is.
CREATE OR REPLACE FUNCTION rtmanager.keep_instance(id text, system_identifier text, database_oid text, timeline integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE rtmanager.instance i SET id = $1, system_identifier = $2, database_oid = $3, timeline = $4, halted = NULL
  WHERE (i.id, i.system_identifier, i.database_oid, i.timeline, i.halted) IS DISTINCT FROM ($1, $2, $3, $4, NULL::text)
$$;
REVOKE ALL ON FUNCTION rtmanager.keep_instance FROM PUBLIC;

-- From here on nothing is acted on, whoever starts, until a person has cleared it. Only who acts under the newest lease may say so.
CREATE OR REPLACE FUNCTION rtmanager.halt_instance(epoch bigint, why text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rtmanager.fence(epoch);
  UPDATE rtmanager.instance SET halted = why WHERE halted IS NULL;
END $$;
REVOKE ALL ON FUNCTION rtmanager.halt_instance FROM PUBLIC;
