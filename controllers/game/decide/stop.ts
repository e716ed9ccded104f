/** A game that is to end: by its row, or because another container takes its place. The intent is recorded before the signal. */
import { isRunning, type Observation, type ObservedContainer } from "../../../src/domain/Observation.ts"
import { hasObserved } from "../../../src/domain/RuntimeRecord.ts"
import { cleanSlate, observing, stoppingBegun } from "../record/transition.ts"
import { atRest } from "./atRest.ts"
import { act, type Finding, record, wait } from "./step.ts"
import { mainIsRecorded } from "./unrecorded.ts"

/** The main container, unless it was made by hand and no record names it: then it is not ours to end. */
const own = (seen: Observation): ObservedContainer | undefined => seen.main?.ours || mainIsRecorded(seen) ? seen.main : undefined

/** A stop was begun: it is carried to its end whatever the row says by now, for a signal cannot be taken back. */
export const stopBegun = (seen: Observation): Finding | undefined => {
  const container = own(seen)
  const stopping = seen.record?.stopping
  if (container === undefined || !isRunning(container) || stopping == null) return undefined
  if (stopping.signalledAtMs === null) return act("Stopping", { _tag: "Signal", container, signal: container.stopSignal })
  const leftMs = stopping.signalledAtMs + graceMs(seen, container) - seen.nowMs
  const { refused = null } = seen.record ?? {}
  return leftMs > 0 ? wait("Stopping", leftMs, refused ? { refused } : {}) : act("GraceIsOver", { _tag: "Kill", container })
}

/**
 * What a container was made with is what ends it: its row may ask for another program by now. Only a row that asks for this very
 * container has the newer word, for a changed grace makes no new one.
 */
const graceMs = ({ desired, target, timing }: Observation, container: ObservedContainer): number => {
  const wanted = target?.stopGraceMs ?? timing.stopGraceMs
  return container.runsWanted && desired?.problem === null ? wanted : container.stopGraceMs ?? wanted
}

export const rowSaysRemoved = (seen: Observation): Finding | undefined => {
  if (seen.desired?.state !== "removed") return undefined
  const main = own(seen)
  if (isRunning(main)) return record(seen, "RemovalWanted", stoppingBegun(seen, "row"))
  if (main !== undefined) return act("RemovalWanted", { _tag: "Remove", container: main, mode: "removed" })
  // `removed` is reached from `stopped` only: a game that never ran passes through it.
  return seen.record === null
    ? record(seen, "RemovalWanted", { record: { status: "stopped" } })
    : record(seen, "RemovalWanted", {
      record: {
        status: "removed",
        ...cleanSlate,
        removedAtMs: seen.nowMs,
        stopping: null,
        ...observing(seen.desired)
      }
    })
}

export const rowSaysStopped = (seen: Observation): Finding | undefined => {
  const { desired, main, record: before } = seen
  if (desired?.state !== "stopped") return undefined
  if (isRunning(main)) return record(seen, "StopWanted", stoppingBegun(seen, "row"))
  const isSettled = before !== null && hasObserved(before, desired) && before.lastErrorCode === null &&
    before.nextRestartAtMs === null && before.stopping === null && before.rollout === null && before.restartingSinceMs === null
  if (isSettled) return atRest(seen)
  return record(seen, "StopWanted", {
    record: { status: "stopped", ...observing(desired), stopping: null, rollout: null, ...cleanSlate }
  })
}
