/** Status: a game's row in `runtime_records`, what the controller knows to be true. */
import { Schema } from "effect"
import type { ErrorCode } from "./ErrorCode.ts"
import type { GameId } from "./GameId.ts"
import type { PublishedPort } from "./ports.ts"

export const RecordStatus = Schema.Literals(["running", "stopped", "removed"])
export type RecordStatus = typeof RecordStatus.Type

export const ConditionType = Schema.Literals(["Ready", "Progressing", "SpecValid", "AsSpecified"])
export type ConditionType = typeof ConditionType.Type

/** A condition in Kubernetes' shape. `reason` is a machine word, `message` for people. */
export const Condition = Schema.Struct({
  type: ConditionType,
  status: Schema.Literals(["True", "False", "Unknown"]),
  reason: Schema.String,
  message: Schema.String,
  /** ISO 8601; moves only when `status` changes. */
  last_transition_at: Schema.String
})
export type Condition = typeof Condition.Type

/** Why a container is asked to end: its row says so, another container takes its place, a probe, or a person. */
export const StopCause = Schema.Literals(["row", "exchange", "liveness", "restart"])
export type StopCause = typeof StopCause.Type

/** A stop that was begun. Written before the signal is sent, so that the end is told as what it is after any crash. */
export interface Stopping {
  readonly sinceMs: number
  readonly because: StopCause
  /** null: the signal may not have been sent yet. */
  readonly signalledAtMs: number | null
}

export const RolloutPhase = Schema.Literals(["stopping", "starting"])
export type RolloutPhase = typeof RolloutPhase.Type

/** The exchange of what runs for what the row says now. */
export interface Rollout {
  /** Spec hash of what ran; null: not known. */
  readonly from: string | null
  /** Spec hash of what is to run. */
  readonly to: string
  readonly sinceMs: number
  readonly phase: RolloutPhase
}

/** What the engine answers with a refusal again and again. */
export interface Refused {
  /** The act that is refused, e.g. `Signal`. */
  readonly action: string
  /** The engine's own words. */
  readonly message: string
  readonly sinceMs: number
}

export interface RuntimeRecord {
  readonly gameId: GameId
  readonly status: RecordStatus
  readonly currentContainerId: string | null
  readonly currentImageRef: string | null
  readonly engineEndpoint: string | null
  /** Of `currentContainerId`, published on its host. */
  readonly ports: ReadonlyArray<PublishedPort>
  /** The engine that holds `currentContainerId`: a 404 from another one proves nothing. */
  readonly engineId: string | null
  /** Versioned hash of what runs in `currentContainerId`; see `specHash`. */
  readonly specHash: string | null
  /** The newest generation that was carried out or failed for good. 0 before the first. */
  readonly observedGeneration: number
  /** `desiredHash` of the row under that generation; null: not known, then the generation's word is taken. */
  readonly observedHash: string | null
  readonly conditions: ReadonlyArray<Condition>
  /** Restarts in a row without a stable run in between. */
  readonly restartCount: number
  /** No restart and no new start attempt before this time. */
  readonly nextRestartAtMs: number | null
  /** Failed start attempts in a row; 0 after a success or a new generation. */
  readonly failureCount: number
  readonly lastErrorCode: ErrorCode | null
  readonly lastErrorReason: string | null
  readonly lastErrorMessage: string | null
  readonly exitCode: number | null
  readonly oomKilled: boolean
  /** It ended with an exit code that its row never restarts on: not started again until the row changes or a job asks. */
  readonly finalExit: boolean
  /** When the container's process started, by the engine's clock. */
  readonly startedAtMs: number | null
  readonly stoppedAtMs: number | null
  /** Set until the container has ended. */
  readonly stopping: Stopping | null
  /** Set from the intent to exchange the container until the new one runs, fails, or is not wanted any more. */
  readonly rollout: Rollout | null
  /** Set while the engine refuses an act other than a start (which has its own error and back-off). */
  readonly refused: Refused | null
  /** The newest `restart_requested_at` that was begun, or that a start came after. */
  readonly restartObservedAtMs: number | null
  /** Set from the intent to restart the container in place until it runs again, fails to, or is not wanted any more. */
  readonly restartingSinceMs: number | null
  readonly removedAtMs: number | null
  /** Compare-and-set token: bumped by each write of the record. */
  readonly version: number
}

type Observed = Pick<RuntimeRecord, "observedGeneration" | "observedHash">
type Wished = { readonly generation: number; readonly desiredHash: string }

const saysOther = ({ observedHash }: Observed, { desiredHash }: Wished): boolean => observedHash !== null && observedHash !== desiredHash

/** Whether the record is about what the row says now. */
export const hasObserved = (record: Observed | null, row: Wished): boolean =>
  record !== null && record.observedGeneration === row.generation && !saysOther(record, row)

/** Whether the row says something that the record knows nothing of: it was written since, or made again with something else. */
export const isNewTo = (record: Observed | null, row: Wished): boolean =>
  record === null || record.observedGeneration < row.generation || saysOther(record, row)

/** Allowed moves of `status`. `removed` is terminal. */
export const statusMoves: Record<"none" | RecordStatus, ReadonlyArray<RecordStatus>> = {
  none: ["running", "stopped"],
  running: ["running", "stopped", "removed"],
  stopped: ["stopped", "running", "removed"],
  removed: ["removed"]
}
