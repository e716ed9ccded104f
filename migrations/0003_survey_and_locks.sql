-- A row that somebody holds locked is waited for only so long: its game's jobs are left for later, the others are taken.
ALTER FUNCTION rtmanager.take_jobs(bigint, jsonb) SET lock_timeout = '250ms';

-- A resync must not look at every game there ever was: what is live is found by this index, what is new by this list.
CREATE INDEX runtime_records_live ON rtmanager.runtime_records (game_id) WHERE status <> 'removed';

CREATE TABLE rtmanager.unrecorded (game_id text PRIMARY KEY);
COMMENT ON TABLE rtmanager.unrecorded IS 'Games that have no runtime record yet. Kept by triggers.';

CREATE FUNCTION rtmanager.note_unrecorded() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER games_unrecorded AFTER INSERT ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_unrecorded();
CREATE TRIGGER records_unrecorded AFTER INSERT OR DELETE ON rtmanager.runtime_records
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_unrecorded();
CREATE TRIGGER records_truncate AFTER TRUNCATE ON rtmanager.runtime_records
  FOR EACH STATEMENT EXECUTE FUNCTION rtmanager.note_unrecorded();
INSERT INTO rtmanager.unrecorded SELECT game_id FROM rtmanager.games g
WHERE NOT EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = g.game_id);
