/** Jobs: which of them are new wishes, which were overtaken, and what each is told. Pure. */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { JobResult, PendingJob } from "../../../src/domain/Job.ts"
import { isRunning, type Observation } from "../../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Change } from "../record/change.ts"

/** Somebody wants it to run and no attempt was made for that wish yet: a newer generation, or an unanswered start job. */
export const hasNewWish = ({ desired, jobs, record }: Pick<Observation, "desired" | "jobs" | "record">): boolean =>
  desired?.state === "running" &&
  ((record?.observedGeneration ?? 0) < desired.generation ||
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
  const generation = generationOf(seen, job)
  const isOver = record.status === "removed"
  if (job.kind === "start" && (isOver || desired?.state === "removed")) return failure(conflict(seen))
  if (isOver) return success("", "", change.deed === undefined)
  if (desired !== null && generation < desired.generation) return failure(superseded)
  if (change.refusal) return failure(change.refusal)
  if (change.meanwhile?.unknown || desired === null) return undefined
  return job.kind === "stop" ? stopAnswer(seen, generation, record, change) : startAnswer(seen, generation, record, change)
}

const conflict = ({ gameId }: Observation): Failure =>
  ({ code: "conflict", reason: "Removed", message: `game ${gameId} was removed; removed is for good` })

const superseded: Failure =
  { code: "superseded", reason: "Superseded", message: "a later wish replaced this job before it was carried out" }

const stopAnswer = (seen: Observation, generation: number, record: RuntimeRecord, change: Change): JobResult | undefined => {
  if (change.failure) return failure(change.failure.failure)
  const isUp = record.status !== "stopped" || isRunning(seen.main) || seen.main?.state === "unresponsive"
  if (record.observedGeneration < generation || isUp) return undefined
  return success(record.currentContainerId ?? seen.record?.currentContainerId ?? "", "", change.deed !== "stopped")
}

const startAnswer = (seen: Observation, generation: number, record: RuntimeRecord, change: Change): JobResult | undefined => {
  if (change.failure) return failure(change.failure.failure)
  if (record.observedGeneration < generation) return undefined
  const startedNow = change.deed === "started"
  return startedNow || runsTarget(seen, record)
    ? success(record.currentContainerId ?? "", record.engineEndpoint ?? "", !startedNow)
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
  errorCode: code,
  errorMessage: message
})

const success = (containerId: string, engineEndpoint: string, already: boolean): JobResult => ({
  outcome: "success",
  containerId,
  engineEndpoint,
  errorCode: already ? "replay_no_op" : "",
  errorMessage: ""
})
