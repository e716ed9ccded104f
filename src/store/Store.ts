/** What the controller asks of its database. Every write is fenced by the lease's epoch. */
import { Context, type Effect, Schema, type Stream } from "effect"
import type { Commit } from "../domain/Commit.ts"
import type { Game } from "../domain/Game.ts"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake, PendingJob } from "../domain/Job.ts"
import type { Topic } from "../domain/Message.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"

export const StoreReason = Schema.Literals([
  /** Not reached, connection lost: whether a write was committed is unknown. */
  "Unavailable",
  /** No answer before the deadline: whether a write was committed is unknown. */
  "Timeout",
  /** Another write is in the way, or the record changed since it was read: nothing was written, look again. */
  "Conflict",
  /** Another controller holds the lease: this one must stop acting. */
  "Fenced",
  /** The database refused the values (a constraint, a trigger). */
  "Invalid",
  /** A row is not what the schema says. */
  "Undecodable"
])
export type StoreReason = typeof StoreReason.Type

export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  operation: Schema.String,
  reason: StoreReason,
  message: Schema.String
}) {}

/** All the database holds of one game, read in one statement. */
export interface GameState {
  readonly game: Game | null
  readonly record: RuntimeRecord | null
  /** Taken and unanswered, oldest first. */
  readonly jobs: ReadonlyArray<PendingJob>
}

/** One game in the sweep's survey: what decides whether it differs, without the spec. */
export interface SurveyRow {
  readonly gameId: GameId
  readonly game: Pick<Game, "state" | "imageRef" | "restartPolicy" | "generation"> | null
  readonly record: RuntimeRecord | null
  readonly pendingJobs: number
}

export type { Commit }

export interface OutboxEntry {
  readonly id: number
  readonly eventId: string
  readonly topic: Topic
  readonly gameId: string
  readonly fields: Readonly<Record<string, string>>
}

export interface UnsentOptions {
  readonly except?: ReadonlyArray<Topic>
  readonly sent?: ReadonlyArray<number>
}

/** A desired row changed, or the subscription was (re)made and everything must be looked at. */
export type StoreChange =
  | { readonly _tag: "Changed"; readonly gameId: GameId }
  | { readonly _tag: "Opened" }

export class Store extends Context.Service<Store, {
  readonly load: (gameId: GameId) => Effect.Effect<GameState, StoreError>
  /** Every game that is not settled for ever: one statement, no specs. A `removed` game without pending jobs is left out. */
  readonly survey: Effect.Effect<ReadonlyArray<SurveyRow>, StoreError>
  readonly commit: (commit: Commit) => Effect.Effect<void, StoreError>
  /**
   * Takes a batch of jobs in one transaction, in order: writes each wish as desired state, answers what is refused. An
   * entry taken before changes nothing. Answers the games to look at. A row that somebody holds locked makes it a Conflict.
   */
  readonly takeJobs: (jobs: ReadonlyArray<JobIntake>) => Effect.Effect<ReadonlyArray<GameId>, StoreError>
  /** Strikes out what was `sent`; answers the oldest messages left, in the order they must be sent, none of the topics in `except`. */
  readonly unsent: (limit: number, options?: UnsentOptions) => Effect.Effect<ReadonlyArray<OutboxEntry>, StoreError>
  readonly markSent: (ids: ReadonlyArray<number>) => Effect.Effect<void, StoreError>
  /** Completes when a message may be waiting: after a commit here, and now and then. */
  readonly outboxSignal: Effect.Effect<void>
  /** Never ends: reconnects by itself and says `Opened` each time, before anything else. */
  readonly changes: Stream.Stream<StoreChange>
  /** Whether the database answers. */
  readonly ping: Effect.Effect<void, StoreError>
}>()("rtmanager/store/Store") {}
