/** Observe, plan, apply, record: one step for one game. The only door to a game. No fibers, no sleeps, no retries inside. */
import { Clock, Effect } from "effect"
import type { Commit } from "../../src/domain/Commit.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { ContainerEngine, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../src/engine/ImagePuller.ts"
import { Store, type StoreError } from "../../src/store/Store.ts"
import { apply, type ApplyOptions } from "./apply.ts"
import { observe } from "./observe.ts"
import { outcomeCommit } from "./outcome.ts"
import { plan } from "./plan.ts"
import type { Action } from "./step.ts"
import { type Settings, type View, view } from "./view.ts"
import type { Observation } from "../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"

/** `Again`: another step may be due now. `RequeueAfter`: look again then. `Done`: until something happens. */
export type ReconcileOutcome =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Again" }
  | { readonly _tag: "RequeueAfter"; readonly ms: number }

export interface ReconcileOptions extends ApplyOptions {
  readonly settings: Settings
  /** The engine that answers now; a change of it must be noticed before a 404 is believed. */
  readonly engineId: Effect.Effect<string, EngineError>
}

export const reconcile = Effect.fnUntraced(function*(gameId: GameId, options: ReconcileOptions): Effect.fn.Return<
  ReconcileOutcome,
  EngineError | StoreError,
  Store | ContainerEngine | ImagePuller
> {
  const seen = yield* observe(gameId, yield* options.engineId)
  const decided = plan(seen, options.settings, yield* Clock.currentTimeMillis)
  if (decided.report) yield* Effect.logWarning(decided.report)
  // Of an image that nobody wants any more, nothing is pulled to its end.
  if (seen.desired?.state !== "running") yield* (yield* ImagePuller).release(gameId)
  switch (decided.step._tag) {
    case "Wait":
      yield* Effect.logDebug(decided.reason)
      return decided.step.againMs === null ? doneForNow : { _tag: "RequeueAfter", ms: decided.step.againMs }
    case "Record":
      yield* (yield* Store).commit(decided.step.commit)
      yield* releasePull(seen, decided.step.commit)
      yield* Effect.logInfo(decided.reason)
      // An answer to a job that changed nothing leaves nothing to look at again.
      return decided.reason === "AlreadySo" && seen.record?.status === "running" ? doneForNow : again
    case "Act":
      yield* Effect.logInfo(decided.reason, { action: decided.step.action._tag })
      return yield* act(seen, decided.step.action, options)
  }
})

const doneForNow: ReconcileOutcome = { _tag: "Done" }
const again: ReconcileOutcome = { _tag: "Again" }

const act = Effect.fnUntraced(function*(seen: Observation, action: Action, options: ReconcileOptions) {
  const startedAtMs = yield* Clock.currentTimeMillis
  const game: View = view(seen, options.settings, startedAtMs)
  const outcome = yield* apply(game, action, options)
  const nowMs = yield* Clock.currentTimeMillis
  const commit = outcomeCommit({ ...game, nowMs }, action, outcome, startedAtMs)
  if (commit) yield* (yield* Store).commit(commit)
  yield* releasePull(seen, commit)
  if (outcome._tag === "Started" && outcome.container.state === "running") return doneForNow
  // A kill ends with the container's `die`; should that event be missed, look again soon.
  return action._tag === "Kill" ? killed : again
})

const killed: ReconcileOutcome = { _tag: "RequeueAfter", ms: 1000 }

/** What a pull ended with is used up by the attempt it was made for, from the first step to the last: the next asks anew. */
const releasePull = Effect.fnUntraced(function*({ gameId, pull }: Observation, commit: Commit | undefined) {
  if (pull._tag === "Failed" || (pull._tag === "Pulled" && isAttempted(commit?.record ?? null))) yield* (yield* ImagePuller).release(gameId)
})

const isAttempted = (record: RuntimeRecord | null): boolean =>
  record !== null && (record.status === "running" ? record.stoppingSinceMs === null : record.lastErrorCode !== null)
