/**
 * What one reconcile sees of one game. `Facts` are as they were read: the row, the record, the jobs, the engine's own words.
 * An `Observation` is what they mean (see controllers/game/observe/assess.ts); rules read nothing else. Plain data, both.
 */
import type { Failure } from "./ErrorCode.ts"
import type { GameId } from "./GameId.ts"
import type { PullPolicy } from "./GameSpec.ts"
import type { LastHealth } from "./Health.ts"
import type { PendingJob } from "./Job.ts"
import type { HostPort, PublishedPort } from "./ports.ts"
import type { Revision, Row } from "./Row.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"
import type { Backoff, Timing } from "./Timing.ts"

/** `unresponsive`: the engine lists it and does not answer for it. Everything else is the engine's own word. */
export type FoundState = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead" | "unresponsive"

/** A container with the game's labels, as the engine tells of it. */
export interface FoundContainer {
  readonly id: string
  readonly name: string
  readonly state: FoundState
  readonly createdAtMs: number
  readonly imageRef: string
  /** Our own labels: null where somebody else made it. */
  readonly specHash: string | null
  readonly generation: number | null
  /** The installation that made it; missing: made by hand, or by a release that did not say so. */
  readonly instance?: string
  readonly startedAtMs: number | null
  readonly exit: ContainerExit | null
  /** Why the engine could not start it; empty when it could or was not asked to. */
  readonly startError: string
  /** What it was made with is what ends it, whatever its row says by now. */
  readonly stopSignal: string
  /** From the signal to SIGKILL, as it was made; null: nothing says so. */
  readonly stopGraceMs: number | null
  /** Id of the image that it was made from; null: not known. */
  readonly imageId: string | null
  /** What the engine warned of when it was made, e.g. that it discarded a limit. Known to the process that made it. */
  readonly warnings: ReadonlyArray<string>
  /** The engine itself would start it again, as somebody else told it to. */
  readonly restartsByItself: boolean
  readonly endpoint: string
  /** Published on the host, as it was made; whether it runs or not. */
  readonly ports: ReadonlyArray<PublishedPort>
}

export interface ContainerExit {
  readonly code: number
  readonly oomKilled: boolean
  /** null: the engine does not know when, so `code` is not to be believed. */
  readonly finishedAtMs: number | null
}

/** `Pulled`: asked for by this very attempt and on the host by now, under that id; null: no registry was asked. `again`: once more. */
export type PullState =
  | { readonly _tag: "None" }
  | { readonly _tag: "Pulling" }
  | { readonly _tag: "Pulled"; readonly imageId: string | null; readonly again?: boolean }
  | { readonly _tag: "Failed"; readonly failure: Failure }

export interface Facts {
  readonly gameId: GameId
  /** This installation. What another one made is none of its business. */
  readonly instance: string
  readonly row: Row | null
  readonly record: RuntimeRecord | null
  readonly jobs: ReadonlyArray<PendingJob>
  /** What was told of its health last. */
  readonly lastHealth: LastHealth | null
  readonly containers: ReadonlyArray<FoundContainer>
  /** The engine that answers. A recorded container of its own that is not among `containers` got its 404. */
  readonly engineId: string
  /** The pull for this attempt; see `wantedPull`. */
  readonly pull: PullState
  /** Ports of this engine's host that the ledger keeps for the game. */
  readonly claims: ReadonlyArray<HostPort>
  /** As many other games are being exchanged as may be at once. */
  readonly exchangesFull: boolean
  readonly nowMs: number
  readonly timing: Timing
  /** Where the spec says nothing else. */
  readonly pullPolicy: PullPolicy
}

/** What the row says, without what is to run: that is the `Target`. */
export type Desired = Omit<Row, "revision">

/** The revision that is to run. */
export interface Target extends Revision {
  readonly generation: number
  readonly pullPolicy: PullPolicy
  readonly stopGraceMs: number
  readonly backoff: Backoff
  /** Exit codes that it is never restarted on. */
  readonly neverOn: ReadonlyArray<number>
}

export type ObservedState = Exclude<FoundState, "restarting">

export interface ObservedContainer extends Omit<FoundContainer, "state"> {
  /** `restarting` (an engine's own restart policy on a container made by hand) counts as `running`. */
  readonly state: ObservedState
  /** Made by this controller: it carries our spec hash and generation. */
  readonly ours: boolean
  /** It runs (or would run) the image and spec of the target. */
  readonly runsWanted: boolean
}

/**
 * The fate of the container that the record names.
 *
 * `gone` is proven: the same engine as before answered 404 for its full id. `elsewhere`: another engine answers now. `another's`:
 * another installation made it.
 */
export type Recorded = "none" | "present" | "gone" | "elsewhere" | "another's"

export interface Observation extends Omit<Facts, "row" | "containers" | "pullPolicy"> {
  readonly desired: Desired | null
  readonly target: Target | null
  readonly containers: ReadonlyArray<ObservedContainer>
  /** The container that is the game: the recorded one, else the best candidate. */
  readonly main: ObservedContainer | undefined
  /** Any other container of this game. */
  readonly strays: ReadonlyArray<ObservedContainer>
  readonly recorded: Recorded
}

export const isRunning = (container: ObservedContainer | undefined): boolean =>
  container !== undefined && (container.state === "running" || container.state === "paused")
