/** What becomes of jobs that are not carried out, whatever they ask for. */
import type { Failure } from "../domain/ErrorCode.ts"
import { isGameId } from "../domain/GameId.ts"
import type { JobIntake } from "../domain/Job.ts"
import { gameOf, milliseconds, printable } from "./decodeJob.ts"
import { entryMs, type JobStreamEntry } from "./Streams.ts"

/** A job that was delivered this often, and that the database refuses by itself, is given up. */
export const maximumDeliveries = 5

const answered = (job: JobIntake, failure: Failure, isDead: boolean): Extract<JobIntake, { _tag: "Refused" }> => ({
  stream: job.stream,
  life: job.life,
  entryId: job.entryId,
  kind: job.kind,
  payload: job.payload,
  _tag: "Refused",
  gameId: gameOf(job),
  failure,
  dead: isDead,
  imageRef: undefined
})

const often = (message: string): Failure => ({ code: "internal_error", reason: "DeliveredTooOften", message })

/** What becomes of a job that the database refuses each time it is delivered. */
export const givenUp = (job: JobIntake, deliveries: number, why: string): JobIntake =>
  answered(job, often(printable(`delivered ${deliveries} times and refused: ${why}`, 1000)), true)

/** The same without a word of the entry or of the refusal: what the database refused may be in them. */
export const givenUpBare = (job: JobIntake, deliveries: number): JobIntake => {
  const gameId = gameOf(job)
  const bare = answered(job, often(`delivered ${deliveries} times and refused by the database, as was what it said`), true)
  return { ...bare, payload: {}, gameId: isGameId(gameId) ? gameId : "" }
}

/** What becomes of a job that was sent too long ago, as a restored or long unread stream has them. */
export const outdated = (job: JobIntake, ageMs: number, maxAgeMs: number): JobIntake => {
  const message = `the job is ${Math.floor(ageMs / 1000)} s old; jobs older than ${maxAgeMs / 1000} s are not carried out`
  return answered(job, { code: "stale", reason: "Stale", message }, false)
}

/** An entry id whose sender made it up is no time. */
const firstTimeMs = Date.UTC(2010, 0, 1)

/** When the entry was written: by its id, else as it says itself; undefined: nobody knows. */
export const writtenAtMs = ({ entryId, fields }: JobStreamEntry): number | undefined => {
  const byId = entryMs(entryId)
  if (byId >= firstTimeMs) return byId
  const said = fields?.requested_at_ms
  return said !== undefined && milliseconds.test(said) && Number(said) >= firstTimeMs ? Number(said) : undefined
}
