/** What one reconcile sees of one game: the row, the record, the pending jobs and the engine's containers. Plain data. */
import type { Failure } from "./ErrorCode.ts"
import type { DesiredState, RestartPolicy } from "./Game.ts"
import type { GameId } from "./GameId.ts"
import type { GameSpec, SpecProblem } from "./GameSpec.ts"
import type { PendingJob } from "./Job.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

/** The row, with its spec decoded; `problem` says why it cannot be carried out. */
export interface Desired {
  readonly state: DesiredState
  readonly imageRef: string
  readonly restartPolicy: RestartPolicy
  readonly generation: number
  readonly spec: GameSpec
  /** `specHash` of image and spec. */
  readonly specHash: string
  readonly problem: SpecProblem | null
}

/**
 * `unresponsive`: the engine lists it and does not answer for it. `restarting` (an engine's own restart policy on a
 * container made by hand) counts as `running`.
 */
export type ObservedState = "created" | "running" | "paused" | "removing" | "exited" | "dead" | "unresponsive"

export interface ObservedContainer {
  readonly id: string
  readonly name: string
  readonly state: ObservedState
  /** Made by this controller: it carries our spec hash and generation. */
  readonly ours: boolean
  /** The generation it was made for; null when it is not ours. */
  readonly generation: number | null
  /** It runs (or would run) the image and spec that the row asks for. */
  readonly runsWanted: boolean
  readonly imageRef: string
  readonly createdAtMs: number
  readonly startedAtMs: number | null
  readonly exit: { readonly code: number; readonly oomKilled: boolean; readonly finishedAtMs: number | null } | null
  /** Why the engine could not start it; empty when it could or was not asked to. */
  readonly startError: string
  readonly stopSignal: string
  /** The engine itself would start it again, as somebody else told it to. */
  readonly restartsByItself: boolean
  readonly endpoint: string
}

/**
 * The fate of the container that the record names.
 *
 * `gone` is proven: the same engine as before answered 404 for its full id. `elsewhere`: another engine answers now.
 */
export type Recorded = "none" | "present" | "gone" | "elsewhere"

export type PullState =
  | { readonly _tag: "None" }
  | { readonly _tag: "Pulling" }
  | { readonly _tag: "Pulled" }
  | { readonly _tag: "Failed"; readonly failure: Failure }

export interface Observation {
  readonly gameId: GameId
  readonly desired: Desired | null
  readonly record: RuntimeRecord | null
  readonly jobs: ReadonlyArray<PendingJob>
  readonly containers: ReadonlyArray<ObservedContainer>
  readonly recorded: Recorded
  readonly engineId: string
  /** The pull that was asked for this game's present generation. */
  readonly pull: PullState
}

/** Hash of what the row asks for and of what the recorded container runs agree; see `matchesSpec`. */
export const isRunning = (container: ObservedContainer | undefined): boolean =>
  container !== undefined && (container.state === "running" || container.state === "paused")
