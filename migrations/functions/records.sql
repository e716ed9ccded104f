-- Triggers of the runtime records, and of the lists that are kept beside them.

CREATE OR REPLACE FUNCTION rtmanager.record_status_move() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before text := CASE WHEN TG_OP = 'INSERT' THEN 'none' ELSE OLD.status END;
BEGIN
  IF before <> NEW.status AND (before, NEW.status) NOT IN (
    ('none', 'running'), ('none', 'stopped'), ('running', 'stopped'), ('running', 'removed'), ('stopped', 'running'), ('stopped', 'removed')
  ) THEN
    RAISE EXCEPTION 'status of % may not move from % to %', NEW.game_id, before, NEW.status USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    -- The mark alone is no news of the game.
    IF NEW.settled AND NOT OLD.settled THEN
      RETURN NEW;
    END IF;
    NEW.settled := false;
  END IF;
  NEW.updated_at := now();
  RETURN NEW;
END $$;

-- Keeps `unsettled`. Who may write games needs no right to this table, nor to the records. The line of a changed row is locked, so
-- that nobody takes it away for an older generation; who takes lines away passes over those that are locked.
CREATE OR REPLACE FUNCTION rtmanager.note_unsettled() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO rtmanager.unsettled SELECT game_id, generation FROM rtmanager.games ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO rtmanager.unsettled SELECT game_id, generation FROM rtmanager.games WHERE game_id = OLD.game_id ON CONFLICT DO NOTHING;
  ELSIF TG_TABLE_NAME = 'games' THEN
    INSERT INTO rtmanager.unsettled VALUES (NEW.game_id, NEW.generation)
    ON CONFLICT (game_id) DO UPDATE SET generation = excluded.generation;
  ELSE
    DELETE FROM rtmanager.unsettled WHERE game_id IN (
      SELECT u.game_id FROM rtmanager.unsettled u WHERE u.game_id = NEW.game_id FOR UPDATE SKIP LOCKED);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rtmanager.record_status_move, rtmanager.note_unsettled FROM PUBLIC;
