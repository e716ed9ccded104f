-- Triggers of the runtime records, and of the lists that are kept beside them.

CREATE OR REPLACE FUNCTION rtmanager.record_status_move() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- Keeps `unrecorded`. Who may write games needs no right to this table, nor to the records.
CREATE OR REPLACE FUNCTION rtmanager.note_unrecorded() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO rtmanager.unrecorded SELECT game_id FROM rtmanager.games ON CONFLICT DO NOTHING;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO rtmanager.unrecorded SELECT game_id FROM rtmanager.games WHERE game_id = OLD.game_id ON CONFLICT DO NOTHING;
  ELSIF TG_TABLE_NAME = 'games' THEN
    INSERT INTO rtmanager.unrecorded SELECT NEW.game_id
    WHERE NOT EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = NEW.game_id) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM rtmanager.unrecorded WHERE game_id = NEW.game_id;
  END IF;
  RETURN NULL;
END $$;
