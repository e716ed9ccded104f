/** What is read of games. It needs no term of leadership: standbys and the API read with it too. */
import { Context, type Effect, type Stream } from "effect"
import type { DesiredState, Game } from "../domain/Game.ts"
import type { GameId } from "../domain/GameId.ts"
import type { LastHealth } from "../domain/Health.ts"
import type { PendingJob } from "../domain/Job.ts"
import type { HostPort } from "../domain/ports.ts"
import type { RuntimeRecord } from "../domain/RuntimeRecord.ts"
import type { StoreError } from "./StoreError.ts"

/** Of a game's pending jobs so many are read: the newest says what is wanted last, the others are answered bit by bit. */
export const jobsRead = { oldest: 900, newest: 100 } as const

/** A port of an engine's host that the ledger keeps for a game. */
export interface ClaimedPort extends HostPort {
  readonly engineId: string
}

/** All the database holds of one game, read in one statement. */
export interface GameState {
  readonly game: Game | null
  readonly record: RuntimeRecord | null
  /** Taken and unanswered, oldest first; of more than `jobsRead` the oldest and the newest. */
  readonly jobs: ReadonlyArray<PendingJob>
  readonly lastHealth: LastHealth | null
  readonly claims: ReadonlyArray<ClaimedPort>
}

/** One game in the sweep's survey: what decides whether it differs. Of its `spec` only `restart`. */
export interface SurveyRow {
  readonly gameId: GameId
  readonly game: Pick<Game, "state" | "imageRef" | "restartPolicy" | "generation" | "desiredHash" | "restartRequestedAtMs" | "spec"> | null
  readonly record: RuntimeRecord | null
  /** Whether any waits, as 0 or 1: a game may have a hundred thousand. */
  readonly pendingJobs: number
  readonly claims: ReadonlyArray<ClaimedPort>
}

/**
 * `open`: what is not marked as settled, whose row was written since, or what a job waits for. `settled`: what is marked. A game
 * that was removed is in neither. `unnoted`: rows of which nothing is recorded and no trigger told: they were made without. To find
 * those, a page of all rows is looked through, and it may be empty without being the last.
 */
export type SurveyPart = "open" | "settled" | "unnoted"

export interface SurveyPage {
  readonly rows: ReadonlyArray<SurveyRow>
  /** Goes into the next `survey`; null: that was the last page. */
  readonly next: string | null
}

/** Before all games. */
export const firstPage = ""

/** A desired row changed, or the subscription was (re)made and everything must be looked at. */
export type StoreChange =
  | {
    readonly _tag: "Changed"
    readonly gameId: GameId
    /** What the row says now; undefined when it cannot be told. */
    readonly state: DesiredState | undefined
  }
  | { readonly _tag: "Opened" }

/** A game whose desired row or whose record was written (or deleted) at least once. */
export interface GameChange {
  readonly gameId: GameId
  readonly kind: "row" | "record"
}

export interface ChangesSince {
  readonly changes: ReadonlyArray<GameChange>
  /** Goes into the next `changesSince`. */
  readonly cursor: string
}

/** The cursor before all changes: everything that is there comes after it. */
export const fromTheStart = ""

export class GameReader extends Context.Service<GameReader, {
  readonly load: (gameId: GameId) => Effect.Effect<GameState, StoreError>
  /**
   * A page of games, by their ids: one statement, of specs only `restart`; what it costs does not grow with the settled ones. A game whose row
   * or record cannot be decoded is left out and logged: `load` says so too.
   */
  readonly survey: (part: SurveyPart, after: string) => Effect.Effect<SurveyPage, StoreError>
  /** Desired rows, as hints. Never ends: reconnects by itself and says `Opened` each time, before anything else. */
  readonly changes: Stream.Stream<StoreChange>
  /**
   * What changed after the cursor, oldest first, at most `limit` (at least 1) of them; fewer than `limit`: that is all for now.
   *
   * Nothing is ever skipped: a change whose transaction commits late is answered late, and those of younger transactions wait
   * for it. A change may be answered again, several changes of one game once. A cursor keeps for ever; one that this database
   * cannot have given (it was restored from a backup, the text is none of ours) begins from the start.
   */
  readonly changesSince: (cursor: string, limit: number) => Effect.Effect<ChangesSince, StoreError>
  /** Whether the database answers, and takes writes. */
  readonly ping: Effect.Effect<void, StoreError>
}>()("rtmanager/store/GameReader") {}
