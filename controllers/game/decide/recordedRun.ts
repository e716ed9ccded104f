/** What happened to the recorded container since the record was written. Each fact is told once. */
import { isRunning, type Observation, type ObservedContainer } from "../../../src/domain/Observation.ts"
import { containerGone } from "../record/gone.ts"
import { began, ended, ranTarget, startKind } from "../record/transition.ts"
import { retentionLeftMs } from "./atRest.ts"
import { isExchanging, startDueAtMs, startWanted } from "./restart.ts"
import { type Finding, record, type RemoveMode } from "./step.ts"
import { mainIsRecorded } from "./unrecorded.ts"

export const recordedContainerGone = (seen: Observation): Finding | undefined => {
  const before = seen.record
  if (seen.recorded !== "gone" || before === null || before.status === "removed") return undefined
  const id = before.currentContainerId!
  const mode = ownRemoval(seen)
  return mode === undefined
    ? record(seen, "ContainerDisappeared", containerGone(seen, id, { _tag: "NotFound" }))
    : record(seen, "RemovalCompleted", containerGone(seen, id, { _tag: "Removed", mode }))
}

/**
 * Why the controller itself would remove the recorded, stopped container now; undefined: it would not. Its absence is then
 * our own doing, cut short before it was recorded, and not a disappearance.
 */
const ownRemoval = (seen: Observation): RemoveMode | undefined => {
  const { desired, record } = seen
  if (record?.status !== "stopped" || desired === null) return undefined
  if (desired.state === "removed") return "removed"
  if (!startWanted(seen)) return retentionLeftMs(seen) <= 0 ? "retention" : undefined
  // For another image of the same name, as far as can be told: what a pull ended with is forgotten by a crash.
  const isAnotherImage = seen.target?.pullPolicy === "always" && (seen.pull._tag === "Pulled" || seen.pull._tag === "None")
  const makesRoom = isExchanging(seen) || record.lastErrorCode !== null || !ranTarget(seen) || isAnotherImage
  return makesRoom && startDueAtMs(seen) <= seen.nowMs ? "replaced" : undefined
}

/** A removal that takes longer than this is not waited for any more. */
const longestRemovalMs = 10_000

/**
 * A forced removal kills first. While it is under way it is no end of the game's own: when the container is gone it was taken away
 * while it ran, and whether somebody happened to look in between makes no difference.
 */
const isTakenAway = ({ nowMs }: Observation, { exit, state }: ObservedContainer): boolean =>
  state === "removing" && (exit === null || (exit.code === 137 && exit.finishedAtMs !== null && nowMs - exit.finishedAtMs < longestRemovalMs))

/** Recorded as running, but it ended. */
export const recordedRunEnded = (seen: Observation): Finding | undefined => {
  const { main, record: before } = seen
  if (before?.status !== "running" || main === undefined || !mainIsRecorded(seen) || isRunning(main)) return undefined
  if (isTakenAway(seen, main)) return undefined
  return record(seen, "ContainerEnded", ended(seen, main, before))
}

/** Recorded as stopped, or in an earlier run, but it runs. */
export const recordedContainerResumed = (seen: Observation): Finding | undefined => {
  const { main, record: before } = seen
  if (before === null || main === undefined || !mainIsRecorded(seen) || !isRunning(main)) return undefined
  const anotherRun = before.startedAtMs !== null && main.startedAtMs !== null && before.startedAtMs !== main.startedAtMs
  if (before.status === "running" && !anotherRun) return undefined
  const ownStart = before.status === "stopped" && startWanted(seen) && main.runsWanted
  return record(seen, "ContainerResumed", began(seen, main, {
    kind: before.status === "running" ? undefined : ownStart ? startKind(seen, true) : "reconcile_adopt"
  }))
}
