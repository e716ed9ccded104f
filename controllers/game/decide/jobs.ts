/** Jobs: which of them are new wishes, which were overtaken, and what each is told. Pure. */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { JobResult, PendingJob } from "../../../src/domain/Job.ts"
import { type Desired, isRunning, type Observation } from "../../../src/domain/Observation.ts"
import { hasObserved, isNewTo, type RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Change } from "../record/change.ts"

/** Somebody wants it to run and no attempt was made for that wish yet: a row that says something new, or an unanswered start job. */
export const hasNewWish = ({ desired, jobs, record }: Pick<Observation, "desired" | "jobs" | "record">): boolean =>
  desired?.state === "running" &&
  (isNewTo(record, desired) ||
    jobs.some((job) => job.kind === "start" && job.generation === desired.generation))

/**
 * The generation of the row that a job is part of. One that was taken before there was a row is part of the row that was
 * written since, if that says what the job asked for.
 */
export const generationOf = ({ desired }: Pick<Observation, "desired">, job: PendingJob): number =>
  job.generation ?? (desired === null || desired.state === "running" ? 0 : desired.generation)

export interface Answer {
  readonly job: PendingJob
  readonly result: JobResult
}

/** What the pending jobs are told once the record is `record`. Empty: nobody can be answered yet. */
export const answersOf = (seen: Observation, record: RuntimeRecord, change: Change): ReadonlyArray<Answer> =>
  seen.jobs.flatMap((job) => {
    const result = answer(seen, job, record, change)
    return result ? [{ job, result }] : []
  })

const answer = (seen: Observation, job: PendingJob, record: RuntimeRecord, change: Change): JobResult | undefined => {
  const { desired } = seen
  const isOver = record.status === "removed"
  if (job.kind === "start" && (isOver || desired?.state === "removed")) return failure(conflict(seen))
  if (isOver) return success("", "", change.deed === undefined)
  if (desired !== null && isOvertaken(seen, desired, job)) return failure(superseded)
  if (change.refusal) return failure(change.refusal)
  if (change.meanwhile?.unknown || desired === null) return undefined
  return job.kind === "stop" ? stopAnswer(seen, desired, record, change) : startAnswer(seen, desired, record, change)
}

/** Not by the generation alone: a row that was made again without its triggers counts from 1. */
const isOvertaken = (seen: Observation, desired: Desired, job: PendingJob): boolean =>
  generationOf(seen, job) !== desired.generation || (job.kind === "start") !== (desired.state === "running")

const conflict = ({ gameId }: Observation): Failure =>
  ({ code: "conflict", reason: "Removed", message: `game ${gameId} was removed; removed is for good` })

const superseded: Failure =
  { code: "superseded", reason: "Superseded", message: "a later wish replaced this job before it was carried out" }

const stopAnswer = (seen: Observation, desired: Desired, record: RuntimeRecord, change: Change): JobResult | undefined => {
  if (change.failure) return failure(change.failure.failure)
  const isUp = record.status !== "stopped" || isRunning(seen.main) || seen.main?.state === "unresponsive"
  if (!hasObserved(record, desired) || isUp) return undefined
  return success(record.currentContainerId ?? seen.record?.currentContainerId ?? "", "", change.deed !== "stopped")
}

const startAnswer = (seen: Observation, desired: Desired, record: RuntimeRecord, change: Change): JobResult | undefined => {
  if (change.failure) return failure(change.failure.failure)
  if (!hasObserved(record, desired)) return undefined
  const startedNow = change.deed === "started"
  return startedNow || runsTarget(seen, record)
    ? { ...success(record.currentContainerId ?? "", record.engineEndpoint ?? "", !startedNow), ports: record.ports }
    : undefined
}

/** Recorded as running is not enough: it may be the container that the one asked for is to replace, or a frozen one. */
const runsTarget = ({ desired, main }: Observation, record: RuntimeRecord): boolean =>
  record.status === "running" && record.stopping === null && desired?.problem === null &&
  main?.id === record.currentContainerId && main.state === "running" && main.runsWanted

const failure = ({ code, message }: Failure): JobResult => ({
  outcome: "failure",
  containerId: "",
  engineEndpoint: "",
  ports: [],
  errorCode: code,
  errorMessage: message
})

const success = (containerId: string, engineEndpoint: string, already: boolean): JobResult => ({
  outcome: "success",
  containerId,
  engineEndpoint,
  ports: [],
  errorCode: already ? "replay_no_op" : "",
  errorMessage: ""
})
