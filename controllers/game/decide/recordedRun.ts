/** What happened to the recorded container since the record was written. Each fact is told once. */
import { isRunning, type Observation } from "../../../src/domain/Observation.ts"
import { began, containerGone, ended, ranTarget, startKind } from "../record/transition.ts"
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
  const makesRoom = isExchanging(seen) || record.lastErrorCode !== null || !ranTarget(seen)
  return makesRoom && startDueAtMs(seen) <= seen.nowMs ? "replaced" : undefined
}

/** Recorded as running, but it ended. */
export const recordedRunEnded = (seen: Observation): Finding | undefined => {
  const { main, record: before } = seen
  if (before?.status !== "running" || main === undefined || !mainIsRecorded(seen) || isRunning(main)) return undefined
  // On its way out: its end is not known yet.
  if (main.state === "removing" && main.exit === null) return undefined
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
