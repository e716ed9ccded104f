/**
 * Takes jobs: entries are decoded, written as desired state in one transaction a batch, looked at and acknowledged after
 * the commit. A crash in between delivers an entry again, which changes nothing.
 */
import { Clock, Effect, Metric } from "effect"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake } from "../domain/Job.ts"
import { Store, type StoreError } from "../store/Store.ts"
import * as metrics from "../telemetry/metrics.ts"
import { decodeJob } from "./decodeJob.ts"
import { type JobStreamEntry, Streams } from "./Streams.ts"

export interface JobConsumerOptions {
  readonly enqueue: (gameId: GameId) => Effect.Effect<void>
  /** Entries a batch. Default: 256. */
  readonly batch?: number
  /** An entry that nobody acknowledged for so long is taken over. Default: 10 s. */
  readonly staleMs?: number
}

const reclaimEveryMs = 5000

/** Never ends by itself; fails when Redis or the database does, to be started again. */
export const consumeJobs = Effect.fnUntraced(function*(options: JobConsumerOptions) {
  const streams = yield* Streams
  const batch = options.batch ?? 256
  let reclaimedAtMs = 0
  // After a failure the batch in hand is still ours and unacknowledged.
  yield* streams.rewind
  for (;;) {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs - reclaimedAtMs >= reclaimEveryMs) {
      reclaimedAtMs = nowMs
      yield* take(yield* streams.reclaim(options.staleMs ?? 10_000, batch), options)
    }
    yield* take(yield* streams.read(batch), options)
  }
})

const take = Effect.fnUntraced(function*(entries: ReadonlyArray<JobStreamEntry>, options: JobConsumerOptions) {
  if (entries.length === 0) return
  const store = yield* Store
  const jobs = entries.map(decodeJob)
  yield* store.takeJobs(jobs).pipe(
    Effect.tap((found) => Effect.forEach(found, options.enqueue, { discard: true })),
    Effect.tap(acknowledge(entries)),
    Effect.catchIf((error): error is StoreError => error._tag === "StoreError" && error.reason === "Invalid", () => takeOneByOne(entries, jobs, options))
  )
  yield* count(jobs)
})

const acknowledge = (entries: ReadonlyArray<JobStreamEntry>) => Effect.flatMap(Streams, (streams) => streams.acknowledge(entries))

/** One that the database refuses must not hold up the others: it stays pending, and is given up after some deliveries. */
const takeOneByOne = Effect.fnUntraced(function*(entries: ReadonlyArray<JobStreamEntry>, jobs: ReadonlyArray<JobIntake>, options: JobConsumerOptions) {
  const store = yield* Store
  for (const [index, job] of jobs.entries()) {
    yield* store.takeJobs([job]).pipe(
      Effect.tap((found) => Effect.forEach(found, options.enqueue, { discard: true })),
      Effect.tap(acknowledge([entries[index]!])),
      Effect.catchIf(
        (error): error is StoreError => error._tag === "StoreError" && error.reason === "Invalid",
        (error) => Effect.as(Effect.logError("a job cannot be taken", { entry_id: job.entryId, stream: job.stream }, error), [])
      )
    )
  }
})

const count = (jobs: ReadonlyArray<JobIntake>) =>
  Effect.forEach(jobs, (job) =>
    Metric.update(Metric.withAttributes(metrics.jobsTaken, { kind: job.kind, verdict: job._tag === "Wish" ? "taken" : "refused" }), 1), {
    discard: true
  })
