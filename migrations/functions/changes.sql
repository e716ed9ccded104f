-- Keeps `changes`; the argument is the kind. Who may write games needs no right to this table.
CREATE OR REPLACE FUNCTION rtmanager.note_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    UPDATE rtmanager.changes SET xid = pg_current_xact_id() WHERE kind = TG_ARGV[0];
  ELSE
    INSERT INTO rtmanager.changes AS c (game_id, kind, xid) VALUES (coalesce(NEW.game_id, OLD.game_id), TG_ARGV[0], pg_current_xact_id())
    ON CONFLICT (game_id, kind) DO UPDATE SET xid = excluded.xid WHERE c.xid <> excluded.xid;
  END IF;
  RETURN NULL;
END $$;

-- A dump that was restored into another server brings that server's transaction ids along. What lies in this one's future
-- would be answered to nobody until then; it is told as changed now.
CREATE OR REPLACE FUNCTION rtmanager.mend_changes() RETURNS void LANGUAGE sql AS $$
  UPDATE rtmanager.changes SET xid = pg_current_xact_id() WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
$$;
