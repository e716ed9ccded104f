/** GameWriter on PostgreSQL: one statement a call, fenced by the epoch of this controller's term. */
import { Clock, Effect, Latch } from "effect"
import type { GameId } from "../../domain/GameId.ts"
import type { OutboxEntry, Topic } from "../../domain/Message.ts"
import type { GameWriter, UnsentOptions } from "../GameWriter.ts"
import type { Term } from "../Lease.ts"
import { type ClaimAnswer, fromClaim, toClaimed } from "./claims.ts"
import type { Database } from "./client.ts"
import { fromCommit, fromIntake, jsonText } from "./documents.ts"

/** The relay looks this often even when nobody told it to. */
const outboxPollMs = 1000

/** A write that is fenced ends the term. */
const fencedBy = ({ end }: Term, database: Database): Database["query"] => (operation, send) =>
  Effect.tapError(database.query(operation, send), ({ reason }) => reason === "Fenced" ? end : Effect.void)

export const makePostgresWriter = (database: Database, term: Term): GameWriter["Service"] => {
  const query = fencedBy(term, database)
  const written = Latch.makeUnsafe(true)
  const wakeRelay = Effect.sync(() => {
    written.openUnsafe()
  })
  return {
    commit: (commit) =>
      query("commit", (sql) => sql`SELECT rtmanager.commit_step(${term.epoch}, ${jsonText(fromCommit(commit))}::text::jsonb)`).pipe(
        Effect.andThen(commit.health.length + commit.messages.length + commit.answers.length > 0 ? wakeRelay : Effect.void)
      ),
    takeJobs: (jobs, again = false) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        const documents = jsonText(jobs.map((job) => fromIntake(job, nowMs)))
        return query("take_jobs", (sql) => sql<Array<{ game_id: GameId }>>`
          SELECT DISTINCT t.game_id FROM ${sql(again ? "rtmanager.take_jobs_again" : "rtmanager.take_jobs")}(${term.epoch}, ${documents}::text::jsonb) t(game_id)`)
      }).pipe(Effect.map((rows) => rows.map((row) => row.game_id)), Effect.tap(wakeRelay)),
    claimPorts: (claim) =>
      Effect.map(
        query("claim_ports", (sql) => sql<[{ answer: ClaimAnswer }]>`SELECT rtmanager.claim_ports(${term.epoch}, ${jsonText(fromClaim(claim))}::text::jsonb) AS answer`),
        ([{ answer }]) => toClaimed(claim, answer)
      ),
    settle: (games) =>
      Effect.asVoid(query("settle", (sql) => sql`SELECT rtmanager.settle(${term.epoch}, ${games.map(({ gameId }) => gameId)}::text[],
        ${games.map(({ version }) => version)}::bigint[], ${games.map(({ generation }) => generation)}::bigint[])`)),
    noteHistory: Effect.asVoid(query("note_history", (sql) => sql`SELECT rtmanager.note_history(${term.epoch})`)),
    sameHistory: Effect.asVoid(query("same_history", (sql) => sql`SELECT rtmanager.same_history()`)),
    unsent: unsent(query),
    markSent: (ids) => Effect.asVoid(query("mark_sent", (sql) => sql`DELETE FROM rtmanager.outbox WHERE id = ANY(${ids as Array<number>}::bigint[])`)),
    outboxSignal: Effect.suspend(() => Effect.timeoutOption(written.await, outboxPollMs)).pipe(
      Effect.andThen(Effect.sync(() => {
        written.closeUnsafe()
      }))
    )
  }
}

interface OutboxRow {
  readonly id: string
  readonly event_id: string
  readonly topic: Topic
  readonly game_id: string
  readonly fields: Readonly<Record<string, string>>
  readonly stored_at_ms: string
}

const toEntry = (row: OutboxRow): OutboxEntry => ({
  id: Number(row.id), eventId: row.event_id, topic: row.topic, gameId: row.game_id, fields: row.fields, storedAtMs: Number(row.stored_at_ms)
})

const unsent = (query: Database["query"]) => (limit: number, { except = [], kept = [], sent = [] }: UnsentOptions = {}) =>
  query("unsent", (sql) => sql<Array<OutboxRow>>`
    WITH struck_out AS (DELETE FROM rtmanager.outbox WHERE id = ANY(${sent as Array<number>}::bigint[]))
    SELECT id, event_id, topic, game_id, fields, floor(extract(epoch FROM created_at) * 1000)::bigint AS stored_at_ms FROM rtmanager.outbox
    WHERE topic <> ALL(${except as Array<string>}::text[]) AND id <> ALL(${[...sent, ...kept]}::bigint[]) ORDER BY id LIMIT ${limit}`).pipe(
    Effect.map((rows) => rows.map(toEntry))
  )
