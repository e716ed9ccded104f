/** What the acting controller writes, and its outbox. Every write is fenced by the epoch of its term. */
import { Context, type Effect } from "effect"
import type { Commit } from "../domain/Commit.ts"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake } from "../domain/Job.ts"
import type { OutboxEntry, Topic } from "../domain/Message.ts"
import type { Claimed, PortRange, PortWant, TakenPort } from "../domain/ports.ts"
import type { StoreError } from "./StoreError.ts"

/** A game as it was when it was found settled. */
export interface Settled {
  readonly gameId: GameId
  readonly version: number
  /** null: it has no row. */
  readonly generation: number | null
}

/** Ports of one engine's host that a game is to have. */
export interface PortClaim {
  readonly gameId: GameId
  readonly engineId: string
  readonly wants: ReadonlyArray<PortWant>
  /** Where wants without a number of their own are met from. */
  readonly range: PortRange | undefined
  /** The game keeps what it had before, too: what has it runs still. */
  readonly keep: boolean
  /** Ports that the engine said are taken, and by whom: nobody gets them from the range for a while. */
  readonly taken: ReadonlyArray<TakenPort>
}

export interface UnsentOptions {
  /** Topics left aside. */
  readonly except?: ReadonlyArray<Topic>
  /** Struck out. */
  readonly sent?: ReadonlyArray<number>
  /** Left aside, and kept. */
  readonly kept?: ReadonlyArray<number>
}

export class GameWriter extends Context.Service<GameWriter, {
  /** All of it or nothing. A Conflict when the record was written since it was read, or an adopted game got a row meanwhile. */
  readonly commit: (commit: Commit) => Effect.Effect<void, StoreError>
  /**
   * Takes a batch of jobs in one transaction, in order: writes each wish as desired state, answers what is refused. An
   * entry taken before changes nothing. Answers the games to look at. A row that somebody holds locked makes it a Conflict; a
   * database that was restored or failed over since takes none before `noteHistory`, but those that are read `again`.
   */
  readonly takeJobs: (jobs: ReadonlyArray<JobIntake>, again?: boolean) => Effect.Effect<ReadonlyArray<GameId>, StoreError>
  /**
   * Makes the game's ports on that engine those that it wants, all or none; those it has it keeps, and so does one that claims again
   * what it claimed before. One that was freed is given to nobody else for half a minute. To be called only where nothing of the game
   * runs with other ports, unless it keeps them.
   */
  readonly claimPorts: (claim: PortClaim) => Effect.Effect<Claimed, StoreError>
  /**
   * Marks games as settled: nothing is to be done for them until their row or record is written, or a job or a container of theirs
   * turns up. Passes over those that were written since, or that somebody is writing.
   */
  readonly settle: (games: ReadonlyArray<Settled>) => Effect.Effect<void, StoreError>
  /** The jobs that this history of the database may lack have been taken. */
  readonly noteHistory: Effect.Effect<void, StoreError>
  /** Fails with HistoryChanged when the database was restored or failed over since `noteHistory`. */
  readonly sameHistory: Effect.Effect<void, StoreError>
  /** Strikes out what was `sent`; answers the oldest messages of the others, in the order they must be sent. */
  readonly unsent: (limit: number, options?: UnsentOptions) => Effect.Effect<ReadonlyArray<OutboxEntry>, StoreError>
  readonly markSent: (ids: ReadonlyArray<number>) => Effect.Effect<void, StoreError>
  /** Completes when a message may be waiting: after a commit here, and now and then. */
  readonly outboxSignal: Effect.Effect<void>
}>()("rtmanager/store/GameWriter") {}
