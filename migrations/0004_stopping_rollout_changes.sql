-- Why a container is being stopped, the exchange of what runs, and what the engine refuses, as fields of the record. From here on the bodies of
-- functions are in functions/: a change of them needs no new migration, a change of their arguments or result drops them here.
ALTER TABLE rtmanager.runtime_records ADD COLUMN stopping jsonb, ADD COLUMN rollout jsonb, ADD COLUMN refused jsonb;

-- Before, `stopping_since` was written after the signal, and the exchange was told from the reason of a condition. Towards
-- which hash an exchange went was not kept: 'unknown' is no hash, so the row decides anew what is to run.
UPDATE rtmanager.runtime_records r SET
  stopping = CASE WHEN r.stopping_since IS NOT NULL THEN jsonb_build_object(
    'since', r.stopping_since, 'because', CASE WHEN x.replacing THEN 'exchange' ELSE 'row' END, 'signalled_at', r.stopping_since) END,
  rollout = CASE WHEN x.replacing THEN jsonb_build_object(
    'from', r.spec_hash, 'to', 'unknown', 'since', coalesce(r.stopping_since, r.updated_at),
    'phase', CASE WHEN r.stopping_since IS NULL THEN 'starting' ELSE 'stopping' END) END
FROM (
  SELECT game_id, conditions @> '[{"type": "Progressing", "reason": "Replacing"}]' AS replacing FROM rtmanager.runtime_records
) x
WHERE x.game_id = r.game_id AND (x.replacing OR r.stopping_since IS NOT NULL);

ALTER TABLE rtmanager.runtime_records DROP COLUMN stopping_since;
ALTER TABLE rtmanager.jobs DROP COLUMN changed;
DROP FUNCTION rtmanager.apply_wish(jsonb);

-- What changed last in which transaction: one line a game and kind. A reader asks for the lines after its cursor and before
-- the oldest transaction that still runs, so a change that commits late is never overtaken; identity values and times are
-- given out before the commit and would be. (A transaction that runs for hours, in any database of the server, holds the
-- readers up that long; it loses nothing.)
-- A table of its own, and not an indexed column of `runtime_records`: with that no update of a record would be HOT any more
-- (0 of 4,800 instead of half of them). One line a game, and not one a change: nothing to trim, and no cursor is ever too
-- old. All were within the noise of a commit (0.5 ms); this one writes 350 bytes of WAL, the others 140.
CREATE TABLE rtmanager.changes (
  game_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('row', 'record')),
  xid xid8 NOT NULL,
  PRIMARY KEY (game_id, kind)
) WITH (fillfactor = 80);
CREATE INDEX changes_order ON rtmanager.changes (xid, game_id, kind);
COMMENT ON TABLE rtmanager.changes IS 'The last transaction that wrote each row and each record. Kept by triggers.';

-- The first bodies of these: triggers need them. What they are by now is in functions/.
CREATE FUNCTION rtmanager.note_row_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO rtmanager.changes AS c (game_id, kind, xid) VALUES (NEW.game_id, 'row', pg_current_xact_id())
  ON CONFLICT (game_id, kind) DO UPDATE SET xid = excluded.xid WHERE c.xid <> excluded.xid;
  RETURN NULL;
END $$;

CREATE FUNCTION rtmanager.note_record_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    UPDATE rtmanager.changes SET xid = pg_current_xact_id() WHERE kind = 'record';
  ELSE
    INSERT INTO rtmanager.changes AS c (game_id, kind, xid) VALUES (coalesce(NEW.game_id, OLD.game_id), 'record', pg_current_xact_id())
    ON CONFLICT (game_id, kind) DO UPDATE SET xid = excluded.xid WHERE c.xid <> excluded.xid;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER games_change_inserted AFTER INSERT ON rtmanager.games
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_row_change();
CREATE TRIGGER games_change_updated AFTER UPDATE ON rtmanager.games
  FOR EACH ROW WHEN (NEW.generation <> OLD.generation) EXECUTE FUNCTION rtmanager.note_row_change();
CREATE TRIGGER records_change AFTER INSERT OR UPDATE OR DELETE ON rtmanager.runtime_records
  FOR EACH ROW EXECUTE FUNCTION rtmanager.note_record_change();
CREATE TRIGGER records_change_truncated AFTER TRUNCATE ON rtmanager.runtime_records
  FOR EACH STATEMENT EXECUTE FUNCTION rtmanager.note_record_change();
INSERT INTO rtmanager.changes SELECT game_id, 'row', pg_current_xact_id() FROM rtmanager.games;
INSERT INTO rtmanager.changes SELECT game_id, 'record', pg_current_xact_id() FROM rtmanager.runtime_records;
