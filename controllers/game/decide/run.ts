/** A game whose row says `running`: is it what the row asks for, and what is the next step towards it. */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import { isRunning, type Observation, type ObservedContainer, type PullState, type Target } from "../../../src/domain/Observation.ts"
import { hasObserved } from "../../../src/domain/RuntimeRecord.ts"
import { specProblemText } from "../record/conditions.ts"
import { operation } from "../record/operations.ts"
import { attemptFailed, exchangeBegun, noFailure, observing } from "../record/transition.ts"
import { atRest } from "./atRest.ts"
import { hasNewWish } from "./jobs.ts"
import { startDueAtMs, startWanted } from "./restart.ts"
import { act, type Finding, record, wait } from "./step.ts"

/** The row's spec cannot be carried out: whatever runs is left alone. */
export const rowIsInvalid = (seen: Observation): Finding | undefined => {
  const { desired, record: before } = seen
  if (desired?.state !== "running" || desired.problem === null) return undefined
  // Not by the generation alone: a release may refuse what an earlier one let pass.
  const told = before?.lastErrorCode === "start_config_invalid" && hasObserved(before, desired)
  if (told && !hasNewWish(seen)) return (isRunning(seen.main) ? undefined : atRest(seen)) ?? wait("SpecInvalid", null)
  const failure: Failure = { code: "start_config_invalid", reason: "SpecInvalid", message: specProblemText(desired.problem) }
  return record(seen, "SpecInvalid", {
    record: {
      ...observing(desired),
      nextRestartAtMs: null,
      lastErrorCode: failure.code,
      lastErrorReason: failure.reason,
      lastErrorMessage: failure.message,
      rollout: null,
      restartingSinceMs: null
    },
    operations: [operation(seen, "start", { failure })],
    failure: { failure, tell: !told }
  })
}

export const containerPaused = (seen: Observation): Finding | undefined =>
  seen.desired?.state === "running" && seen.main?.state === "paused" ? act("Paused", { _tag: "Unpause", container: seen.main }) : undefined

/** What runs is not the target: its image comes first, then the intent, then the signal. */
export const runsOtherThanWanted = (seen: Observation): Finding | undefined => {
  const { desired, main, pull, target } = seen
  if (desired?.state !== "running" || target === null || !isRunning(main) || main!.runsWanted) return undefined
  if (pull._tag === "Pulling") return pulling(target)
  if (pull._tag === "Failed") return imageFailed(seen, pull.failure)
  if (pull._tag === "Pulled") return { ...record(seen, "RowChanged", exchangeBegun(seen)), beginsExchange: true }
  if (!hasNewWish(seen)) {
    const dueInMs = startDueAtMs(seen) - seen.nowMs
    if (dueInMs > 0) return wait("BackOff", dueInMs)
    if (seen.record?.lastErrorCode != null && desired.restartPolicy === "never") return wait("ReplacementFailed", null)
  }
  return act("RowChanged", { _tag: "FetchImage", target })
}

/** It runs as wanted; the record does not say so yet. */
export const runsAsWanted = (seen: Observation): Finding | undefined => {
  const { desired, main, record: before, target } = seen
  if (desired?.state !== "running" || target === null || !isRunning(main)) return undefined
  const lags = before === null || !hasObserved(before, desired) || before.lastErrorCode !== null || before.rollout !== null
  return lags
    ? record(seen, "RowChangedInPlace", {
      record: { ...observing(desired), specHash: target.specHash, rollout: null, ...noFailure }
    })
    : undefined
}

/** Nothing runs, and a start is wanted, now or later. */
export const startDue = (seen: Observation): Finding | undefined => {
  const { main, pull, target } = seen
  if (seen.desired?.state !== "running" || target === null || isRunning(main) || !startWanted(seen)) return undefined
  if (pull._tag === "Pulling") return pulling(target)
  const dueInMs = startDueAtMs(seen) - seen.nowMs
  if (dueInMs > 0) return wait("BackOff", dueInMs)
  if (pull._tag === "Failed") return imageFailed(seen, pull.failure)
  return main === undefined ? make(seen, target) : startOrMakeRoom(seen, main, target)
}

/** A present image is used as it is, without asking anybody: that it is missing, the create itself says. */
const make = ({ pull }: Observation, target: Target): Finding =>
  target.pullPolicy === "always" && pull._tag !== "Pulled"
    ? act("StartWanted", { _tag: "FetchImage", target })
    : act("StartWanted", { _tag: "Create", target })

/**
 * A container that can run the target is started again; another one gives up its name, once the image is there. An image that is
 * always asked for is asked for here too: where its name means another one by now, the container is made anew.
 */
const startOrMakeRoom = ({ pull }: Observation, main: ObservedContainer, target: Target): Finding => {
  if (main.runsWanted && main.startError === "" && main.state !== "dead") {
    if (target.pullPolicy === "always" && pull._tag !== "Pulled") return act("StartWanted", { _tag: "FetchImage", target })
    return isOfOtherImage(main, pull)
      ? act("StartWanted", { _tag: "Remove", container: main, mode: "replaced" })
      : act("StartWanted", { _tag: "Start", container: main })
  }
  if (main.runsWanted) return act("StartWanted", { _tag: "Remove", container: main, mode: "leftover" })
  return pull._tag === "Pulled"
    ? act("StartWanted", { _tag: "Remove", container: main, mode: "replaced" })
    : act("StartWanted", { _tag: "FetchImage", target })
}

const isOfOtherImage = ({ imageId }: ObservedContainer, pull: PullState): boolean =>
  pull._tag === "Pulled" && pull.imageId !== null && imageId !== null && pull.imageId !== imageId

const pulling = (target: Target): Finding =>
  wait("PullingImage", null, { progress: { status: "True", reason: "PullingImage", message: `pulling ${target.imageRef}` } })

const imageFailed = (seen: Observation, failure: Failure): Finding => record(seen, "ImagePullFailed", attemptFailed(seen, failure))
