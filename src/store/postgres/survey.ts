/**
 * A page of the survey, in one statement. Games at which nothing is to be done only ever become more, so no part of it looks at
 * them: what is open has an index, whose row was written since a list of its own, and what has jobs another. Subqueries and not
 * joins, because a join may be planned as a scan of the whole table.
 */
import { Effect } from "effect"
import type { SurveyPage, SurveyPart } from "../GameReader.ts"
import type { Sql } from "./client.ts"
import { surveyRows } from "./rows.ts"

/** A few milliseconds' worth of parsing. */
export const pageSize = 500

const pageOf = (ids: string): string => `
  SELECT coalesce(json_agg(json_build_array(p.game_id,
    (SELECT json_build_object('state', g.state, 'image_ref', g.image_ref, 'restart_policy', g.restart_policy, 'generation', g.generation,
      'desired_hash', g.desired_hash)
      FROM rtmanager.games g WHERE g.game_id = p.game_id),
    (SELECT to_json(r) FROM rtmanager.runtime_records r WHERE r.game_id = p.game_id),
    EXISTS (SELECT 1 FROM rtmanager.jobs j WHERE j.game_id = p.game_id AND j.outcome IS NULL)::int
  ) ORDER BY p.game_id), '[]')::text AS rows
  FROM (${ids}) p`

const idsOf: Readonly<Record<SurveyPart, string>> = {
  open: `SELECT i.game_id FROM (
      (SELECT game_id FROM rtmanager.runtime_records WHERE NOT settled AND status <> 'removed' AND game_id > $1 ORDER BY game_id LIMIT $2)
      UNION (SELECT game_id FROM rtmanager.unsettled WHERE game_id > $1 ORDER BY game_id LIMIT $2)
      UNION (SELECT DISTINCT game_id FROM rtmanager.jobs WHERE outcome IS NULL AND game_id > $1 ORDER BY game_id LIMIT $2)
    ) i ORDER BY i.game_id LIMIT $2`,
  settled: "SELECT game_id FROM rtmanager.runtime_records WHERE settled AND game_id > $1 ORDER BY game_id LIMIT $2"
}

export const surveySql: Readonly<Record<SurveyPart, string>> = { open: pageOf(idsOf.open), settled: pageOf(idsOf.settled) }

/** One text for all rows: parsing it costs a fraction of what the driver takes for a thousand rows. */
export const selectPage = async (sql: Sql, part: SurveyPart, after: string): Promise<ReadonlyArray<unknown>> => {
  const [page] = await sql.unsafe<[{ rows: string }]>(surveySql[part], [after, pageSize], { prepare: true })
  return JSON.parse(page.rows) as ReadonlyArray<unknown>
}

/** `rows`: at most `size` of them, each with its game's id first. */
export const surveyPage = (rows: ReadonlyArray<unknown>, size: number): Effect.Effect<SurveyPage> =>
  Effect.map(surveyRows(rows), (good) => {
    const last = rows.at(-1) as readonly [string, ...ReadonlyArray<unknown>] | undefined
    return { rows: good, next: rows.length < size || last === undefined ? null : last[0] }
  })
