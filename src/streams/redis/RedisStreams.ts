/** Streams on Redis through ioredis: consumer group in, one transaction a topic out. */
import { Effect, Layer, type Scope } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import { Streams, type StreamsError } from "../Streams.ts"
import { makeBlockingReader } from "./blockingReader.ts"
import { byEntryId, isNoGroup, makeRedisLink, type RedisLink, type RedisOptions } from "./client.ts"
import { inOrder, recentOf } from "./recent.ts"
import { reclaim } from "./reclaim.ts"
import { Suspects } from "./Suspects.ts"

export const makeRedisStreams = Effect.fnUntraced(function*(options: RedisOptions): Effect.fn.Return<
  Streams["Service"],
  never,
  Scope.Scope
> {
  const link = yield* makeRedisLink(options.url, `${options.consumer}-commands`)
  const suspects = new Suspects()
  const reader = yield* makeBlockingReader(options, suspects)
  const jobStreams = Object.entries(options.jobs) as ReadonlyArray<[JobKind, string]>
  /** Trimmed entries that were told and not acknowledged, by stream. */
  const told = new Map(jobStreams.map(([, stream]) => [stream, new Set<string>()]))
  const oldestPending = new Map<string, string>()
  /** A stream that cannot be read is told of by the reader; its entries stay pending until it can. */
  const eachWell = <A>(what: (kind: JobKind, stream: string) => Effect.Effect<ReadonlyArray<A>, StreamsError>) =>
    Effect.forEach(jobStreams.filter(([, stream]) => reader.well().includes(stream)), ([kind, stream]) =>
      Effect.catchIf(what(kind, stream), isRefused, () => Effect.succeed<ReadonlyArray<A>>([])))

  const reclaimFrom = Effect.fnUntraced(function*(kind: JobKind, stream: string, minIdleMs: number, count: number) {
    const found = yield* reclaim(link, options, { stream, kind, life: yield* reader.life(stream), minIdleMs, count, told: told.get(stream)!, suspects })
    const oldest = yield* oldestOf(link, options, stream)
    if (oldest === undefined) oldestPending.delete(stream)
    else oldestPending.set(stream, oldest)
    return found
  })

  return Streams.of({
    read: reader.read,
    rewind: Effect.andThen(reader.rewind, Effect.sync(() => told.forEach((ids) => ids.clear()))),
    reclaim: Effect.fnUntraced(function*(minIdleMs, count) {
      if (!(yield* reader.caughtUp)) return []
      const found = yield* eachWell((kind, stream) => reclaimFrom(kind, stream, minIdleMs, count))
      const entries = found.flat().sort(byEntryId)
      for (const { entryId, fields, stream } of entries) if (fields === null) told.get(stream)!.add(entryId)
      return entries
    }),
    recent: Effect.fnUntraced(function*(sinceMs, count, after = []) {
      const last = new Map(after.map(({ entryId, stream }) => [stream, entryId]))
      const pages = yield* eachWell((kind, stream) => Effect.flatMap(Effect.orElseSucceed(reader.life(stream), () => ""), (life) =>
        recentOf(link, options, { stream, kind, life, sinceMs, count, after: last.get(stream) })))
      return inOrder(pages, count)
    }),
    acknowledge: (entries) =>
      Effect.forEach([...Map.groupBy(entries, ({ stream }) => stream)], ([stream, mine]) =>
        link.use("xack", (redis) => redis.xack(stream, options.group, ...mine.map(({ entryId }) => entryId))).pipe(
          Effect.catchIf(isNoGroup, () => Effect.void),
          Effect.tap(Effect.sync(() => suspects.acknowledged(stream, mine.map(({ entryId }) => entryId)))),
          // It holds up no other stream; they stay pending, and are delivered again.
          Effect.catchIf(isRefused, (error) => Effect.logWarning("entries of a job stream cannot be acknowledged", { stream }, error)),
          Effect.tap(Effect.sync(() => mine.forEach(({ entryId }) => told.get(stream)?.delete(entryId))))
        ), { discard: true }),
    append: (messages) =>
      Effect.forEach([...Map.groupBy(messages, ({ topic }) => topic)], ([topic, mine]) =>
        link.use("xadd", async (redis, replicated) => {
          const all = redis.multi()
          for (const { eventId, fields } of mine) all.xadd(options.topics[topic], "*", "event_id", eventId, ...Object.entries(fields).flat())
          for (const [error] of (await all.exec()) ?? []) if (error) throw error
          await replicated()
        }), { discard: true }),
    generation: Effect.sync(link.generation),
    // A command that writes nothing, but that a node which takes no writes refuses. Another refusal is about that stream.
    ping: link.use("ping", (redis) => redis.xack(options.jobs.start, options.group, "0-0")).pipe(
      Effect.asVoid,
      Effect.catchIf(isRefused, () => Effect.void)
    ),
    state: Effect.sync(() => jobStreams.map(([, stream]) => ({
      stream, lastReadMs: reader.lastReadMs(stream), problem: reader.problem(stream), oldestPending: oldestPending.get(stream)
    })))
  })
})

const isRefused = ({ reason }: StreamsError): boolean => reason === "Refused"

/** The oldest entry that is pending with anybody. */
const oldestOf = (link: RedisLink, { group }: RedisOptions, stream: string) =>
  link.use("xpending", (redis) => redis.xpending(stream, group) as Promise<unknown> as Promise<readonly [number, string | null]>).pipe(
    Effect.map(([, first]) => first ?? undefined),
    Effect.catchIf(isNoGroup, () => Effect.succeed(undefined))
  )

export const layer = (options: RedisOptions): Layer.Layer<Streams> => Layer.effect(Streams, makeRedisStreams(options))
