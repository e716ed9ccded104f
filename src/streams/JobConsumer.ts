/**
 * Takes jobs: entries are decoded, written as desired state in one transaction a batch, looked at and acknowledged after
 * the commit. A crash in between delivers an entry again, which changes nothing.
 *
 * What a batch cannot take as a whole is taken game by game. A game whose row somebody holds locked waits, with all its jobs
 * in their order, and holds up no other; a job that the database refuses by itself waits alone and is given up after some
 * deliveries. An outage gives up nothing, however often it made Redis deliver an entry.
 */
import { Effect, Metric } from "effect"
import { monotonicMs } from "../clock/monotonic.ts"
import type { Admission } from "../domain/Admission.ts"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake, JobKind } from "../domain/Job.ts"
import { GameWriter } from "../store/GameWriter.ts"
import type { StoreError } from "../store/StoreError.ts"
import * as metrics from "../telemetry/metrics.ts"
import { decodeJob, gameOf, givenUp, maximumDeliveries } from "./decodeJob.ts"
import { type JobStreamEntry, Streams, type StreamsError } from "./Streams.ts"

export interface JobConsumerOptions {
  /** Looks at a game. `kind`: what its jobs ask for; `stop` when they ask for both. */
  readonly enqueue: (gameId: GameId, kind: JobKind) => Effect.Effect<void>
  /** What jobs may ask for. Default: all that the Schema lets be, but steering labels. */
  readonly admission?: Admission
  /** Entries a batch, at most. Default: 256. */
  readonly batch?: number
  /** An entry that nobody acknowledged for so long is taken over. Default: 10 s. */
  readonly staleMs?: number
}

const reclaimEveryMs = 5000
/** Entries are taken over in small batches: nobody knows how big they are. */
const reclaimBatch = 16
/** A locked game is tried again after this long, and after so many times what finding it locked took. */
const lockedPauseMs = 1000
const lockedPauseFactor = 4
/** Games taken by themselves at once: each may wait for a lock. */
const apartAtOnce = 4

interface Delivered {
  readonly job: JobIntake
  readonly deliveries: number
}

/** Games that are not taken with the others. */
interface Apart {
  /** Locked when last tried: their jobs are left pending until `againAtMs`. */
  readonly locked: Set<string>
  /** Locked before that, and tried again, each by itself. */
  readonly suspects: Set<string>
  againAtMs: number
}

/** Never ends by itself; fails when Redis or the database does, to be started again. */
export const consumeJobs = Effect.fnUntraced(function*(options: JobConsumerOptions) {
  const streams = yield* Streams
  const apart: Apart = { locked: new Set(), suspects: new Set(), againAtMs: 0 }
  let reclaimAtMs = 0
  // After a failure the batch in hand is still ours and unacknowledged.
  yield* streams.rewind
  for (;;) {
    if (apart.locked.size > 0 && (yield* monotonicMs) >= apart.againAtMs) yield* tryAgain(apart)
    yield* take(yield* streams.read(options.batch ?? 256), apart, options)
    const nowMs = yield* monotonicMs
    if (nowMs < reclaimAtMs) continue
    reclaimAtMs = nowMs + reclaimEveryMs
    for (let more = true; more;) {
      const stale = yield* streams.reclaim(options.staleMs ?? 10_000, reclaimBatch)
      yield* take(stale, apart, options)
      more = stale.length >= reclaimBatch
    }
  }
})

/** All that is pending is read anew, so that the jobs of a game that was locked come in their order. */
const tryAgain = (apart: Apart) =>
  Effect.flatMap(Streams, (streams) => {
    for (const game of apart.locked) apart.suspects.add(game)
    apart.locked.clear()
    return streams.rewind
  })

