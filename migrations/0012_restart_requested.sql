-- An end with an exit code that its row never restarts on.
ALTER TABLE rtmanager.runtime_records ADD COLUMN final_exit boolean NOT NULL DEFAULT false;

-- Somebody asks for one restart in place, as `kubectl rollout restart` does by its annotation. It is no part of what is desired: neither
-- the generation nor `desired_hash` say so, and no job and no exchange under way hears of it.
ALTER TABLE rtmanager.games ADD COLUMN restart_requested_at timestamptz
  CONSTRAINT "restart_requested_at takes a time" CHECK (isfinite(restart_requested_at));
COMMENT ON COLUMN rtmanager.games.restart_requested_at IS 'SET restart_requested_at = now() restarts a running container in place, once; a later time when it comes.';
ALTER TABLE rtmanager.runtime_records ADD COLUMN restart_observed_at timestamptz, ADD COLUMN restarting_since timestamptz;

-- Readers of `changes` hear of it.
DROP TRIGGER games_change_updated ON rtmanager.games;
CREATE TRIGGER games_change_updated AFTER UPDATE ON rtmanager.games
  FOR EACH ROW WHEN (NEW.generation <> OLD.generation OR NEW.restart_requested_at IS DISTINCT FROM OLD.restart_requested_at)
  EXECUTE FUNCTION rtmanager.note_row_change();
