/** Streams on Redis through ioredis: consumer group in, one transaction a topic out. */
import { Effect, Layer, type Scope } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import { Streams } from "../Streams.ts"
import { makeBlockingReader } from "./blockingReader.ts"
import { byEntryId, isNoGroup, makeRedisLink, type RedisOptions } from "./client.ts"
import { reclaim } from "./reclaim.ts"

export const makeRedisStreams = Effect.fnUntraced(function*(options: RedisOptions): Effect.fn.Return<
  Streams["Service"],
  never,
  Scope.Scope
> {
  const link = yield* makeRedisLink(options.url, `${options.consumer}-commands`)
  const reader = yield* makeBlockingReader(options)
  const jobStreams = Object.entries(options.jobs) as ReadonlyArray<[JobKind, string]>
  /** Trimmed entries that were told and not acknowledged, by stream. */
  const told = new Map(jobStreams.map(([, stream]) => [stream, new Set<string>()]))

  return Streams.of({
    read: reader.read,
    rewind: Effect.andThen(reader.rewind, Effect.sync(() => told.forEach((ids) => ids.clear()))),
    reclaim: Effect.fnUntraced(function*(minIdleMs, count) {
      if (!(yield* reader.caughtUp)) return []
      const found = yield* Effect.forEach(jobStreams, ([kind, stream]) =>
        reclaim(link, options, { stream, kind, minIdleMs, count, told: told.get(stream)! }))
      const entries = found.flat().sort(byEntryId)
      for (const { entryId, fields, stream } of entries) if (fields === null) told.get(stream)!.add(entryId)
      return entries
    }),
    acknowledge: (entries) =>
      Effect.forEach([...Map.groupBy(entries, ({ stream }) => stream)], ([stream, mine]) =>
        link.use("xack", (redis) => redis.xack(stream, options.group, ...mine.map(({ entryId }) => entryId))).pipe(
          Effect.catchIf(isNoGroup, () => Effect.void),
          Effect.tap(Effect.sync(() => mine.forEach(({ entryId }) => told.get(stream)?.delete(entryId))))
        ), { discard: true }),
    append: (messages) =>
      Effect.forEach([...Map.groupBy(messages, ({ topic }) => topic)], ([topic, mine]) =>
        link.use("xadd", async (redis) => {
          const all = redis.multi()
          for (const { eventId, fields } of mine) all.xadd(options.topics[topic], "*", "event_id", eventId, ...Object.entries(fields).flat())
          for (const [error] of (await all.exec()) ?? []) if (error) throw error
        }), { discard: true }),
    // A command that writes nothing, but that a node which takes no writes refuses.
    ping: Effect.asVoid(link.use("ping", (redis) => redis.xack(options.jobs.start, options.group, "0-0")))
  })
})

export const layer = (options: RedisOptions): Layer.Layer<Streams> => Layer.effect(Streams, makeRedisStreams(options))
