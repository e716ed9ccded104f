/** Builds what a step makes known: the next record with its conditions, and the answers of the jobs it settles. Pure. */
import type { Commit } from "../../src/domain/Commit.ts"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { HealthEvent } from "../../src/domain/Health.ts"
import type { JobResult, PendingJob } from "../../src/domain/Job.ts"
import { notificationMessage } from "../../src/domain/Message.ts"
import type { Operation, OperationKind, OperationSource } from "../../src/domain/Operation.ts"
import { isRunning } from "../../src/domain/Observation.ts"
import type { Condition, RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { conditionOf, generationOf, isReplacing, type View } from "./view.ts"

/** Why it is on its way (`Progressing=True`) or not (`False`). */
export interface Progress {
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

export interface Change {
  readonly record?: Partial<Omit<RuntimeRecord, "gameId" | "version" | "conditions">>
  readonly operations?: ReadonlyArray<Operation>
  readonly health?: ReadonlyArray<HealthEvent>
  readonly adopt?: Commit["adopt"]
  /** The attempt failed: jobs that asked for it get this, people are told when `tell`. */
  readonly failure?: { readonly failure: Failure; readonly tell: boolean }
  /** Nobody can carry out now what the jobs ask for: each gets this at once. */
  readonly refusal?: Failure
  readonly progress?: Progress
  /** Why readiness cannot be told. */
  readonly unknown?: { readonly reason: string; readonly message: string }
}

export const freshRecord = (gameId: RuntimeRecord["gameId"]): RuntimeRecord => ({
  gameId,
  status: "stopped",
  currentContainerId: null,
  currentImageRef: null,
  engineEndpoint: null,
  engineId: null,
  specHash: null,
  observedGeneration: 0,
  conditions: [],
  restartCount: 0,
  nextRestartAtMs: null,
  failureCount: 0,
  lastErrorCode: null,
  lastErrorReason: null,
  lastErrorMessage: null,
  exitCode: null,
  oomKilled: false,
  startedAtMs: null,
  stoppedAtMs: null,
  stoppingSinceMs: null,
  removedAtMs: null,
  version: 0
})

export const noFailure = { failureCount: 0, lastErrorCode: null, lastErrorReason: null, lastErrorMessage: null, nextRestartAtMs: null }

export const cleanSlate = { ...noFailure, restartCount: 0 }

export const noContainer = { currentContainerId: null, engineEndpoint: null, engineId: null, stoppingSinceMs: null }

export const replacing = { status: "True", reason: "Replacing", message: "making a container for the changed row" } as const

/** Part of a change in the middle of a replacement: it goes on. */
export const goesOn = (seen: View): Pick<Change, "progress"> => isReplacing(seen) ? { progress: replacing } : {}

export const commitOf = (seen: View, change: Change): Commit => {
  const before = seen.record ?? freshRecord(seen.gameId)
  const next = { ...before, ...change.record }
  const record = { ...next, conditions: conditions(seen, next, change) }
  const notification = change.failure?.tell
    ? notificationMessage(seen.gameId, seen.desired?.imageRef ?? "", change.failure.failure, {
      key: `${seen.desired?.generation ?? 0}:${next.failureCount}:${before.version + 1}`,
      atMs: seen.nowMs
    })
    : undefined
  return {
    gameId: seen.gameId,
    expectedVersion: before.version,
    record,
    adopt: change.adopt ?? null,
    operations: change.operations ?? [],
    health: change.health ?? [],
    messages: notification ? [notification] : [],
    answers: answers(seen, record, change).map((answer) => ({ ...answer, completedAtMs: seen.nowMs }))
  }
}

/** What the pending jobs are told once the record is `record`. Empty: nobody can be answered yet. */
const answers = (
  seen: View,
  record: RuntimeRecord,
  change: Change
): ReadonlyArray<{ readonly job: PendingJob; readonly result: JobResult }> =>
  seen.jobs.flatMap((job) => {
    const result = answer(seen, job, record, change)
    return result ? [{ job, result }] : []
  })

const answer = (seen: View, job: PendingJob, record: RuntimeRecord, change: Change): JobResult | undefined => {
  const { desired } = seen
  const generation = generationOf(seen, job)
  const isOver = record.status === "removed"
  if (job.kind === "start" && (isOver || desired?.state === "removed")) return failed(conflict(seen))
  if (isOver) return succeeded("", "", !did(change, ["stop", "cleanup_container"]))
  if (desired !== null && generation < desired.generation) return failed(superseded)
  if (change.refusal) return failed(change.refusal)
  if (change.unknown || desired === null || record.observedGeneration < generation) return undefined
  return job.kind === "stop" ? stopAnswer(seen, record, change) : startAnswer(seen, record, change)
}

const conflict = ({ gameId }: View): Failure =>
  ({ code: "conflict", reason: "Removed", message: `game ${gameId} was removed; removed is for good` })

const superseded: Failure =
  { code: "superseded", reason: "Superseded", message: "a later wish replaced this job before it was carried out" }

const stopAnswer = (seen: View, record: RuntimeRecord, change: Change): JobResult | undefined =>
  record.status !== "stopped" || isRunning(seen.main) || seen.main?.state === "unresponsive"
    ? undefined
    : succeeded(record.currentContainerId ?? seen.record?.currentContainerId ?? "", "", !did(change, ["stop"]))

const startAnswer = (seen: View, record: RuntimeRecord, change: Change): JobResult | undefined => {
  if (change.failure) return failed(change.failure.failure)
  const startedNow = did(change, ["start", "reconcile_recreate", "reconcile_restart"])
  return startedNow || runsWanted(seen, record)
    ? succeeded(record.currentContainerId ?? "", record.engineEndpoint ?? "", !startedNow)
    : undefined
}

const did = ({ operations }: Change, kinds: ReadonlyArray<OperationKind>): boolean =>
  operations?.some((op) => kinds.includes(op.kind)) ?? false

/** Recorded as running is not enough: it may be the container that the one asked for is to replace, or a frozen one. */
const runsWanted = ({ desired, main }: View, record: RuntimeRecord): boolean =>
  record.status === "running" && record.stoppingSinceMs === null && desired?.problem === null &&
  main?.id === record.currentContainerId && main.state === "running" && main.runsWanted

const failed = (failure: Failure): JobResult => ({
  outcome: "failure",
  containerId: "",
  engineEndpoint: "",
  errorCode: failure.code,
  errorMessage: failure.message
})

const succeeded = (containerId: string, engineEndpoint: string, already: boolean): JobResult => ({
  outcome: "success",
  containerId,
  engineEndpoint,
  errorCode: already ? "replay_no_op" : "",
  errorMessage: ""
})

/** An operation that happened now, with where the wish for it came from. */
export const operation = (
  seen: View,
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
    imageRef: detail.imageRef ?? seen.desired?.imageRef ?? seen.record?.currentImageRef ?? null,
    containerId: detail.containerId ?? null,
    outcome: detail.failure ? "failure" : "success",
    errorCode: detail.failure?.code ?? null,
    errorMessage: detail.failure?.message ?? null,
    startedAtMs: detail.startedAtMs ?? seen.nowMs,
    finishedAtMs: seen.nowMs
  }
}

/** A job that asked for it, else a row that changed, else the controller itself. */
const originOf = (seen: View, kind: OperationKind): { readonly source: OperationSource; readonly sourceRef: string } => {
  const jobKind = kind === "stop" ? "stop" : "start"
  const job = seen.jobs.find((pending) => pending.kind === jobKind && generationOf(seen, pending) === seen.desired?.generation)
  if (job) return { source: "job_stream", sourceRef: job.entryId }
  return (seen.record?.observedGeneration ?? 0) < (seen.desired?.generation ?? 0)
    ? { source: "desired_state", sourceRef: String(seen.desired?.generation) }
    : { source: "auto_reconcile", sourceRef: "" }
}

const conditions = (seen: View, next: RuntimeRecord, change: Change): ReadonlyArray<Condition> => {
  const problem = seen.desired?.problem
  const now: ReadonlyArray<Omit<Condition, "last_transition_at">> = [
    { type: "Ready", ...ready(next, change) },
    { type: "Progressing", ...(change.progress ?? progress(next)) },
    problem
      ? { type: "SpecValid", status: "False", reason: "Invalid", message: specProblemText(problem) }
      : { type: "SpecValid", status: "True", reason: "Valid", message: "" }
  ]
  return now.map((condition) => {
    const old = conditionOf(seen.record, condition.type)
    const same = old?.status === condition.status
    return { ...condition, last_transition_at: same ? old.last_transition_at : new Date(seen.nowMs).toISOString() }
  })
}

const ready = (next: RuntimeRecord, { unknown }: Change) => {
  if (unknown) return { status: "Unknown" as const, ...unknown }
  const no = (reason: string, message = "") => ({ status: "False" as const, reason, message })
  if (next.status === "removed") return no("Removed")
  if (next.status === "running") {
    return next.stoppingSinceMs === null
      ? { status: "True" as const, reason: "ContainerRunning", message: "" }
      : no("Stopping")
  }
  if (next.lastErrorCode !== null) return no(next.lastErrorReason ?? next.lastErrorCode, next.lastErrorMessage ?? "")
  return next.exitCode === null ? no("ContainerStopped") : no("ContainerExited", `exit code ${next.exitCode}`)
}

const progress = (next: RuntimeRecord): Progress => {
  if (next.stoppingSinceMs !== null) return { status: "True", reason: "Stopping", message: "" }
  if (next.nextRestartAtMs === null) return { status: "False", reason: "Settled", message: "" }
  return { status: "True", reason: "BackOff", message: `next try at ${new Date(next.nextRestartAtMs).toISOString()}` }
}

export const specProblemText = (problem: { readonly path: string; readonly message: string }): string =>
  problem.path === "" ? problem.message : `${problem.path}: ${problem.message}`
