/**
 * The restart policy: which end of a run it starts again after, and when. Pure.
 *
 * An exit code of 137 (128 + SIGKILL) is a failure like any other non-zero one; a kill of the game itself for want of memory is a
 * kind of its own (`oom`). A game whose child was killed for it ended with the exit code that it ended with. An end that was asked for is not the policy's business: see `ended` in record/transition.ts.
 */
import type { RestartPolicy } from "../../../src/domain/Game.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { backoffMs, curveOf } from "./backoff.ts"
import { hasNewWish } from "./jobs.ts"

/** How the last run ended, or that the last start failed. */
export type RunEnd = "ended well" | "ended badly" | "oom" | "end unknown" | "start failed"

/** Whether the policy alone, without a new wish, starts the game again. Point 6 of docs/contract.md, as a table. */
export const startsAgain: Readonly<Record<RestartPolicy, Readonly<Record<RunEnd, boolean>>>> = {
  always: { "ended well": true, "ended badly": true, oom: true, "end unknown": true, "start failed": true },
  on_failure: { "ended well": false, "ended badly": true, oom: true, "end unknown": true, "start failed": true },
  never: { "ended well": false, "ended badly": false, oom: false, "end unknown": false, "start failed": false }
}

type End = Pick<RuntimeRecord, "exitCode" | "oomKilled" | "failureCount" | "finalExit">

/** An exit code that the engine lost, and a game that never ran, have no known end. */
export const runEnd = ({ exitCode, failureCount, oomKilled }: Omit<End, "finalExit">): RunEnd =>
  failureCount > 0 ? "start failed" : oomKilled ? "oom" : exitCode === null ? "end unknown" : exitCode === 0 ? "ended well" : "ended badly"

/** Whether the policy alone keeps the game running, after a run that ended like `end`. */
const keepsRunning = ({ desired }: Observation, end: End): boolean =>
  desired?.state === "running" && desired.problem === null && !end.finalExit && startsAgain[desired.restartPolicy][runEnd(end)]

const noEnd: End = { exitCode: null, oomKilled: false, failureCount: 0, finalExit: false }

/** Whether a start is due now or later. */
export const startWanted = (seen: Observation): boolean =>
  seen.desired?.state === "running" && seen.desired.problem === null && seen.record?.status !== "removed" &&
  (hasNewWish(seen) || keepsRunning(seen, seen.record ?? noEnd) || isExchanging(seen) || isRestarting(seen))

/** Its container is being exchanged for one that runs what the row says now. */
export const isExchanging = ({ desired, record }: Observation): boolean => desired?.state === "running" && record !== null && record.rollout !== null

/** Its container is being restarted in place, as somebody asked for. */
export const isRestarting = ({ desired, record }: Observation): boolean => desired?.state === "running" && record !== null && record.restartingSinceMs !== null

/** When the next start may be tried; now for a new wish. */
export const startDueAtMs = (seen: Observation): number => hasNewWish(seen) ? seen.nowMs : seen.record?.nextRestartAtMs ?? seen.nowMs

/** An exit code on which its row never restarts it; one that the engine lost is none. */
export const isFinalExit = ({ target }: Observation, exitCode: number | null): boolean => exitCode !== null && target !== null && target.neverOn.includes(exitCode)

/** A name that somebody else holds comes free without an event that we would see: look often. */
const heldNameMaxMs = 10_000

/** When a start that failed for `reason`, after `failures` others in a row, is tried again; null: never. */
export const retryAtMs = (seen: Observation, reason: string, failures: number): number | null => {
  if (seen.desired?.restartPolicy === "never") return null
  const waitMs = backoffMs(seen, failures)
  return seen.nowMs + (reason === "NameTaken" ? Math.min(waitMs, heldNameMaxMs) : waitMs)
}

/** The longest that `nextRestartAtMs` of its record can lie ahead when it is written. */
export const longestWaitMs = (seen: Observation, { failureCount, lastErrorReason, restartCount }: RuntimeRecord): number => {
  const waitMs = Math.max(backoffMs(seen, failureCount - 1), backoffMs(seen, restartCount))
  return failureCount > 0 && restartCount === 0 && lastErrorReason === "NameTaken" ? Math.min(waitMs, heldNameMaxMs) : waitMs
}

/** Counts restarts in a row: the first waits the base time, and a stable run begins the count anew. */
export const restartAfter = (
  seen: Observation,
  before: RuntimeRecord,
  end: End & { readonly endedAtMs: number }
): Pick<RuntimeRecord, "restartCount" | "nextRestartAtMs"> => {
  if (!keepsRunning(seen, end)) return { restartCount: 0, nextRestartAtMs: null }
  const upMs = end.endedAtMs - (before.startedAtMs ?? seen.nowMs)
  const count = upMs >= curveOf(seen).stableMs ? 0 : before.restartCount
  return { restartCount: count, nextRestartAtMs: seen.nowMs + backoffMs(seen, count) }
}
