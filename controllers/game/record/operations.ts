/** Lines of the operation log: what was done, and whose wish it was. Pure. */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import type { Operation, OperationKind, OperationSource } from "../../../src/domain/Operation.ts"
import { isNewTo } from "../../../src/domain/RuntimeRecord.ts"
import { generationOf } from "../decide/jobs.ts"

/** An operation that happened now, with where the wish for it came from. */
export const operation = (
  seen: Observation,
  kind: OperationKind,
  detail: {
    readonly source?: OperationSource
    readonly containerId?: string | null
    readonly imageRef?: string | null
    readonly failure?: Failure
    readonly startedAtMs?: number
  } = {}
): Operation => {
  const origin = detail.source === undefined ? originOf(seen, kind) : { source: detail.source, sourceRef: "" }
  return {
    kind,
    ...origin,
    imageRef: detail.imageRef ?? seen.target?.imageRef ?? seen.record?.currentImageRef ?? null,
    containerId: detail.containerId ?? null,
    outcome: detail.failure ? "failure" : "success",
    errorCode: detail.failure?.code ?? null,
    errorMessage: detail.failure?.message ?? null,
    startedAtMs: detail.startedAtMs ?? seen.nowMs,
    finishedAtMs: seen.nowMs
  }
}

/** A job that asked for it, else a row that changed, else the controller itself. */
const originOf = (seen: Observation, kind: OperationKind): { readonly source: OperationSource; readonly sourceRef: string } => {
  if (kind === "restart") return { source: "desired_state", sourceRef: new Date(seen.record?.restartObservedAtMs ?? seen.nowMs).toISOString() }
  const jobKind = kind === "stop" ? "stop" : "start"
  const job = seen.jobs.find((pending) => pending.kind === jobKind && generationOf(seen, pending) === seen.desired?.generation)
  if (job) return { source: "job_stream", sourceRef: job.entryId }
  return seen.desired !== null && isNewTo(seen.record, seen.desired)
    ? { source: "desired_state", sourceRef: String(seen.desired.generation) }
    : { source: "auto_reconcile", sourceRef: "" }
}
