/** GameReader on PostgreSQL: one statement a call. */
import { Effect } from "effect"
import { maximumSpecBytes } from "../../domain/GameSpec.ts"
import { GameReader, jobsRead } from "../GameReader.ts"
import { gameChanges, type HeartbeatOptions } from "./changes.ts"
import { changesOf, selectChanges } from "./changesSince.ts"
import { claimsOf } from "./claims.ts"
import type { Database } from "./client.ts"
import { gameState } from "./rows.ts"
import { selectPage, surveyPage } from "./survey.ts"

export interface ReaderOptions {
  readonly url: string
  /** Where notifications are listened to, which needs a session of its own. Default: `url`. */
  readonly directUrl?: string
  readonly heartbeat?: HeartbeatOptions
}

export const makePostgresReader = ({ ping, query }: Database, options: ReaderOptions): GameReader["Service"] => ({
  load: (gameId) =>
    query("load", (sql) => sql`
      SELECT
        (SELECT json_build_object('state', g.state, 'image_ref', g.image_ref, 'restart_policy', g.restart_policy, 'generation', g.generation,
            'desired_hash', g.desired_hash, 'restart_requested_at', g.restart_requested_at,
            'spec', CASE WHEN s.bytes <= ${maximumSpecBytes} THEN g.spec END, 'spec_bytes', s.bytes)
          -- As it is stored first: to write out a hundred megabytes takes seconds.
          FROM rtmanager.games g, LATERAL (
            SELECT CASE WHEN pg_column_size(g.spec) > ${maximumSpecBytes} THEN pg_column_size(g.spec) ELSE octet_length(g.spec::text) END AS bytes OFFSET 0
          ) s WHERE g.game_id = ${gameId}) AS game,
        (SELECT to_json(r) FROM rtmanager.runtime_records r WHERE r.game_id = ${gameId}) AS record,
        (SELECT json_agg(json_build_object('id', j.id, 'kind', j.kind, 'entry_id', j.entry_id, 'generation', j.generation) ORDER BY j.id)
          FROM (
            (SELECT * FROM rtmanager.jobs WHERE game_id = ${gameId} AND outcome IS NULL ORDER BY id LIMIT ${jobsRead.oldest})
            UNION ALL
            (SELECT * FROM rtmanager.jobs WHERE game_id = ${gameId} AND outcome IS NULL AND id > coalesce((
                SELECT id FROM rtmanager.jobs WHERE game_id = ${gameId} AND outcome IS NULL ORDER BY id OFFSET ${jobsRead.oldest - 1} LIMIT 1
              ), 9223372036854775807) ORDER BY id DESC LIMIT ${jobsRead.newest})
          ) j) AS jobs,
        (SELECT json_build_object('container_id', h.container_id, 'event_type', h.event_type)
          FROM rtmanager.health_snapshots h WHERE h.game_id = ${gameId}) AS health,
        (SELECT ${sql.unsafe(claimsOf("q.game_id"))} FROM (SELECT ${gameId}::text AS game_id) q) AS claims`).pipe(
      Effect.flatMap(([row]) => gameState(gameId, row))
    ),
  survey: (part, after) =>
    Effect.flatMap(query("survey", (sql) => selectPage(sql, part, after)), surveyPage),
  changes: gameChanges(options.directUrl ?? options.url, options.heartbeat),
  changesSince: (cursor, limit) =>
    Effect.map(query("changes_since", (sql) => selectChanges(sql, cursor, limit)), (page) => changesOf(page, limit)),
  ping
})
