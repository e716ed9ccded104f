/** What cannot be known: who does not answer is neither well nor gone, and nothing is done about it. */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import { isNewTo } from "../../../src/domain/RuntimeRecord.ts"
import { containerGone } from "../record/gone.ts"
import type { Reason } from "./reasons.ts"
import { type Finding, record, wait } from "./step.ts"
import { mainIsRecorded } from "./unrecorded.ts"

const unresponsiveAgainMs = 30_000

const unknown = (reason: Reason, message: string, againMs: number | null, refusal?: Failure): Finding =>
  ({ ...wait(reason, againMs, { unknown: { reason, message } }, refusal), report: message })

/** The record's container is out of reach: on another engine (a 404 of this one proves nothing), or made by another installation. */
export const engineChanged = (seen: Observation): Finding | undefined => {
  const { desired, record: before } = seen
  if ((seen.recorded !== "elsewhere" && seen.recorded !== "another's") || before === null || before.status === "removed") return undefined
  // A row that says something new is somebody's word that it is meant for this engine; but what runs there is not stopped from here.
  if (desired !== null && desired.state !== "stopped" && isNewTo(before, desired)) {
    return record(seen, "EngineChanged", containerGone(seen, before.currentContainerId!, { _tag: "Abandoned" }))
  }
  if (seen.recorded === "another's") return anothers(before.currentContainerId!)
  const message = `container ${before.currentContainerId} is on engine ${before.engineId}, but ${seen.engineId} answers; ` +
    "connect that engine, or change the game's row to start it here"
  return unknown("EngineChanged", message, null, { code: "service_unavailable", reason: "EngineChanged", message })
}

const anothers = (id: string): Finding => {
  const message = `container ${id} was made by another installation (label com.galaxy.instance); it is left alone`
  return unknown("AnotherInstance", message, null, { code: "service_unavailable", reason: "AnotherInstance", message })
}

/** The engine does not answer for the container: unknown is no reason to act. */
export const containerUnresponsive = (seen: Observation): Finding | undefined => {
  if (seen.main?.state !== "unresponsive") return undefined
  const message = `the engine lists container ${seen.main.id} but does not answer for it`
  return unknown("ContainerUnresponsive", message, unresponsiveAgainMs)
}

/** The recorded container is there, so it is the same engine: an upgrade may give it a new identity. */
export const engineRenamed = (seen: Observation): Finding | undefined => {
  const { engineId, record: before } = seen
  if (before?.engineId == null || before.engineId === engineId || !mainIsRecorded(seen) || before.status === "removed") return undefined
  return record(seen, "EngineRenamed", { record: { engineId } })
}
