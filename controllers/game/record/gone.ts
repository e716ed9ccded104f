/** What becomes of a record whose container is gone, and all that is made known with it. Pure. */
import type { Observation } from "../../../src/domain/Observation.ts"
import { hasNewWish } from "../decide/jobs.ts"
import { isExchanging, isRestarting } from "../decide/restart.ts"
import type { RemoveMode } from "../decide/step.ts"
import type { Change } from "./change.ts"
import { operation } from "./operations.ts"
import { atEnd, cleanSlate, endIsWanted, generationDone, rolloutMoved, stopDone } from "./transition.ts"

const noContainer = { currentContainerId: null, engineEndpoint: null, ports: [], engineId: null, stopping: null }

/** How it is known that the recorded container is gone: its engine's 404, our own removal, or somebody's word for another engine. */
export type Proof =
  | { readonly _tag: "NotFound" }
  | { readonly _tag: "Removed"; readonly mode: RemoveMode }
  | { readonly _tag: "Abandoned" }

export const containerGone = (seen: Observation, id: string, proof: Proof): Change => {
  switch (proof._tag) {
    case "NotFound":
      return disappeared(seen, id)
    case "Removed":
      return removed(seen, id, proof.mode)
    case "Abandoned":
      return { record: { ...noContainer, rollout: null, restartingSinceMs: null, status: "stopped", stoppedAtMs: seen.record?.stoppedAtMs ?? seen.nowMs } }
  }
}

const disappeared = (seen: Observation, id: string): Change => {
  const before = seen.record
  const over = isDisposed(seen)
  // The signal was ours: whoever removed it (a container made with --rm goes by itself), the game was stopped.
  const stopped = before?.stopping != null && endIsWanted(seen)
  return {
    record: {
      ...noContainer,
      stoppedAtMs: before?.stoppedAtMs ?? seen.nowMs,
      ...atEnd(seen),
      ...(over ? { ...cleanSlate, status: "removed", removedAtMs: seen.nowMs, ...generationDone(seen) } : { status: "stopped" }),
      ...rolloutMoved(seen, "starting")
    },
    health: [{ containerId: id, type: "container_disappeared", occurredAtMs: seen.nowMs, details: { last_status: before?.status } }],
    operations: [
      ...(stopped ? [stopDone(seen, id)] : []),
      ...(over ? [operation(seen, "reconcile_dispose", { source: "auto_reconcile", containerId: id, imageRef: before?.currentImageRef ?? null })] : [])
    ],
    ...(stopped ? { deed: "stopped" } : {})
  }
}

/**
 * A game whose container was taken away is over when its row says removed, or when it ran and its policy is never without anybody
 * who wants it again. One that had ended has lost nothing but its container, and can be started again.
 */
const isDisposed = (seen: Observation): boolean =>
  seen.desired?.state === "removed" ||
  (seen.record?.status === "running" && (seen.desired === null ||
    (seen.desired.state === "running" && seen.desired.restartPolicy === "never" && !hasNewWish(seen) && !isExchanging(seen) && !isRestarting(seen))))

/** To make room for the next container is a step of its start, not a deed of its own. */
const removed = (seen: Observation, id: string, mode: RemoveMode): Change => {
  const detail = { containerId: id, imageRef: seen.record?.currentImageRef ?? null }
  return mode === "removed"
    ? {
      record: { ...noContainer, ...cleanSlate, status: "removed", removedAtMs: seen.nowMs, ...generationDone(seen) },
      operations: [operation(seen, "cleanup_container", detail)],
      deed: "removed"
    }
    : {
      record: noContainer,
      operations: mode === "retention" ? [operation(seen, "cleanup_container", { ...detail, source: "auto_ttl" })] : []
    }
}
