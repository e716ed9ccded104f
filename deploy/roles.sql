-- Three roles with no more rights than each needs. Run it as the owner of the schema (or a superuser) on the controller's
-- database, after `rtmanager migrate` and again after an upgrade that brought migrations:
--   psql -v ON_ERROR_STOP=1 -f deploy/roles.sql postgres://owner@db/rtmanager
-- They are groups; the roles that log in are made members:
--   CREATE ROLE rtm LOGIN PASSWORD '...' IN ROLE rtm_controller;
--   CREATE ROLE lobby LOGIN PASSWORD '...' IN ROLE rtm_writer;
--   CREATE ROLE grafana LOGIN PASSWORD '...' IN ROLE rtm_reader;
-- Roles belong to a server, not to a database: where a server holds several installations, give each its own three names here.
BEGIN;

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['rtm_controller', 'rtm_writer', 'rtm_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
END $$;

-- What an earlier version of this file granted and this one does not.
REVOKE ALL ON ALL TABLES IN SCHEMA rtmanager FROM rtm_controller, rtm_writer, rtm_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA rtmanager FROM rtm_controller, rtm_writer, rtm_reader;
GRANT USAGE ON SCHEMA rtmanager TO rtm_controller, rtm_writer, rtm_reader;

-- The controller owns nothing and changes no schema. It reads all; rows, records, jobs and logs are written by functions that
-- refuse who does not hold the lease.
GRANT SELECT ON ALL TABLES IN SCHEMA rtmanager TO rtm_controller;
GRANT INSERT, UPDATE ON rtmanager.lease TO rtm_controller;
GRANT DELETE ON rtmanager.outbox TO rtm_controller;
GRANT EXECUTE ON FUNCTION rtmanager.commit_step, rtmanager.take_jobs, rtmanager.take_jobs_again, rtmanager.same_history,
  rtmanager.note_history, rtmanager.settle, rtmanager.claim_ports, rtmanager.acquire_lease, rtmanager.mend_changes,
  rtmanager.look_at_instance, rtmanager.keep_instance, rtmanager.halt_instance TO rtm_controller;

-- What a later migration makes, so that the controller runs before this file was run again.
DO $$
DECLARE
  owner name := (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'rtmanager');
BEGIN
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA rtmanager GRANT SELECT ON TABLES TO rtm_controller', owner);
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA rtmanager GRANT EXECUTE ON FUNCTIONS TO rtm_controller', owner);
END $$;

-- A lobby: it says what should run, and sees what it said.
GRANT SELECT, INSERT, UPDATE, DELETE ON rtmanager.games TO rtm_writer;

-- Dashboards and people: everything but what may hold a secret (a spec, and the jobs and messages that carry one).
GRANT SELECT (game_id, state, image_ref, restart_policy, generation, restart_requested_at, created_at, updated_at) ON rtmanager.games TO rtm_reader;
GRANT SELECT (id, stream, life, entry_id, kind, game_id, generation, taken_at, outcome, container_id, engine_endpoint, error_code, error_message,
  completed_at) ON rtmanager.jobs TO rtm_reader;
GRANT SELECT ON rtmanager.runtime_records, rtmanager.operation_log, rtmanager.health_snapshots, rtmanager.changes, rtmanager.unsettled,
  rtmanager.lease, rtmanager.history, rtmanager.instance, rtmanager.port_claims, rtmanager.schema_migrations, rtmanager.schema_functions TO rtm_reader;

COMMIT;
