-- These keep `changes`.

-- Runs in the sessions of who writes games, who need no right to this table.
CREATE OR REPLACE FUNCTION rtmanager.note_row_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO rtmanager.changes AS c (game_id, kind, xid) VALUES (NEW.game_id, 'row', pg_current_xact_id())
  ON CONFLICT (game_id, kind) DO UPDATE SET xid = excluded.xid WHERE c.xid <> excluded.xid;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION rtmanager.note_record_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    UPDATE rtmanager.changes SET xid = pg_current_xact_id() WHERE kind = 'record';
  ELSE
    INSERT INTO rtmanager.changes AS c (game_id, kind, xid) VALUES (coalesce(NEW.game_id, OLD.game_id), 'record', pg_current_xact_id())
    ON CONFLICT (game_id, kind) DO UPDATE SET xid = excluded.xid WHERE c.xid <> excluded.xid;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rtmanager.note_row_change FROM PUBLIC;
REVOKE ALL ON FUNCTION rtmanager.note_record_change FROM PUBLIC;

-- A dump that was restored into another server brings that server's transaction ids along. What lies in this one's future
-- would be answered to nobody until then; it is told as changed now.
CREATE OR REPLACE FUNCTION rtmanager.mend_changes() RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE rtmanager.changes SET xid = pg_current_xact_id() WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
$$;
REVOKE ALL ON FUNCTION rtmanager.mend_changes FROM PUBLIC;
