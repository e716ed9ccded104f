/** A game that is over for good, and containers that are none of a game's business. */
import { isRunning, type Observation, type ObservedContainer } from "../../../src/domain/Observation.ts"
import { act, type Finding, record, wait } from "./step.ts"
import { mainIsRecorded, notAdoptable, rowFor } from "./unrecorded.ts"

export const removingAgainMs = 1000

/** Whether an act on it can succeed: the engine is not at work on it, and answers for it. */
const isReachable = (container: ObservedContainer): boolean => container.state !== "removing" && container.state !== "unresponsive"

/** The record is `removed`: what we made for it goes, what else carries its labels is reported. */
export const removedForGood = (seen: Observation): Finding | undefined => {
  if (seen.record?.status !== "removed") return undefined
  const own = seen.containers.find((container) => container.ours && isReachable(container))
  if (own && seen.desired?.state === "removed") {
    return act("LeftoverOfRemoved", isRunning(own) ? { _tag: "Kill", container: own } : { _tag: "Remove", container: own, mode: "stray" })
  }
  const names = seen.containers.map((container) => container.name).join(", ")
  return {
    ...wait("RemovedForGood", null),
    ...(names === "" ? {} : { report: `game ${seen.gameId} was removed, but container ${names} carries its labels; it is left alone` })
  }
}

/** The name stays taken until the engine is through with a removal; its `destroy` comes when it is. */
export const engineRemoving = (seen: Observation): Finding | undefined =>
  seen.main?.state === "removing" ? wait("Removing", removingAgainMs) : undefined

/** No row: absence is never an order. */
export const noRow = (seen: Observation): Finding | undefined => {
  if (seen.desired !== null) return undefined
  // The row was lost, but the game is there, and a stop job is somebody's word for it.
  if (seen.jobs.length > 0 && mainIsRecorded(seen) && notAdoptable(seen) === undefined) {
    return record(seen, "NoRow", { adopt: rowFor(seen.main!, "stopped"), record: { observedGeneration: 0 } })
  }
  return wait("NoRow", null, {}, { code: "not_found", reason: "NoRow", message: `there is no game ${seen.gameId}` })
}

/** Another container of ours beside the main one must go, for two would write one volume; others are reported. */
export const strayContainer = (seen: Observation): Finding | undefined => {
  const stray = seen.strays.find((container) => container.ours && isReachable(container))
  if (stray === undefined) return undefined
  return isRunning(stray)
    ? act("StrayRunning", { _tag: "Kill", container: stray })
    : act("Stray", { _tag: "Remove", container: stray, mode: "stray" })
}
