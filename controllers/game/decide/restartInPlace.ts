/**
 * A restart that somebody asked for (`restart_requested_at`): the running container is stopped and started again as it is, once. The intent
 * and which wish it is for are recorded before the signal, so no crash makes it two. It is no change of what is desired: a game that does not
 * run, or began to run since, has nothing to do for it, and one that is on its way to another revision goes there. Pure.
 */
import type { Game } from "../../../src/domain/Game.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { restartBegun } from "../record/transition.ts"
import { type Finding, record, wait } from "./step.ts"
import { mainIsRecorded } from "./unrecorded.ts"

const longestWaitMs = 86_400_000

/** Whether a restart is asked for that no run of it began after, now or for later. */
export const isRestartAsked = (
  { restartRequestedAtMs: askedMs }: Pick<Game, "restartRequestedAtMs">,
  { restartObservedAtMs, startedAtMs }: Pick<RuntimeRecord, "restartObservedAtMs" | "startedAtMs">
): boolean => askedMs !== null && askedMs > (restartObservedAtMs ?? -Infinity) && askedMs > (startedAtMs ?? -Infinity)

export const restartAsked = (seen: Observation): Finding | undefined => {
  const { desired, main, nowMs, record: before } = seen
  if (desired?.state !== "running" || desired.problem !== null || before === null || !isRestartAsked(desired, before)) return undefined
  if (main?.state !== "running" || !main.runsWanted || !mainIsRecorded(seen)) return undefined
  const inMs = desired.restartRequestedAtMs! - nowMs
  return inMs > 0 ? wait("RestartScheduled", Math.min(inMs, longestWaitMs)) : record(seen, "RestartAsked", restartBegun(seen))
}
