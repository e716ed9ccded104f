/**
 * The blocking read of both job streams, on a connection of its own: a blocked connection serves nothing else. The first
 * read of each new connection takes this consumer's own pending entries, for an answer lost with a socket is never given
 * again.
 */
import { Effect, type Scope } from "effect"
import type { Redis } from "ioredis"
import { monotonicMs } from "../../clock/monotonic.ts"
import type { JobKind } from "../../domain/Job.ts"
import type { JobStreamEntry, StreamsError } from "../Streams.ts"
import { deliveriesOf, isNoGroup, makeRedisLink, type RedisLink, type RedisOptions, toFields } from "./client.ts"
import { ReadSize } from "./ReadSize.ts"
import { type NextRead, StreamMerge } from "./StreamMerge.ts"

/** How long Redis waits for an entry; then it answers null, which proves that the link carries. */
const blockMs = 2000

export interface BlockingReader {
  readonly read: (count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  readonly rewind: Effect.Effect<void>
  /** Nothing older than what `read` gives next is known to be on its way. */
  readonly caughtUp: Effect.Effect<boolean>
}

type Reply = Array<[string, Array<[string, Array<string> | null]>]> | null

export const makeBlockingReader = Effect.fnUntraced(function*(options: RedisOptions): Effect.fn.Return<BlockingReader, never, Scope.Scope> {
  const kinds = new Map(Object.entries(options.jobs).map(([kind, stream]) => [stream, kind as JobKind]))
  const streams = [...kinds.keys()]
  const link = yield* makeRedisLink(options.url, `${options.consumer}-reader`)
  const size = new ReadSize()
  let merge = new StreamMerge(streams)
  let served: Redis | undefined

  const ask = (count: number) =>
    link.use("xreadgroup", async (redis) => {
      if (redis !== served) merge = new StreamMerge(streams)
      served = redis
      const next = merge.next()
      const names = next.from.map(([stream]) => stream)
      const ids = next.from.map(([, id]) => id)
      const group = ["GROUP", options.group, options.consumer, "COUNT", count] as const
      const reply: unknown = next.mayBlock
        ? await redis.xreadgroup(...group, "BLOCK", blockMs, "STREAMS", ...names, ...ids)
        : await redis.xreadgroup(...group, "STREAMS", ...names, ...ids)
      return { next, found: entriesOf(reply as Reply, kinds) }
    })

  const readOnce = Effect.fnUntraced(function*(most: number) {
    for (;;) {
      const count = Math.min(most, size.count)
      const sentMs = yield* monotonicMs
      const { found, next } = yield* ask(count)
      size.saw(found, count, next.mayBlock ? 0 : (yield* monotonicMs) - sentMs)
      const ready = merge.take(next, yield* counted(link, options, next, found), count)
      if (ready.length > 0 || (next.mayBlock && found.length === 0)) return ready
    }
  })

  const begin = Effect.sync(() => {
    merge = new StreamMerge(streams)
  })
  return {
    rewind: begin,
    caughtUp: Effect.sync(() => merge.caughtUp),
    read: (most) =>
      readOnce(most).pipe(
        // Only then: under OOM a group cannot be made, but read.
        Effect.catchIf(isNoGroup, () => Effect.andThen(makeGroups(link, options, streams), Effect.andThen(begin, readOnce(most)))),
        Effect.tapError(() => Effect.sync(() => size.failed()))
      )
  }
})

const makeGroups = (link: RedisLink, { group }: RedisOptions, streams: ReadonlyArray<string>) =>
  Effect.forEach(streams, (stream) =>
    link.use("xgroup", (redis) => redis.xgroup("CREATE", stream, group, "0", "MKSTREAM")).pipe(
      Effect.catchIf((error) => error.message.includes("BUSYGROUP"), () => Effect.void)
    ), { discard: true })

/** Redis tells how often an entry was delivered only to those who ask. */
const counted = Effect.fnUntraced(function*(link: RedisLink, options: RedisOptions, { from }: NextRead, found: ReadonlyArray<JobStreamEntry>) {
  const again = new Set(from.flatMap(([stream, after]) => after === ">" ? [] : [stream]))
  const counts = new Map<string, ReadonlyMap<string, number>>()
  for (const [stream, entries] of Map.groupBy(found, ({ stream }) => stream)) {
    if (again.has(stream)) counts.set(stream, yield* deliveriesOf(link, options, stream, entries.map(({ entryId }) => entryId)))
  }
  return found.map((entry) => ({ ...entry, deliveries: counts.get(entry.stream)?.get(entry.entryId) ?? 1 }))
})

const entriesOf = (reply: Reply, kinds: ReadonlyMap<string, JobKind>): ReadonlyArray<JobStreamEntry> =>
  (reply ?? []).flatMap(([stream, entries]) =>
    entries.map(([entryId, fields]): JobStreamEntry => ({
      stream, kind: kinds.get(stream)!, entryId, fields: toFields(fields), deliveries: 1
    }))
  )
