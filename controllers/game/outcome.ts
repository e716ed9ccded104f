/** What an act on the engine makes known. Pure: (what was seen, the act, how it ended) to the commit. */
import type { Commit } from "../../src/domain/Commit.ts"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { ObservedContainer } from "../../src/domain/Observation.ts"
import { commitOf, replacing } from "./commit.ts"
import { removal, started, startKind } from "./facts.ts"
import type { Action } from "./step.ts"
import { startFailed } from "./row.ts"
import type { View } from "./view.ts"

/** How an act ended. An act whose end is unknown has no outcome: it failed as a whole, and the next look tells. */
export type Outcome =
  | { readonly _tag: "Started"; readonly container: ObservedContainer }
  | { readonly _tag: "StartFailed"; readonly failure: Failure; readonly containerId?: string }
  /** The image is being pulled in the background; the game is looked at again when that ends. */
  | { readonly _tag: "Pulling" }
  | { readonly _tag: "Signalled" }
  | { readonly _tag: "Removed" }
  | { readonly _tag: "Done" }

/** undefined: nothing to make known, the engine's state says it all. */
export const outcomeCommit = (seen: View, action: Action, outcome: Outcome, startedAtMs: number): Commit | undefined => {
  switch (outcome._tag) {
    case "Started": {
      const kind = startKind(seen, action._tag === "Start" && seen.record?.currentContainerId === outcome.container.id)
      return commitOf(seen, started(seen, outcome.container, { kind, startedAtMs }))
    }
    case "StartFailed": {
      const { failure, containerId } = outcome
      return commitOf(seen, startFailed(seen, failure, { startedAtMs, ...(containerId ? { containerId } : {}) }))
    }
    case "Signalled":
      return commitOf(seen, {
        record: { stoppingSinceMs: seen.nowMs },
        ...(action._tag === "Replace" ? { progress: replacing } : {})
      })
    case "Removed":
      return action._tag !== "Create" && action.container.id === seen.record?.currentContainerId
        ? commitOf(seen, removal(seen, action.container.id, action._tag === "Remove" ? action.because : "leftover"))
        : undefined
    case "Pulling":
    case "Done":
      return undefined
  }
}
