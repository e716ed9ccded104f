/** What an act on the engine makes known. Pure: (what was seen, the act, how it ended) to the change. */
import type { Commit } from "../../../src/domain/Commit.ts"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { FoundContainer, Observation } from "../../../src/domain/Observation.ts"
import type { Action } from "../decide/step.ts"
import { assessContainer } from "../observe/assess.ts"
import type { Change } from "./change.ts"
import { commitOf } from "./commit.ts"
import { containerGone } from "./gone.ts"
import { actRefused, attemptFailed, began, signalSent, startKind } from "./transition.ts"

/** How an act ended. An act whose end is unknown has no outcome: it failed as a whole, and the next look tells. */
export type Outcome =
  | { readonly _tag: "Started"; readonly container: FoundContainer }
  | { readonly _tag: "StartFailed"; readonly failure: Failure; readonly containerId?: string }
  /** The image is being asked for in the background; the game is looked at again when that ends. */
  | { readonly _tag: "Fetching" }
  /** `refusal`: the engine does not know the signal, in its own words; the grace runs all the same. */
  | { readonly _tag: "Signalled"; readonly refusal?: string }
  | { readonly _tag: "Removed" }
  /** The engine has answered with the same refusal for a while; it is asked again, less often. */
  | { readonly _tag: "Refused"; readonly failure: Failure }
  | { readonly _tag: "Done" }

/** undefined: nothing to make known, the engine's state says it all. */
export const outcomeChange = (seen: Observation, action: Action, outcome: Outcome, startedAtMs: number): Change | undefined => {
  switch (outcome._tag) {
    case "Started": {
      const container = assessContainer(outcome.container, seen.target, seen.record)
      const kind = startKind(seen, action._tag === "Start" && seen.record?.currentContainerId === container.id)
      return began(seen, container, { kind, startedAtMs })
    }
    case "StartFailed": {
      const { containerId, failure } = outcome
      return attemptFailed(seen, failure, { startedAtMs, ...(containerId ? { containerId } : {}) })
    }
    case "Signalled":
      return signalSent(seen, outcome.refusal)
    case "Removed":
      return "container" in action && action.container.id === seen.record?.currentContainerId
        ? containerGone(seen, action.container.id, { _tag: "Removed", mode: action._tag === "Remove" ? action.mode : "leftover" })
        : undefined
    case "Refused":
      return actRefused(seen, action._tag, outcome.failure)
    case "Fetching":
    case "Done":
      return undefined
  }
}

export const outcomeCommit = (seen: Observation, action: Action, outcome: Outcome, startedAtMs: number): Commit | undefined => {
  const change = outcomeChange(seen, action, outcome, startedAtMs)
  return change && commitOf(seen, change)
}
