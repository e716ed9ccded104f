/** Jobs: wishes that arrive as entries of a Redis stream, and the one result that each gets. */
import { Schema } from "effect"
import type { ErrorCode, Failure } from "./ErrorCode.ts"
import type { RestartPolicy } from "./Game.ts"
import type { GameId } from "./GameId.ts"
import type { PublishedPort } from "./ports.ts"

export const JobKind = Schema.Literals(["start", "stop"])
export type JobKind = typeof JobKind.Type

export const StopReason = Schema.Literals(["orphan_cleanup", "cancelled", "finished", "admin_request", "timeout"])
export type StopReason = typeof StopReason.Type

/** A job as it was decoded from its stream entry; identified by (`stream`, `life`, `entryId`) for ever. */
export interface JobEntry {
  readonly kind: JobKind
  readonly stream: string
  /** Of the stream: lost with it, so that an entry id that is used again is another job. */
  readonly life: string
  readonly entryId: string
}

export interface StartWish {
  readonly kind: "start"
  readonly gameId: GameId
  readonly imageRef: string
  /** undefined: the row's own, else `never`. */
  readonly restartPolicy: RestartPolicy | undefined
  /** undefined: the row's own, else `{}`. */
  readonly spec: Readonly<Record<string, unknown>> | undefined
}

export interface StopWish {
  readonly kind: "stop"
  readonly gameId: GameId
  readonly reason: StopReason
}

/**
 * What intake hands to the store for one entry: a wish to write as desired state, or a refusal to answer at once.
 * `dead` adds the entry to `runtime:dead_jobs` with the raw fields given here.
 */
export type JobIntake =
  & JobEntry
  & (
    | { readonly _tag: "Wish"; readonly wish: StartWish | StopWish; readonly payload: Readonly<Record<string, string>> }
    | {
      readonly _tag: "Refused"
      /** As the entry had it, cut to 51 characters; empty when it had none. */
      readonly gameId: string
      readonly failure: Failure
      readonly payload: Readonly<Record<string, string>>
      readonly dead: boolean
      /** Set when the failure is told as `runtime.start_config_invalid` too. */
      readonly imageRef: string | undefined
    }
  )

/** A job that was taken and has no result yet. */
export interface PendingJob {
  readonly id: number
  readonly kind: JobKind
  readonly entryId: string
  /** Generation of the row once the wish was written; null when there was no row to write it to. */
  readonly generation: number | null
}

/** The one result of a job. A failure never carries a container id, an endpoint or ports. */
export interface JobResult {
  readonly outcome: "success" | "failure"
  readonly containerId: string
  readonly engineEndpoint: string
  readonly ports: ReadonlyArray<PublishedPort>
  readonly errorCode: ErrorCode | ""
  readonly errorMessage: string
}