const take = Effect.fnUntraced(function*(entries: ReadonlyArray<JobStreamEntry>, apart: Apart, options: JobConsumerOptions) {
  const all = entries.map((entry): Delivered => ({ job: decodeJob(entry, options.admission), deliveries: entry.deliveries }))
  const open = all.filter(({ job }) => !apart.locked.has(gameOf(job)))
  const together = open.filter(({ job }) => !apart.suspects.has(gameOf(job)))
  yield* commit(together, options).pipe(Effect.catchIf(refused("Invalid", "Conflict"), () => takeByGame(together, apart, options)))
  yield* takeByGame(open.filter(({ job }) => apart.suspects.has(gameOf(job))), apart, options)
})

const commit = Effect.fnUntraced(function*(taken: ReadonlyArray<Delivered>, options: JobConsumerOptions) {
  if (taken.length === 0) return
  const writer = yield* GameWriter
  const streams = yield* Streams
  const jobs = taken.map(({ job }) => job)
  const found = yield* writer.takeJobs(jobs)
  const stops = stopped(jobs)
  yield* Effect.forEach(found, (gameId) => options.enqueue(gameId, stops.has(gameId) ? "stop" : "start"), { discard: true })
  yield* streams.acknowledge(jobs)
  yield* Effect.forEach(jobs, ({ _tag, kind }) =>
    Metric.update(Metric.withAttributes(metrics.jobsTaken, { kind, verdict: _tag === "Wish" ? "taken" : "refused" }), 1), { discard: true })
})

/** A stop goes first wherever jobs wait their turn, so one stop among a game's jobs makes them a stop. */
const stopped = (jobs: ReadonlyArray<JobIntake>): ReadonlySet<GameId> =>
  new Set(jobs.flatMap((job) => job._tag === "Wish" && job.kind === "stop" ? [job.wish.gameId] : []))

type TakeError = StoreError | StreamsError
const refused = (...reasons: ReadonlyArray<StoreError["reason"]>) => (error: TakeError): boolean =>
  error._tag === "StoreError" && reasons.includes(error.reason)
const isInvalid = refused("Invalid")
const isConflict = refused("Conflict")

const takeByGame = Effect.fnUntraced(function*(taken: ReadonlyArray<Delivered>, apart: Apart, options: JobConsumerOptions) {
  const startedMs = yield* monotonicMs
  const lockedBefore = apart.locked.size
  const byGame = Map.groupBy(taken, ({ job }) => gameOf(job))
  yield* Effect.forEach(byGame, ([game, own]) =>
    commit(own, options).pipe(
      Effect.catchIf(isInvalid, () => takeOneByOne(own, options)),
      Effect.andThen(Effect.sync(() => apart.suspects.delete(game))),
      Effect.catchIf(isConflict, (error) => leave(game, apart, error))
    ), { concurrency: apartAtOnce, discard: true })
  if (apart.locked.size === lockedBefore) return
  const nowMs = yield* monotonicMs
  apart.againAtMs = Math.max(apart.againAtMs, nowMs + lockedPauseMs, nowMs + lockedPauseFactor * (nowMs - startedMs))
})

const leave = Effect.fnUntraced(function*(game: string, apart: Apart, error: TakeError) {
  apart.locked.add(game)
  if (!apart.suspects.has(game)) yield* Effect.logWarning("jobs of a game wait: somebody else is writing its row", { game_id: game }, error)
})

/** One that the database refuses must not hold up the others: it stays pending, and is given up after some deliveries. */
const takeOneByOne = Effect.fnUntraced(function*(taken: ReadonlyArray<Delivered>, options: JobConsumerOptions) {
  for (const each of taken) {
    yield* commit([each], options).pipe(
      Effect.catchIf(isInvalid, (error) => each.deliveries < maximumDeliveries ? Effect.fail(error) : giveUp(each, error.message, options)),
      // It stays pending, and is delivered again.
      Effect.catchIf(isInvalid, (error) => Effect.logError("a job cannot be taken", { entry_id: each.job.entryId, stream: each.job.stream }, error))
    )
  }
})

const giveUp = ({ deliveries, job }: Delivered, why: string, options: JobConsumerOptions) =>
  commit([{ job: givenUp(job, deliveries, why), deliveries }], options)
