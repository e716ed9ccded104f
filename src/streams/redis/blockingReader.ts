/**
 * The blocking read of the job streams, on a connection of its own: a blocked connection serves nothing else. The first
 * read of each new connection takes this consumer's own pending entries, for an answer lost with a socket is never given
 * again. Streams that one command cannot read together are read one by one, in turns.
 */
import { Effect, type Scope } from "effect"
import { monotonicMs } from "../../clock/monotonic.ts"
import type { JobKind } from "../../domain/Job.ts"
import { type JobStreamEntry, StreamsError } from "../Streams.ts"
import { Asked } from "./Asked.ts"
import { makeBrokenStreams } from "./BrokenStreams.ts"
import { deliveriesOf, isCrossSlot, isElsewhere, isNoGroup, makeRedisLink, type RedisLink, type RedisOptions, toFields } from "./client.ts"
import type { RedisClient } from "./connect.ts"
import { beginLife, lifeOf } from "./life.ts"
import { ReadSize } from "./ReadSize.ts"
import type { NextRead } from "./StreamMerge.ts"
import { makeLookOver, type Suspects } from "./Suspects.ts"

/** How long Redis waits for an entry; then it answers null, which proves that the link carries. */
const blockMs = 2000
/** The same where the streams are read in turns. */
const turnMs = 25
/** So often in a row something is mended in one read. */
const mostMends = 4

