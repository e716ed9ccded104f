/**
 * A page of the survey, in one statement. Games at which nothing is to be done only ever become more, so no part of it looks at
 * them but a page at a time: what is open has an index, whose row was written since a list of its own, and what has jobs another.
 * Subqueries and not joins, because a join may be planned as a scan of the whole table; NOT EXISTS is one too.
 */
import { Effect } from "effect"
import { maximumSpecBytes } from "../../domain/GameSpec.ts"
import type { SurveyPage, SurveyPart } from "../GameReader.ts"
import { claimsOf } from "./claims.ts"
import type { Sql } from "./client.ts"
import { surveyRows } from "./rows.ts"

/** A few milliseconds' worth of parsing. */
const pageSize = 500

/** `ids`: what the page looks through; `kept`: what of it is of this part. */
const pageOf = (ids: string, kept = "true"): string => `
  WITH page AS MATERIALIZED (${ids})
  SELECT coalesce(json_agg(json_build_array(p.game_id,
    (SELECT json_build_object('state', g.state, 'image_ref', g.image_ref, 'restart_policy', g.restart_policy, 'generation', g.generation,
      'desired_hash', g.desired_hash, 'restart_requested_at', g.restart_requested_at,
      'spec', CASE WHEN pg_column_size(g.spec) <= ${maximumSpecBytes} AND g.spec ? 'restart' THEN jsonb_build_object('restart', g.spec->'restart') ELSE '{}' END)
      FROM rtmanager.games g WHERE g.game_id = p.game_id),
    (SELECT to_json(r) FROM rtmanager.runtime_records r WHERE r.game_id = p.game_id),
    EXISTS (SELECT 1 FROM rtmanager.jobs j WHERE j.game_id = p.game_id AND j.outcome IS NULL)::int,
    ${claimsOf("p.game_id")}
  ) ORDER BY p.game_id), '[]')::text AS rows, (SELECT CASE WHEN count(*) = $2 THEN max(game_id) END FROM page) AS next
  FROM (SELECT page.game_id FROM page WHERE ${kept}) p`

export const surveySql: Readonly<Record<SurveyPart, string>> = {
  open: pageOf(`SELECT i.game_id FROM (
      (SELECT game_id FROM rtmanager.runtime_records WHERE NOT settled AND status <> 'removed' AND game_id > $1 ORDER BY game_id LIMIT $2)
      UNION (SELECT game_id FROM rtmanager.unsettled WHERE game_id > $1 ORDER BY game_id LIMIT $2)
      UNION (SELECT DISTINCT game_id FROM rtmanager.jobs WHERE outcome IS NULL AND game_id > $1 ORDER BY game_id LIMIT $2)
    ) i ORDER BY i.game_id LIMIT $2`),
  settled: pageOf("SELECT game_id FROM rtmanager.runtime_records WHERE settled AND game_id > $1 ORDER BY game_id LIMIT $2"),
  unnoted: pageOf(
    "SELECT game_id FROM rtmanager.games WHERE game_id > $1 ORDER BY game_id LIMIT $2",
    `(SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = page.game_id) IS NULL
      AND (SELECT 1 FROM rtmanager.unsettled u WHERE u.game_id = page.game_id) IS NULL`
  )
}

/** As the database answers it: rows with the game's id first each. */
export interface Page {
  readonly rows: ReadonlyArray<unknown>
  readonly next: string | null
}

/** One text for all rows: parsing it costs a fraction of what the driver takes for a thousand rows. */
export const selectPage = async (sql: Sql, part: SurveyPart, after: string): Promise<Page> => {
  const [{ next, rows }] = await sql.unsafe<[{ rows: string; next: string | null }]>(surveySql[part], [after, pageSize], { prepare: true })
  return { rows: JSON.parse(rows) as ReadonlyArray<unknown>, next }
}

export const surveyPage = ({ next, rows }: Page): Effect.Effect<SurveyPage> => Effect.map(surveyRows(rows), (good) => ({ rows: good, next }))
