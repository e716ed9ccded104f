/** Desired state: a game's row in `games`. People and programs write it; the controller only reads it. */
import { Schema } from "effect"
import type { GameId } from "./GameId.ts"

export const DesiredState = Schema.Literals(["running", "stopped", "removed"])
export type DesiredState = typeof DesiredState.Type

/**
 * What happens when the container exits or disappears.
 *
 * `always`: started again. `on_failure`: started again after a non-zero exit, an OOM kill or a disappearance.
 * `never`: left as it is; one start attempt per generation or start job.
 */
export const RestartPolicy = Schema.Literals(["always", "on_failure", "never"])
export type RestartPolicy = typeof RestartPolicy.Type

export interface Game {
  readonly gameId: GameId
  readonly state: DesiredState
  readonly imageRef: string
  readonly restartPolicy: RestartPolicy
  /** As stored: decoded with `decodeSpec` where it is used, because the database lets in what the Schema refuses. */
  readonly spec: unknown
  /** Set where the spec is too large to be read; `spec` is none then. */
  readonly specBytes?: number
  /** Bumped by a trigger whenever what is desired changes. Starts at 1. */
  readonly generation: number
  /** Of all that the row asks for: equal for equal wishes, whatever the generation. */
  readonly desiredHash: string
  /** Somebody asked for a restart in place, at that time or for then. It is no part of what is desired. */
  readonly restartRequestedAtMs: number | null
}
