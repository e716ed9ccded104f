/** Store on PostgreSQL: one statement a call, every write fenced by the epoch of this controller's term. */
import { Clock, Effect, Latch, Layer, type Scope } from "effect"
import type { GameId } from "../../domain/GameId.ts"
import type { JobIntake } from "../../domain/Job.ts"
import type { Topic } from "../../domain/Message.ts"
import { CurrentTerm } from "../Lease.ts"
import { type GameState, Store, type SurveyRow } from "../Store.ts"
import { gameChanges } from "./changes.ts"
import { connect, makeQuery, type Sql } from "./client.ts"
import {
  fromCommit, fromIntake, type GameDocument, type JobDocument, jsonText, type RecordDocument, toGame, toJob, toRecord
} from "./documents.ts"

export interface PostgresOptions {
  readonly url: string
  /** Connections for reconciles, jobs and the relay. Default: 10. */
  readonly connections?: number
}

const queryDeadlineMs = 10_000
/** The relay looks this often even when nobody told it to. */
const outboxPollMs = 1000

/** Closes the connections with the scope. */
export const acquireSql = (url: string, max: number, name: string): Effect.Effect<Sql, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => connect(url, { max, name })),
    (sql) => Effect.ignore(Effect.tryPromise(() => sql.end({ timeout: 0.2 })))
  )

export const makePostgresStore = Effect.fnUntraced(function*(options: PostgresOptions): Effect.fn.Return<
  Store["Service"],
  never,
  CurrentTerm | Scope.Scope
> {
  const { epoch } = yield* CurrentTerm
  const connections = options.connections ?? 10
  const sql = yield* acquireSql(options.url, connections, "store")
  const query = makeQuery(connections, queryDeadlineMs)
  const written = yield* Latch.make(true)
  const wakeRelay = Effect.sync(() => {
    written.openUnsafe()
  })

  const takeAll = (jobs: ReadonlyArray<JobIntake>) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      query("take_jobs", () =>
        sql<Array<{ game_id: GameId }>>`
          SELECT DISTINCT t.game_id FROM rtmanager.take_jobs(${epoch}, ${jsonText(jobs.map((job) => fromIntake(job, nowMs)))}::text::jsonb) t(game_id)`
      )).pipe(Effect.map((rows) => rows.map((row) => row.game_id)), Effect.tap(wakeRelay))

  return Store.of({
    load: (gameId) =>
      query("load", () =>
        sql<Array<{ game: GameDocument | null; record: RecordDocument | null; jobs: Array<JobDocument> | null }>>`
          SELECT
            (SELECT to_json(g) FROM rtmanager.games g WHERE g.game_id = ${gameId}) AS game,
            (SELECT to_json(r) FROM rtmanager.runtime_records r WHERE r.game_id = ${gameId}) AS record,
            (SELECT json_agg(json_build_object('id', j.id, 'kind', j.kind, 'entry_id', j.entry_id, 'generation', j.generation,
                'changed', j.changed) ORDER BY j.id)
              FROM rtmanager.jobs j WHERE j.game_id = ${gameId} AND j.outcome IS NULL) AS jobs`).pipe(
        Effect.map(([row]): GameState => ({
          game: row?.game ? toGame(gameId, row.game) : null,
          record: row?.record ? toRecord(gameId, row.record) : null,
          jobs: (row?.jobs ?? []).map(toJob)
        }))
      ),
    survey: query("survey", () =>
      sql<Array<{ rows: string | null }>>`
        SELECT json_agg(json_build_array(s.game_id, s.game, s.record, s.pending))::text AS rows FROM (
          SELECT coalesce(g.game_id, r.game_id) AS game_id,
            CASE WHEN g.game_id IS NOT NULL THEN json_build_object('state', g.state, 'image_ref', g.image_ref,
              'restart_policy', g.restart_policy, 'generation', g.generation) END AS game,
            CASE WHEN r.game_id IS NOT NULL THEN to_json(r) END AS record,
            (SELECT count(*) FROM rtmanager.jobs j WHERE j.game_id = coalesce(g.game_id, r.game_id) AND j.outcome IS NULL) AS pending
          FROM rtmanager.games g FULL JOIN rtmanager.runtime_records r ON r.game_id = g.game_id
          WHERE r.status IS DISTINCT FROM 'removed'
          UNION ALL
          SELECT j.game_id, NULL, NULL, count(*) FROM rtmanager.jobs j
          WHERE j.outcome IS NULL AND (EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = j.game_id AND r.status = 'removed')
            OR (NOT EXISTS (SELECT 1 FROM rtmanager.games g WHERE g.game_id = j.game_id)
              AND NOT EXISTS (SELECT 1 FROM rtmanager.runtime_records r WHERE r.game_id = j.game_id)))
          GROUP BY j.game_id
        ) s`).pipe(Effect.map(([row]) => surveyRows(row?.rows ?? null))),
    commit: (commit) =>
      query("commit", () => sql`SELECT rtmanager.commit_step(${epoch}, ${jsonText(fromCommit(commit))}::text::jsonb)`).pipe(
        Effect.andThen(commit.health.length + commit.messages.length + commit.answers.length > 0 ? wakeRelay : Effect.void)
      ),
    takeJobs: takeAll,
    unsent: (limit) =>
      query("unsent", () =>
        sql<Array<{ id: string; event_id: string; topic: Topic; game_id: string; fields: Record<string, string> }>>`
          SELECT id, event_id, topic, game_id, fields FROM rtmanager.outbox ORDER BY id LIMIT ${limit}`).pipe(
        Effect.map((rows) => rows.map((row) => ({
          id: Number(row.id), eventId: row.event_id, topic: row.topic, gameId: row.game_id, fields: row.fields
        })))
      ),
    markSent: (ids) =>
      Effect.asVoid(query("mark_sent", () => sql`DELETE FROM rtmanager.outbox WHERE id = ANY(${ids as Array<number>}::bigint[])`)),
    outboxSignal: Effect.suspend(() => Effect.timeoutOption(written.await, outboxPollMs)).pipe(
      Effect.andThen(Effect.sync(() => {
        written.closeUnsafe()
      }))
    ),
    changes: gameChanges(options.url),
    ping: Effect.asVoid(query("ping", () => sql`SELECT 1`))
  })
})

type SurveyTuple = readonly [GameId, GameDocument | null, RecordDocument | null, number]

/** One text for all rows: parsing it costs a fraction of what the driver takes for ten thousand rows. */
const surveyRows = (text: string | null): ReadonlyArray<SurveyRow> =>
  text === null ? [] : (JSON.parse(text) as Array<SurveyTuple>).map(([gameId, game, record, pendingJobs]) => ({
    gameId,
    game: game && toGame(gameId, game),
    record: record && toRecord(gameId, record),
    pendingJobs
  }))

export const layer = (options: PostgresOptions): Layer.Layer<Store, never, CurrentTerm> =>
  Layer.effect(Store, makePostgresStore(options))

