/** A game at rest: its container is kept for the retention time. */
import { isRunning, type Observation } from "../../../src/domain/Observation.ts"
import { act, type Finding, wait } from "./step.ts"

const longestWaitMs = 86_400_000

/** A stopped container is kept this much longer; 0 or less: its time is up. */
export const retentionLeftMs = (seen: Observation): number =>
  (seen.record?.stoppedAtMs ?? seen.nowMs) + seen.timing.retentionMs - seen.nowMs

/** A game at rest keeps its container for the retention time; one that never ran leaves none. */
export const atRest = (seen: Observation): Finding | undefined => {
  const { main, record: before } = seen
  if (main === undefined) return undefined
  if (main.id !== before?.currentContainerId) {
    return main.ours ? act("Leftover", { _tag: "Remove", container: main, mode: "leftover" }) : undefined
  }
  if (seen.jobs.length > 0) return undefined
  const leftMs = retentionLeftMs(seen)
  return leftMs <= 0
    ? act("RetentionIsOver", { _tag: "Remove", container: main, mode: "retention" })
    : wait("Retained", Math.min(leftMs, longestWaitMs))
}

/** It ran, ended, and its policy does not start it again. */
export const policyLeavesItEnded = (seen: Observation): Finding | undefined =>
  seen.desired?.state === "running" && !isRunning(seen.main) ? atRest(seen) : undefined
