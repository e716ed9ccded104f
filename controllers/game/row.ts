/** Rules that take one step from what is so towards what the row says. They come after the facts are made known. */
import type { Failure } from "../../src/domain/ErrorCode.ts"
import { isRunning, type ObservedContainer } from "../../src/domain/Observation.ts"
import { notAdoptable, rowFor } from "./adoption.ts"
import { type Change, cleanSlate, noFailure, operation, specProblemText } from "./commit.ts"
import { act, type Plan, record, wait } from "./step.ts"
import {
  backoffMs, conditionOf, isReachable, isReplacing, mainIsRecorded, retentionLeftMs, startDueAtMs, startWanted, stopGraceMs, type View
} from "./view.ts"

export const missing = (seen: View): Plan | undefined => {
  if (seen.desired !== null) return undefined
  // The row was lost, but the game is there, and a stop job is somebody's word for it.
  if (seen.jobs.length > 0 && mainIsRecorded(seen) && notAdoptable(seen) === undefined) {
    return record(seen, "NoRow", { adopt: rowFor(seen.main!, "stopped"), record: { observedGeneration: 0 } })
  }
  return wait(seen, "NoRow", null, {
    refusal: { code: "not_found", reason: "NoRow", message: `there is no game ${seen.gameId}` }
  })
}

/** Another container of ours beside the main one must go, for two would write one volume; others are reported. */
export const strays = (seen: View): Plan | undefined => {
  const stray = seen.strays.find((container) => container.ours && isReachable(container))
  if (stray === undefined) return undefined
  return isRunning(stray)
    ? act("StrayRunning", { _tag: "Kill", container: stray })
    : act("Stray", { _tag: "Remove", container: stray, because: "stray" })
}

/** The main container, unless it was made by hand and no record names it: then it is not ours to end. */
const own = (seen: View): ObservedContainer | undefined => seen.main?.ours || mainIsRecorded(seen) ? seen.main : undefined

/** Carries a stop to its end even when the row changed its mind: a game that was told to end is no running game. */
export const stopping = (seen: View): Plan | undefined => {
  const container = own(seen)
  const since = seen.record?.stoppingSinceMs
  if (container === undefined || !isRunning(container) || since == null) return undefined
  const leftMs = since + stopGraceMs(seen) - seen.nowMs
  return leftMs > 0 ? wait(seen, "Stopping", leftMs) : act("GraceIsOver", { _tag: "Kill", container })
}

export const removed = (seen: View): Plan | undefined => {
  if (seen.desired?.state !== "removed") return undefined
  const main = own(seen)
  if (isRunning(main)) return act("RemovalWanted", { _tag: "Stop", container: main! })
  if (main !== undefined) return act("RemovalWanted", { _tag: "Remove", container: main, because: "removed" })
  // `removed` is reached from `stopped` only: a game that never ran passes through it.
  return seen.record === null
    ? record(seen, "RemovalWanted", { record: { status: "stopped" } })
    : record(seen, "RemovalWanted", {
      record: {
        status: "removed",
        ...cleanSlate,
        removedAtMs: seen.nowMs,
        stoppingSinceMs: null,
        observedGeneration: seen.desired.generation
      }
    })
}

export const stopped = (seen: View): Plan | undefined => {
  const { desired, main, record: before } = seen
  if (desired?.state !== "stopped") return undefined
  if (isRunning(main)) return act("StopWanted", { _tag: "Stop", container: main! })
  const isSettled = before !== null && before.observedGeneration >= desired.generation && before.lastErrorCode === null &&
    before.nextRestartAtMs === null && conditionOf(before, "Progressing")?.status !== "True"
  if (isSettled) return atRest(seen)
  return record(seen, "StopWanted", {
    record: { status: "stopped", observedGeneration: desired.generation, stoppingSinceMs: null, ...cleanSlate }
  })
}

export const invalid = (seen: View): Plan | undefined => {
  const problem = seen.desired?.problem
  if (!problem || seen.desired?.state !== "running") return undefined
  // Not by the generation alone: a release may refuse what an earlier one let pass.
  const told = seen.record?.lastErrorCode === "start_config_invalid" && seen.record.observedGeneration >= seen.desired.generation
  if (told && !seen.newWish) return (isRunning(seen.main) ? undefined : atRest(seen)) ?? wait(seen, "SpecInvalid", null)
  const failure: Failure = {
    code: "start_config_invalid",
    reason: "SpecInvalid",
    message: specProblemText(problem)
  }
  return record(seen, "SpecInvalid", {
    record: {
      observedGeneration: seen.desired.generation,
      nextRestartAtMs: null,
      lastErrorCode: failure.code,
      lastErrorReason: failure.reason,
      lastErrorMessage: failure.message
    },
    operations: [operation(seen, "start", { failure })],
    failure: { failure, tell: !told }
  })
}

