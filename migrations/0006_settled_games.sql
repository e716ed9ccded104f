-- A game at which nothing is to be done, now or ever, until somebody writes its row, a job asks for something or a container turns
-- up, is marked as settled by the resync that finds it so: whoever surveys looks at the others only. Any other write of the record
-- takes the mark away. A changed row is found by its line in `unsettled`, and not by the mark: who writes rows must never wait for
-- a record, nor the controller for an open transaction of somebody else's.
ALTER TABLE rtmanager.runtime_records ADD COLUMN settled boolean NOT NULL DEFAULT false;
DROP INDEX rtmanager.runtime_records_live;
CREATE INDEX runtime_records_open ON rtmanager.runtime_records (game_id) WHERE NOT settled AND status <> 'removed';
-- The mark is checked again, a page at a time: rows may be made again without triggers, and a release may judge otherwise.
CREATE INDEX runtime_records_settled ON rtmanager.runtime_records (game_id) WHERE settled;

DROP TRIGGER games_unrecorded ON rtmanager.games;
DROP TRIGGER records_unrecorded ON rtmanager.runtime_records;
DROP TRIGGER records_truncate ON rtmanager.runtime_records;
DROP FUNCTION rtmanager.note_unrecorded();
ALTER TABLE rtmanager.unrecorded RENAME TO unsettled;
ALTER TABLE rtmanager.unsettled ADD COLUMN generation bigint NOT NULL DEFAULT 1;
UPDATE rtmanager.unsettled u SET generation = g.generation FROM rtmanager.games g WHERE g.game_id = u.game_id;
COMMENT ON TABLE rtmanager.unsettled IS 'Games whose row was written, and its generation, since a resync found them settled last. Kept by triggers.';

CREATE FUNCTION rtmanager.note_unsettled() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER games_unsettled_inserted AFTER INSERT ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_unsettled();
CREATE TRIGGER games_unsettled_updated AFTER UPDATE ON rtmanager.games
  FOR EACH ROW WHEN (NEW.generation <> OLD.generation) EXECUTE FUNCTION rtmanager.note_unsettled();
CREATE TRIGGER records_unsettled_removed AFTER UPDATE ON rtmanager.runtime_records
  FOR EACH ROW WHEN (NEW.status = 'removed' AND OLD.status <> 'removed') EXECUTE FUNCTION rtmanager.note_unsettled();
CREATE TRIGGER records_unsettled_deleted AFTER DELETE ON rtmanager.runtime_records
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_unsettled();
CREATE TRIGGER records_unsettled_truncated AFTER TRUNCATE ON rtmanager.runtime_records
  FOR EACH STATEMENT EXECUTE FUNCTION rtmanager.note_unsettled();

-- That a game is settled is nothing that a reader of `changes` needs to hear.
DROP TRIGGER records_change ON rtmanager.runtime_records;
CREATE TRIGGER records_change AFTER INSERT OR DELETE ON rtmanager.runtime_records
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_record_change();
CREATE TRIGGER records_change_updated AFTER UPDATE ON rtmanager.runtime_records
  FOR EACH ROW WHEN (OLD.settled OR NOT NEW.settled) EXECUTE FUNCTION rtmanager.note_record_change();

-- DELETE answers how many rows it took (libraries take 0 for an error), and the row is there again as a mark before the statement ends:
-- nobody ever sees it gone. A view in front of the table would answer so too, but it takes no ON CONFLICT, no COPY and no foreign key.
-- The name sorts before those of foreign keys' triggers, which must find the row again; quoted names sort by their bytes.
DROP TRIGGER games_delete ON rtmanager.games;
DROP FUNCTION rtmanager.games_delete();
CREATE FUNCTION rtmanager.games_mark_removed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER "GAMES_mark_removed" AFTER DELETE ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.games_mark_removed();
