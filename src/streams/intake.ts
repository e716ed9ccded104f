/** What becomes of entries that were read, whichever way they came: decoded, and their games looked at. */
import { Clock, Effect } from "effect"
import type { Admission } from "../domain/Admission.ts"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake, JobKind } from "../domain/Job.ts"
import type { StoreError } from "../store/StoreError.ts"
import { decodeJob } from "./decodeJob.ts"
import { outdated, writtenAtMs } from "./givenUp.ts"
import type { JobStreamEntry, StreamsError } from "./Streams.ts"

export interface JobConsumerOptions {
  /** Looks at a game. `kind`: what its jobs ask for; `stop` when they ask for both. */
  readonly enqueue: (gameId: GameId, kind: JobKind) => Effect.Effect<void>
  /** What jobs may ask for. Default: all that the Schema lets be, but steering labels. */
  readonly admission?: Admission
  /** Entries a batch, at most. Default: 256. */
  readonly batch?: number
  /** An entry that was written longer ago is answered as stale. Default: none is. */
  readonly maxAgeMs?: number
  /** An entry that nobody acknowledged for so long is taken over. Default: 10 s. */
  readonly staleMs?: number
}

export interface Delivered {
  readonly job: JobIntake
  readonly deliveries: number
}

/** Those that are too old are answered so. */
export const decoded = (entries: ReadonlyArray<JobStreamEntry>, { admission, maxAgeMs = Infinity }: JobConsumerOptions) =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => entries.map((entry): Delivered => {
    const job = decodeJob(entry, admission)
    const ageMs = nowMs - (writtenAtMs(entry) ?? nowMs)
    return { job: ageMs > maxAgeMs ? outdated(job, ageMs, maxAgeMs) : job, deliveries: entry.deliveries }
  }))

export const lookAt = (found: ReadonlyArray<GameId>, jobs: ReadonlyArray<JobIntake>, { enqueue }: JobConsumerOptions) => {
  const stops = stopped(jobs)
  return Effect.forEach(found, (gameId) => enqueue(gameId, stops.has(gameId) ? "stop" : "start"), { discard: true })
}

/** A stop goes first wherever jobs wait their turn, so one stop among a game's jobs makes them a stop. */
const stopped = (jobs: ReadonlyArray<JobIntake>): ReadonlySet<GameId> =>
  new Set(jobs.flatMap((job) => job._tag === "Wish" && job.kind === "stop" ? [job.wish.gameId] : []))

export type TakeError = StoreError | StreamsError
export const refused = (...reasons: ReadonlyArray<StoreError["reason"]>) => (error: TakeError): boolean =>
  error._tag === "StoreError" && reasons.includes(error.reason)
export const isInvalid = refused("Invalid")
export const isConflict = refused("Conflict")