export interface BlockingReader {
  readonly read: (count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  readonly rewind: Effect.Effect<void>
  /** Nothing older than what `read` gives next is known to be on its way. */
  readonly caughtUp: Effect.Effect<boolean>
  readonly lastReadMs: (stream: string) => number | undefined
  readonly problem: (stream: string) => string | undefined
  /** Which life of the stream is read. */
  readonly life: (stream: string) => Effect.Effect<string, StreamsError>
  /** Those that can be read. */
  readonly well: () => ReadonlyArray<string>
}

type Reply = Array<[string, Array<[string, Array<string> | null]>]> | null

export const makeBlockingReader = Effect.fnUntraced(function*(options: RedisOptions, suspects: Suspects): Effect.fn.Return<BlockingReader, never, Scope.Scope> {
  const kinds = new Map(Object.entries(options.jobs).map(([kind, stream]) => [stream, kind as JobKind]))
  const streams = [...kinds.keys()]
  const link = yield* makeRedisLink(options.url, `${options.consumer}-reader`)
  const size = new ReadSize()
  const asked = new Asked(streams)
  const lastReadMs = new Map<string, number>()
  const broken = yield* makeBrokenStreams(options, streams, () => {
    asked.stale = true
  })

  const lookOver = makeLookOver(link, options, suspects)

  /** undefined: it begins anew, and nothing was read. */
  const ask = (count: number) =>
    link.use("xreadgroup", async (redis) => {
      if (redis !== asked.served || asked.stale) {
        asked.begin(broken.well())
        asked.served = redis
        return undefined
      }
      const next = asked.next()
      return { next, found: entriesOf(await readGroup(redis, options, next, count, asked.apart ? turnMs : blockMs), kinds) }
    })

  const life = (stream: string) =>
    Effect.suspend(() => {
      const known = asked.lives.get(stream)
      return known === undefined ? Effect.tap(lifeOf(link, options, stream), (found) => Effect.sync(() => asked.lives.set(stream, found))) : Effect.succeed(known)
    })
  const alive = (found: ReadonlyArray<JobStreamEntry>) =>
    Effect.forEach(found, (entry) => Effect.map(life(entry.stream), (known) => ({ ...entry, life: known })))

  const readOnce = Effect.fnUntraced(function*(most: number) {
    const begunMs = yield* monotonicMs
    const ready: Array<JobStreamEntry> = []
    for (;;) {
      // Before anything that is pending is read.
      const { hopeless, isCareful } = yield* lookOver(asked.merge, broken.well().map((stream) => ({ stream, kind: kinds.get(stream)! })))
      if (hopeless.length > 0) return yield* alive(hopeless)
      const count = isCareful && asked.merge.isPending ? 1 : Math.min(most, size.count)
      const sentMs = yield* monotonicMs
      const answer = yield* ask(count)
      if (answer === undefined) continue
      const { found, next } = answer
      suspects.saw(found)
      const nowMs = yield* monotonicMs
      size.saw(found, count, next.mayBlock ? 0 : nowMs - sentMs)
      const entries = yield* counted(link, options, next, yield* alive(found))
      const names = next.from.map(([stream]) => stream)
      for (const stream of names) lastReadMs.set(stream, nowMs)
      yield* broken.wasRead(names)
      ready.push(...asked.merge.take(next, entries, count))
      // In turns, a round is one read.
      const isRound = !asked.apart || asked.merge.caughtUp || ready.length >= count
      const isQuiet = next.mayBlock && found.length === 0 && (!asked.apart || nowMs - begunMs >= blockMs)
      if ((ready.length > 0 && isRound) || isQuiet) return ready
    }
  })

  /** Leaves aside what cannot be read by itself; whether another try may go better. */
  const leaveBroken = Effect.fnUntraced(function*(error: StreamsError) {
    if (asked.apart) yield* broken.leave(asked.last.from[0]![0], error)
    else if (error.reason === "Refused") {
      const before = broken.well()
      for (const stream of before) yield* broken.ask(stream).pipe(Effect.catch((own) => broken.leave(stream, own)))
      // Each of them answers, and they are refused together: one by one it shows which.
      asked.apart ||= broken.well().length === before.length && before.length > 1
    } else return false
    return broken.well().length > 0
  })
  const mend = Effect.fnUntraced(function*(error: StreamsError) {
    if (isElsewhere(error.message)) return true
    if (isNoGroup(error)) {
      for (const stream of broken.well()) yield* makeGroup(link, { ...options, from: lastReadMs.has(stream) ? "0" : options.from ?? "0" }, stream).pipe(Effect.catchIf(isOwnFault, (own) => broken.leave(stream, own)))
    } else if (isCrossSlot(error)) asked.apart = true
    else if (!(yield* leaveBroken(error))) return false
    asked.stale = true
    return broken.well().length > 0
  })
  const attempt = (most: number, mends: number): Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError> =>
    readOnce(most).pipe(Effect.catch((error) =>
      Effect.flatMap(mends === 0 ? Effect.succeed(false) : mend(error), (isMended) => {
        if (isMended) return attempt(most, mends - 1)
        size.failed()
        return Effect.fail(error)
      })))
  return {
    rewind: Effect.sync(() => {
      asked.stale = true
    }),
    caughtUp: Effect.sync(() => !asked.stale && asked.merge.caughtUp),
    lastReadMs: (stream) => lastReadMs.get(stream),
    problem: broken.problem,
    life,
    well: broken.well,
    read: (most) => Effect.suspend(() => broken.well().length === 0 ? Effect.fail(noneWell(streams, broken.problem)) : attempt(most, mostMends))
  }
})

const noneWell = (streams: ReadonlyArray<string>, problem: (stream: string) => string | undefined): StreamsError =>
  new StreamsError({
    operation: "xreadgroup", reason: "Refused",
    message: `no job stream can be read: ${streams.map((stream) => `${stream}: ${problem(stream)}`).join("; ")}`
  })

const isOwnFault = ({ reason }: StreamsError): boolean => reason === "Refused"

const readGroup = async (redis: RedisClient, options: RedisOptions, { from, mayBlock }: NextRead, count: number, waitMs: number): Promise<Reply> => {
  const names = from.map(([stream]) => stream)
  const ids = from.map(([, id]) => id)
  const group = ["GROUP", options.group, options.consumer, "COUNT", count] as const
  const reply: unknown = mayBlock
    ? await redis.xreadgroup(...group, "BLOCK", waitMs, "STREAMS", ...names, ...ids)
    : await redis.xreadgroup(...group, "STREAMS", ...names, ...ids)
  return reply as Reply
}

/** Only when a read says that there is none: under OOM a group cannot be made, but read. */
const makeGroup = (link: RedisLink, options: RedisOptions, stream: string) =>
  link.use("xgroup", (redis) => redis.xgroup("CREATE", stream, options.group, options.from ?? "0", "MKSTREAM")).pipe(
    Effect.andThen(beginLife(link, options, stream)),
    Effect.catchIf((error) => error.message.includes("BUSYGROUP"), () => Effect.void)
  )

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
      stream, kind: kinds.get(stream)!, life: "", entryId, fields: toFields(fields), deliveries: 1
    }))
  )
