/**
 * A database that was restored or failed over may lack jobs that were acknowledged: the recent entries are read again before any newer
 * one is taken. Those that it knows are passed over.
 */
import { Clock, Effect } from "effect"
import type { GameId } from "../domain/GameId.ts"
import type { JobIntake } from "../domain/Job.ts"
import { GameWriter } from "../store/GameWriter.ts"
import { decoded, isInvalid, type JobConsumerOptions, lookAt, refused } from "./intake.ts"
import { type JobStreamEntry, Streams } from "./Streams.ts"

/** A replica that lags more than this behind is not promoted by anybody in his senses. */
const againMs = 15 * 60_000
const againBatch = 64

/** Finds out whether the database may lack jobs, takes them again, and notes which history it is. */
export const keepHistory = Effect.fnUntraced(function*(options: JobConsumerOptions) {
  yield* mendHistory(options)
  yield* (yield* GameWriter).noteHistory
})

/** The same now and then, once it is noted: where nothing has changed nothing is written. */
export const mendHistory = Effect.fnUntraced(function*(options: JobConsumerOptions) {
  const writer = yield* GameWriter
  const isSame = yield* Effect.as(writer.sameHistory, true).pipe(Effect.catchIf(refused("HistoryChanged"), () => Effect.succeed(false)))
  if (isSame) return
  yield* takeAgain(options)
  yield* writer.noteHistory
})

const takeAgain = Effect.fnUntraced(function*(options: JobConsumerOptions) {
  const streams = yield* Streams
  const writer = yield* GameWriter
  const sinceMs = (yield* Clock.currentTimeMillis) - againMs
  const after = new Map<string, JobStreamEntry>()
  let read = 0
  for (;;) {
    const entries = yield* streams.recent(sinceMs, againBatch, [...after.values()])
    if (entries.length === 0) break
    for (const entry of entries) after.set(entry.stream, entry)
    const jobs = yield* decoded(entries, options)
    const found = yield* writer.takeJobs(jobs.map(({ job }) => job), true).pipe(
      Effect.catchIf(isInvalid, () => Effect.map(Effect.forEach(jobs, ({ job }) => takeAlone(job)), (each) => each.flat()))
    )
    yield* lookAt(found, jobs.map(({ job }) => job), options)
    read += entries.length
  }
  yield* Effect.logWarning("the database was restored or failed over: the jobs of the last minutes were read again", { entries: read })
})

/** What the database refuses by itself is pending still if it was not answered; it is given up there. */
const takeAlone = (job: JobIntake) =>
  Effect.flatMap(GameWriter, (writer) => writer.takeJobs([job], true)).pipe(Effect.catchIf(isInvalid, () => Effect.succeed<ReadonlyArray<GameId>>([])))
