/** Store on PostgreSQL: one statement a call, every write fenced by the epoch of this controller's term. */
import { Clock, Effect, Latch, Layer, type Scope } from "effect"
import type { GameId } from "../../domain/GameId.ts"
import type { JobIntake } from "../../domain/Job.ts"
import type { Topic } from "../../domain/Message.ts"
import { CurrentTerm } from "../Lease.ts"
import { type GameState, Store, type StoreError } from "../Store.ts"
import { gameChanges, type HeartbeatOptions } from "./changes.ts"
import { acquireDatabase, type Sql } from "./client.ts"
import {
  fromCommit, fromIntake, type GameDocument, type JobDocument, jsonText, type RecordDocument, toGame, toJob, toRecord
} from "./documents.ts"
import { surveyRows, surveySql } from "./survey.ts"

export interface PostgresOptions {
  readonly url: string
  /** Connections for reconciles, jobs and the relay. Default: 10. */
  readonly connections?: number
  /** Default: 10 s. */
  readonly deadlineMs?: number
  readonly heartbeat?: HeartbeatOptions
}

const queryDeadlineMs = 10_000
/** The relay looks this often even when nobody told it to. */
const outboxPollMs = 1000

export const makePostgresStore = Effect.fnUntraced(function*(options: PostgresOptions): Effect.fn.Return<
  Store["Service"],
  never,
  CurrentTerm | Scope.Scope
> {
  const { end, epoch } = yield* CurrentTerm
  const database = yield* acquireDatabase(options.url, {
    max: options.connections ?? 10, name: "store", deadlineMs: options.deadlineMs ?? queryDeadlineMs
  })
  const query = <A>(operation: string, send: (sql: Sql) => PromiseLike<A>): Effect.Effect<A, StoreError> =>
    Effect.tapError(database.query(operation, send), ({ reason }) => reason === "Fenced" ? end : Effect.void)
  const written = yield* Latch.make(true)
  const wakeRelay = Effect.sync(() => {
    written.openUnsafe()
  })

  const takeAll = (jobs: ReadonlyArray<JobIntake>) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      query("take_jobs", (sql) =>
        sql<Array<{ game_id: GameId }>>`
          SELECT DISTINCT t.game_id FROM rtmanager.take_jobs(${epoch}, ${jsonText(jobs.map((job) => fromIntake(job, nowMs)))}::text::jsonb) t(game_id)`
      )).pipe(Effect.map((rows) => rows.map((row) => row.game_id)), Effect.tap(wakeRelay))

  return Store.of({
    load: (gameId) =>
      query("load", (sql) =>
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
    survey: query("survey", (sql) => sql.unsafe<Array<{ rows: string | null }>>(surveySql, [], { prepare: true })).pipe(
      Effect.map(([row]) => surveyRows(row?.rows ?? null))
    ),
    commit: (commit) =>
      query("commit", (sql) => sql`SELECT rtmanager.commit_step(${epoch}, ${jsonText(fromCommit(commit))}::text::jsonb)`).pipe(
        Effect.andThen(commit.health.length + commit.messages.length + commit.answers.length > 0 ? wakeRelay : Effect.void)
      ),
    takeJobs: takeAll,
    unsent: (limit, { except = [], sent = [] } = {}) =>
      query("unsent", (sql) =>
        sql<Array<{ id: string; event_id: string; topic: Topic; game_id: string; fields: Record<string, string> }>>`
          WITH struck_out AS (DELETE FROM rtmanager.outbox WHERE id = ANY(${sent as Array<number>}::bigint[]))
          SELECT id, event_id, topic, game_id, fields FROM rtmanager.outbox
          WHERE topic <> ALL(${except as Array<string>}::text[]) AND id <> ALL(${sent as Array<number>}::bigint[]) ORDER BY id LIMIT ${limit}`).pipe(
        Effect.map((rows) => rows.map((row) => ({
          id: Number(row.id), eventId: row.event_id, topic: row.topic, gameId: row.game_id, fields: row.fields
        })))
      ),
    markSent: (ids) =>
      Effect.asVoid(query("mark_sent", (sql) => sql`DELETE FROM rtmanager.outbox WHERE id = ANY(${ids as Array<number>}::bigint[])`)),
    outboxSignal: Effect.suspend(() => Effect.timeoutOption(written.await, outboxPollMs)).pipe(
      Effect.andThen(Effect.sync(() => {
        written.closeUnsafe()
      }))
    ),
    changes: gameChanges(options.url, options.heartbeat),
    ping: database.ping
  })
})

export const layer = (options: PostgresOptions): Layer.Layer<Store, never, CurrentTerm> =>
  Layer.effect(Store, makePostgresStore(options))

