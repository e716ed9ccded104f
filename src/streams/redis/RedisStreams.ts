/** Streams on Redis through ioredis: consumer group in, pipelined XADD out. */
import { Effect, Layer, type Scope } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import { type JobStreamEntry, Streams, StreamsError } from "../Streams.ts"
import { byEntryId, commandDeadlineMs, connectRedis, type RedisOptions, streamsError, toFields } from "./client.ts"
import { type BlockingReader, makeBlockingReader } from "./blockingReader.ts"

/** Names of the contract. */
export const defaultStreamNames: Pick<RedisOptions, "jobs" | "topics"> = {
  jobs: { start: "runtime:start_jobs", stop: "runtime:stop_jobs" },
  topics: {
    job_results: "runtime:job_results",
    health_events: "runtime:health_events",
    notification_intents: "notification:intents",
    dead_jobs: "runtime:dead_jobs"
  }
}

export const makeRedisStreams = Effect.fnUntraced(function*(options: RedisOptions): Effect.fn.Return<
  Streams["Service"],
  never,
  Scope.Scope
> {
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => connectRedis(options.url, "commands")),
    (redis) => Effect.sync(() => redis.disconnect())
  )
  const reader: BlockingReader = yield* makeBlockingReader(options)
  const send = <A>(operation: string, command: () => Promise<A>): Effect.Effect<A, StreamsError> =>
    Effect.tryPromise({ try: command, catch: (cause) => streamsError(operation, cause) }).pipe(
      Effect.timeoutOrElse({
        duration: commandDeadlineMs * 2,
        orElse: () => Effect.fail(new StreamsError({ operation, reason: "Timeout", message: "no answer" }))
      })
    )
  const jobStreams = Object.entries(options.jobs) as ReadonlyArray<[JobKind, string]>

  const reclaimFrom = Effect.fnUntraced(function*(kind: JobKind, stream: string, minIdleMs: number, count: number) {
    const found: Array<JobStreamEntry> = []
    let cursor = "0-0"
    do {
      const [next, entries, deleted] = (yield* send("xautoclaim", () =>
        client.xautoclaim(stream, options.group, options.consumer, minIdleMs, cursor, "COUNT", count) as Promise<unknown>
      )) as [string, Array<[string, Array<string> | null] | null>, Array<string> | undefined]
      const deliveries = yield* deliveryCounts(stream, entries.flatMap((entry) => entry ? [entry[0]] : []))
      for (const entry of entries) {
        if (entry) found.push({ stream, kind, entryId: entry[0], fields: toFields(entry[1]), deliveries: deliveries.get(entry[0]) ?? 1 })
      }
      // Trimmed away before anybody acknowledged them: the group forgot them already, but their senders wait for an answer.
      for (const entryId of deleted ?? []) found.push({ stream, kind, entryId, fields: null, deliveries: 1 })
      cursor = next
    } while (cursor !== "0-0" && found.length < count)
    return found
  })

  const deliveryCounts = Effect.fnUntraced(function*(stream: string, ids: ReadonlyArray<string>) {
    const [first] = ids
    const last = ids.at(-1)
    if (first === undefined || last === undefined) return new Map<string, number>()
    const pending = (yield* send("xpending", () =>
      client.xpending(stream, options.group, first, last, ids.length * 2) as Promise<unknown>)) as Array<[string, string, number, number]>
    return new Map(pending.map(([id, , , count]) => [id, count]))
  })

  return Streams.of({
    read: reader.read,
    rewind: reader.rewind,
    reclaim: (minIdleMs, count) =>
      Effect.forEach(jobStreams, ([kind, stream]) => reclaimFrom(kind, stream, minIdleMs, count)).pipe(
        Effect.map((found) => found.flat().sort(byEntryId)),
        // The group is made by the next read.
        Effect.catchIf((error) => error.message.includes("NOGROUP"), () => Effect.succeed([]))
      ),
    acknowledge: (entries) =>
      Effect.forEach([...Map.groupBy(entries, ({ stream }) => stream)], ([stream, mine]) =>
        send("xack", () => client.xack(stream, options.group, ...mine.map(({ entryId }) => entryId))), { discard: true }).pipe(
        Effect.catchIf((error) => error.message.includes("NOGROUP"), () => Effect.void)
      ),
    append: (messages) =>
      send("xadd", async () => {
        const pipeline = client.pipeline()
        for (const { eventId, fields, topic } of messages) {
          pipeline.xadd(options.topics[topic], "*", "event_id", eventId, ...Object.entries(fields).flat())
        }
        for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
      }),
    ping: Effect.asVoid(send("ping", () => client.ping()))
  })
})

export const layer = (options: RedisOptions): Layer.Layer<Streams> => Layer.effect(Streams, makeRedisStreams(options))

