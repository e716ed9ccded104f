/**
 * Every game that is not settled for ever, in one statement. Removed games only ever become more, so no part of it looks at
 * them: what is live has an index, what has no record yet a list of its own, and everything else is fetched game by game.
 * Subqueries and not joins, because a join may be planned as a scan of the whole table.
 */
import { Effect } from "effect"
import type { SurveyRow } from "../GameReader.ts"
import { surveyRows } from "./rows.ts"

const gameOf = (id: string): string =>
  `(SELECT json_build_object('state', g.state, 'image_ref', g.image_ref, 'restart_policy', g.restart_policy, 'generation', g.generation)
    FROM rtmanager.games g WHERE g.game_id = ${id})`
const pendingOf = (id: string): string => `(SELECT count(*) FROM rtmanager.jobs j WHERE j.game_id = ${id} AND j.outcome IS NULL)`
const statusOf = (id: string): string => `(SELECT r.status FROM rtmanager.runtime_records r WHERE r.game_id = ${id})`

export const surveySql = `
  SELECT json_agg(json_build_array(s.game_id, s.game, s.record, s.pending))::text AS rows FROM (
    SELECT r.game_id, ${gameOf("r.game_id")} AS game, to_json(r) AS record, ${pendingOf("r.game_id")} AS pending
    FROM rtmanager.runtime_records r WHERE r.status <> 'removed'
    UNION ALL
    SELECT u.game_id, ${gameOf("u.game_id")}, NULL, ${pendingOf("u.game_id")}
    FROM rtmanager.unrecorded u WHERE ${statusOf("u.game_id")} IS NULL
    UNION ALL
    SELECT p.game_id, NULL, NULL, p.pending FROM (
      SELECT j.game_id, count(*) AS pending FROM rtmanager.jobs j WHERE j.outcome IS NULL GROUP BY j.game_id
    ) p WHERE ${statusOf("p.game_id")} = 'removed' OR (${statusOf("p.game_id")} IS NULL AND ${gameOf("p.game_id")} IS NULL)
  ) s`

/** One text for all rows: parsing it costs a fraction of what the driver takes for ten thousand rows. */
export const surveyOf = (text: string | null): Effect.Effect<ReadonlyArray<SurveyRow>> =>
  Effect.suspend(() => surveyRows(text === null ? [] : JSON.parse(text) as ReadonlyArray<unknown>))
