/** Rules about what cannot be known: who does not answer is neither well nor gone, and nothing is done about it. */
import type { Failure } from "../../src/domain/ErrorCode.ts"
import { type Change, goesOn, noContainer } from "./commit.ts"
import type { Reason } from "./reasons.ts"
import { type Plan, record, wait } from "./step.ts"
import { conditionOf, mainIsRecorded, type View } from "./view.ts"

const unresponsiveAgainMs = 30_000

/** Says once that readiness cannot be told, then waits. */
const unknown = (seen: View, reason: Reason, message: string, againMs: number | null, refusal?: Failure): Plan => {
  const change: Change = { unknown: { reason, message }, ...(refusal ? { refusal } : {}), ...goesOn(seen) }
  const told = seen.record === null || seen.record.status === "removed" || conditionOf(seen.record, "Ready")?.reason === reason
  return { ...(told ? wait(seen, reason, againMs, change) : record(seen, reason, change)), report: message }
}

export const engineChanged = (seen: View): Plan | undefined => {
  const { desired, record: before } = seen
  if (seen.recorded !== "elsewhere" || before === null || before.status === "removed") return undefined
  // A newer generation is somebody's word that the row is meant for this engine; but what runs there is not stopped from here.
  if (desired !== null && desired.state !== "stopped" && desired.generation > before.observedGeneration) {
    return record(seen, "EngineChanged", { record: { ...noContainer, status: "stopped", stoppedAtMs: before.stoppedAtMs ?? seen.nowMs } })
  }
  const message = `container ${before.currentContainerId} is on engine ${before.engineId}, but ${seen.engineId} answers; ` +
    "connect that engine, or change the game's row to start it here"
  return unknown(seen, "EngineChanged", message, null, { code: "service_unavailable", reason: "EngineChanged", message })
}

export const unresponsive = (seen: View): Plan | undefined => {
  if (seen.main?.state !== "unresponsive") return undefined
  const message = `the engine lists container ${seen.main.id} but does not answer for it`
  return unknown(seen, "ContainerUnresponsive", message, unresponsiveAgainMs)
}

/** It is there, so it is the same engine: an upgrade may give it a new identity. */
export const engineRenamed = (seen: View): Plan | undefined => {
  const { engineId, record: before } = seen
  if (before?.engineId == null || before.engineId === engineId || !mainIsRecorded(seen) || before.status === "removed") return undefined
  return record(seen, "EngineRenamed", { record: { engineId }, ...goesOn(seen) })
}

export const answering = (seen: View): Plan | undefined =>
  conditionOf(seen.record, "Ready")?.status === "Unknown" ? record(seen, "Answering", goesOn(seen)) : undefined
