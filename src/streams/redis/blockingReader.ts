/**
 * The blocking read of both job streams, on a connection of its own: a blocked connection serves nothing else. A
 * connection that does not answer in time is thrown away, because the client says `ready` of a dead link; the first read
 * of each new connection takes this consumer's own pending entries, for an answer lost with a socket is never given again.
 */
import { Effect, Ref, type Scope } from "effect"
import { Redis } from "ioredis"
import type { JobKind } from "../../domain/Job.ts"
import { type JobStreamEntry, StreamsError } from "../Streams.ts"
import { type RedisOptions, streamsError, toFields } from "./client.ts"
import { StreamMerge } from "./StreamMerge.ts"

/** How long Redis waits for an entry; then it answers null, which proves that the link carries. */
const blockMs = 2000
/** An answer to a blocked read that is later than this will not come. */
const answerDeadlineMs = blockMs + 3000

export interface BlockingReader {
  readonly read: (count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  readonly rewind: Effect.Effect<void>
}

type Reply = Array<[string, Array<[string, Array<string> | null]>]> | null

interface Connection {
  readonly redis: Redis
  merge: StreamMerge
}

export const makeBlockingReader = Effect.fnUntraced(function*(options: RedisOptions): Effect.fn.Return<
  BlockingReader,
  never,
  Scope.Scope
> {
  const kinds = new Map(Object.entries(options.jobs).map(([kind, stream]) => [stream, kind as JobKind]))
  const streams = [...kinds.keys()]
  const current = yield* Ref.make<Connection | undefined>(undefined)
  const discard = Effect.flatMap(Ref.getAndSet(current, undefined), (old) => Effect.sync(() => old?.redis.disconnect()))
  yield* Effect.addFinalizer(() => discard)

  const connection = Effect.gen(function*() {
    const known = yield* Ref.get(current)
    if (known) return known
    const redis = new Redis(options.url, {
      connectionName: "rtmanager-reader",
      lazyConnect: true,
      connectTimeout: 3000,
      commandTimeout: answerDeadlineMs,
      blockingTimeout: answerDeadlineMs,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0
    })
    redis.on("error", () => {})
    yield* attempt("connect", () => redis.connect()).pipe(Effect.tapError(() => Effect.sync(() => redis.disconnect())))
    const fresh: Connection = { redis, merge: new StreamMerge(streams) }
    yield* Ref.set(current, fresh)
    yield* ensureGroups(redis)
    return fresh
  })

  const ensureGroups = (redis: Redis) =>
    Effect.forEach(streams, (stream) =>
      attempt("xgroup", () => redis.xgroup("CREATE", stream, options.group, "0", "MKSTREAM")).pipe(
        Effect.catchIf((error) => error.message.includes("BUSYGROUP"), () => Effect.void)
      ), { discard: true })

  const readOnce = Effect.fnUntraced(function*(count: number) {
    const link = yield* connection
    for (;;) {
      const { from, mayBlock } = link.merge.next()
      const names = from.map(([stream]) => stream)
      const ids = from.map(([, id]) => id)
      const reply = yield* attempt("xreadgroup", () => (mayBlock
        ? link.redis.xreadgroup("GROUP", options.group, options.consumer, "COUNT", count, "BLOCK", blockMs, "STREAMS", ...names, ...ids)
        : link.redis.xreadgroup("GROUP", options.group, options.consumer, "COUNT", count, "STREAMS", ...names, ...ids)) as Promise<unknown>)
      const ready = link.merge.take(names, entriesOf(reply as Reply, kinds), count)
      if (ready.length > 0 || mayBlock) return ready
    }
  })

  const recover = (error: StreamsError) =>
    error.message.includes("NOGROUP")
      ? Effect.andThen(Effect.flatMap(connection, ({ redis }) => ensureGroups(redis)), Effect.succeed([]))
      : Effect.andThen(discard, Effect.fail(error))

  const rewind = Effect.map(Ref.get(current), (link) => {
    if (link) link.merge = new StreamMerge(streams)
  })
  return { rewind, read: (count) => readOnce(count).pipe(Effect.catch(recover), Effect.tapCause(() => discard)) }
})

const attempt = <A>(operation: string, command: () => Promise<A>): Effect.Effect<A, StreamsError> =>
  Effect.tryPromise({ try: command, catch: (cause) => streamsError(operation, cause) }).pipe(
    Effect.timeoutOrElse({
      duration: answerDeadlineMs,
      orElse: () => Effect.fail(new StreamsError({ operation, reason: "Timeout", message: `no answer to ${operation}` }))
    })
  )

const entriesOf = (reply: Reply, kinds: ReadonlyMap<string, JobKind>): ReadonlyArray<JobStreamEntry> =>
  (reply ?? []).flatMap(([stream, entries]) =>
    entries.map(([entryId, fields]): JobStreamEntry => ({
      stream, kind: kinds.get(stream)!, entryId, fields: toFields(fields), deliveries: 1
    }))
  )
