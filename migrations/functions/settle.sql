-- Marks games as settled whose record and row are still the ones that were seen; `generations` has null where there is no row.
-- What somebody holds locked is about to change.
CREATE OR REPLACE FUNCTION rtmanager.settle(epoch bigint, games text[], versions bigint[], generations bigint[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM rtmanager.fence(epoch);
  UPDATE rtmanager.runtime_records SET settled = true WHERE game_id IN (
    SELECT r.game_id FROM unnest(games, versions) s (game_id, version) JOIN rtmanager.runtime_records r ON r.game_id = s.game_id
    WHERE r.version = s.version AND NOT r.settled FOR UPDATE OF r SKIP LOCKED);
  DELETE FROM rtmanager.unsettled WHERE game_id IN (
    SELECT u.game_id FROM unnest(games, generations) s (game_id, generation) JOIN rtmanager.unsettled u ON u.game_id = s.game_id
    WHERE u.generation = s.generation FOR UPDATE OF u SKIP LOCKED);
END $$;
REVOKE ALL ON FUNCTION rtmanager.settle FROM PUBLIC;
