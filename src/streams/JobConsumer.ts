/**
 * Takes jobs: entries are decoded, written as desired state in one transaction a batch, looked at and acknowledged after
 * the commit. A crash in between delivers an entry again, which changes nothing.
 *
 * A job that is older than the greatest age is answered so, and touches nothing. When the database was restored or failed over,
 * it may lack jobs that were acknowledged: the recent entries are read again before any newer one is taken.
 *
 * What a batch cannot take as a whole is taken game by game. A game whose row somebody holds locked waits, with all its jobs
 * in their order, and holds up no other; a job that the database refuses by itself waits alone and is given up after some
 * deliveries. An outage gives up nothing, however often it made Redis deliver an entry.
 */
import { Effect, Metric } from "effect"
import { monotonicMs } from "../clock/monotonic.ts"
import { GameWriter } from "../store/GameWriter.ts"
import * as metrics from "../telemetry/metrics.ts"
import { gameOf } from "./decodeJob.ts"
import { givenUp, givenUpBare, maximumDeliveries } from "./givenUp.ts"
import { decoded, type Delivered, isConflict, isInvalid, type JobConsumerOptions, lookAt, refused, type TakeError } from "./intake.ts"
import { keepHistory, mendHistory } from "./lostJobs.ts"
import { type JobStreamEntry, Streams } from "./Streams.ts"

const reclaimEveryMs = 5000
/** Entries are taken over in small batches: nobody knows how big they are. */
const reclaimBatch = 16
/** A locked game is tried again after this long, and after so many times what finding it locked took. */
const lockedPauseMs = 1000
const lockedPauseFactor = 4
/** Games taken by themselves at once: each may wait for a lock. */
const apartAtOnce = 4

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
  yield* keepHistory(options)
  for (;;) {
    if (apart.locked.size > 0 && (yield* monotonicMs) >= apart.againAtMs) yield* tryAgain(apart)
    yield* take(yield* streams.read(options.batch ?? 256), apart, options)
    const nowMs = yield* monotonicMs
    if (nowMs < reclaimAtMs) continue
    reclaimAtMs = nowMs + reclaimEveryMs
    yield* mendHistory(options)
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
  const all = yield* decoded(entries, options)
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
  yield* lookAt(found, jobs, options)
  yield* streams.acknowledge(jobs)
  yield* Effect.forEach(jobs, ({ _tag, kind }) =>
    Metric.update(Metric.withAttributes(metrics.jobsTaken, { kind, verdict: _tag === "Wish" ? "taken" : "refused" }), 1), { discard: true })
})

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
  commit([{ job: givenUp(job, deliveries, why), deliveries }], options).pipe(
    Effect.catchIf(isInvalid, () => commit([{ job: givenUpBare(job, deliveries), deliveries }], options))
  )
