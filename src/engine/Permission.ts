/** Who may change something on the engine, and for how long: a controller that lost its lease changes nothing any more. */
import type { Effect } from "effect"
import { EngineError } from "./ContainerEngine.ts"

export interface Permission {
  /** Asked after a place was had and right before the call is sent: the last moment to refuse. */
  readonly guard: Effect.Effect<void, EngineError>
  /** Completes when the permission is lost: then nobody waits any longer for the answer to a change. */
  readonly lost: Effect.Effect<void>
}

export const notLeader = (operation: string): EngineError =>
  new EngineError({ operation, reason: "NotLeader", message: "this controller does not hold the lease any more" })
