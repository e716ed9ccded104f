/**
 * A record whose times lie in the future, as far as they can by themselves: the clock was set back since they were written. The
 * future counts as now, and nothing waits for longer than it would from now on. Pure.
 */
import type { Observation } from "../../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { hasObserved } from "../../../src/domain/RuntimeRecord.ts"
import { longestWaitMs } from "./restart.ts"
import { type Finding, record } from "./step.ts"

/** The record as if each of its times had been written by now; the same one where nothing is wrong. */
export const writtenBy = (before: RuntimeRecord, seen: Observation): RuntimeRecord => {
  const { desired, nowMs } = seen
  const { nextRestartAtMs, stoppedAtMs, stopping } = before
  // A row that says something new may have another curve, and begins anew at once.
  const dueByMs = desired !== null && !hasObserved(before, desired) ? Infinity : nowMs + longestWaitMs(seen, before)
  const isSound = !(stoppedAtMs !== null && stoppedAtMs > nowMs) && !(nextRestartAtMs !== null && nextRestartAtMs > dueByMs) &&
    !(stopping !== null && Math.max(stopping.sinceMs, stopping.signalledAtMs ?? 0) > nowMs)
  return isSound ? before : {
    ...before,
    stoppedAtMs: stoppedAtMs && Math.min(stoppedAtMs, nowMs),
    nextRestartAtMs: nextRestartAtMs && Math.min(nextRestartAtMs, dueByMs),
    stopping: stopping && {
      ...stopping,
      sinceMs: Math.min(stopping.sinceMs, nowMs),
      signalledAtMs: stopping.signalledAtMs && Math.min(stopping.signalledAtMs, nowMs)
    }
  }
}

export const clockSetBack = (seen: Observation): Finding | undefined => {
  const before = seen.record
  if (before === null || before.status === "removed") return undefined
  const { nextRestartAtMs, stoppedAtMs, stopping } = writtenBy(before, seen)
  const isSound = nextRestartAtMs === before.nextRestartAtMs && stoppedAtMs === before.stoppedAtMs && stopping === before.stopping
  return isSound ? undefined : record(seen, "ClockSetBack", { record: { nextRestartAtMs, stoppedAtMs, stopping } })
}