export const running = (seen: View): Plan | undefined => {
  if (seen.desired?.state !== "running") return undefined
  if (isRunning(seen.main)) return runs(seen, seen.main!)
  if (seen.pull._tag === "Pulling" && startWanted(seen)) return pulling(seen)
  if (!startWanted(seen)) return undefined
  const dueInMs = startDueAtMs(seen) - seen.nowMs
  if (dueInMs > 0) return wait(seen, "BackOff", dueInMs)
  return begin(seen, seen.main)
}

/** A running game: is it what the row asks for? */
const runs = (seen: View, main: ObservedContainer): Plan | undefined => {
  if (main.state === "paused") return act("Paused", { _tag: "Unpause", container: main })
  if (!main.runsWanted) return exchange(seen, main)
  const lags = seen.record === null || seen.record.observedGeneration < seen.desired!.generation
  return lags || seen.record?.lastErrorCode != null
    ? record(seen, "RowChangedInPlace", {
      record: { observedGeneration: seen.desired!.generation, specHash: seen.desired!.specHash, ...noFailure }
    })
    : undefined
}

const exchange = (seen: View, main: ObservedContainer): Plan => {
  if (seen.pull._tag === "Pulling") return pulling(seen)
  if (seen.pull._tag === "Failed") return imageFailed(seen, seen.pull.failure)
  if (!seen.newWish && seen.pull._tag === "None") {
    const dueInMs = startDueAtMs(seen) - seen.nowMs
    if (dueInMs > 0) return wait(seen, "BackOff", dueInMs)
    const failed = seen.record?.lastErrorCode != null
    if (failed && seen.desired?.restartPolicy === "never") return wait(seen, "ReplacementFailed", null)
  }
  return act("RowChanged", { _tag: "Replace", container: main })
}

/** Nothing runs and a start is due. */
const begin = (seen: View, main: ObservedContainer | undefined): Plan => {
  if (seen.pull._tag === "Failed") return imageFailed(seen, seen.pull.failure)
  if (main === undefined) return act("StartWanted", { _tag: "Create" })
  return main.runsWanted && main.startError === "" && main.state !== "dead"
    ? act("StartWanted", { _tag: "Start", container: main })
    : act("StartWanted", { _tag: "Remove", container: main, because: main.runsWanted ? "leftover" : "replaced" })
}

const pulling = (seen: View): Plan =>
  conditionOf(seen.record, "Progressing")?.reason === "PullingImage" || isReplacing(seen)
    ? wait(seen, "PullingImage", null)
    : record(seen, "PullingImage", {
      progress: { status: "True", reason: "PullingImage", message: `pulling ${seen.desired?.imageRef}` }
    })

const imageFailed = (seen: View, failure: Failure): Plan =>
  record(seen, "ImagePullFailed", startFailed(seen, failure, {}))

/**
 * The change that a failed attempt makes known. `never` tries no more; other policies wait, and people are told again
 * only when the reason is another one.
 */
export const startFailed = (
  seen: View,
  failure: Failure,
  detail: { readonly containerId?: string; readonly startedAtMs?: number }
): Change => {
  const before = seen.record
  const sameWish = before !== null && before.observedGeneration === seen.desired?.generation
  const again = sameWish && before.lastErrorCode === failure.code && before.lastErrorReason === failure.reason
  const count = sameWish ? before.failureCount : 0
  return {
    record: {
      observedGeneration: seen.desired?.generation ?? 0,
      failureCount: count + 1,
      lastErrorCode: failure.code,
      lastErrorReason: failure.reason,
      lastErrorMessage: failure.message,
      nextRestartAtMs: seen.desired?.restartPolicy === "never" ? null : seen.nowMs + retryMs(seen, failure, count)
    },
    operations: [operation(seen, "start", { failure, ...detail })],
    failure: { failure, tell: !again || seen.jobs.some((job) => job.kind === "start") }
  }
}

/** A name that somebody else holds comes free without an event that we would see: look often. */
const heldNameMaxMs = 10_000

const retryMs = (seen: View, failure: Failure, count: number): number => {
  const waitMs = backoffMs(seen.settings.backoff, count)
  return failure.reason === "NameTaken" ? Math.min(waitMs, heldNameMaxMs) : waitMs
}

/** It ended and its policy does not start it again. */
export const finished = (seen: View): Plan | undefined =>
  seen.desired?.state === "running" && !isRunning(seen.main) ? atRest(seen) : undefined

/** A game at rest keeps its container for the retention time; one that never ran leaves none. */
const atRest = (seen: View): Plan | undefined => {
  const { main, record: before } = seen
  if (main === undefined) return undefined
  if (main.id !== before?.currentContainerId) {
    return main.ours ? act("Leftover", { _tag: "Remove", container: main, because: "leftover" }) : undefined
  }
  if (seen.jobs.length > 0) return undefined
  const leftMs = retentionLeftMs(seen)
  return leftMs <= 0
    ? act("RetentionIsOver", { _tag: "Remove", container: main, because: "retention" })
    : wait(seen, "Retained", Math.min(leftMs, 86_400_000))
}
