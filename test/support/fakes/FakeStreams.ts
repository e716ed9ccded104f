/** Streams over Redis streams in memory. One instance is one controller's consumer; many may share a world. */
import { Context, Effect, Layer } from "effect"
import { monotonicMs } from "../../../src/clock/monotonic.ts"
import type { JobKind } from "../../../src/domain/Job.ts"
import { type JobStreamEntry, Streams, StreamsError } from "../../../src/streams/Streams.ts"
import { byId, type Delivered, jobStreams, StreamsWorld, topicStreams } from "./StreamsWorld.ts"
import { makeSurroundings } from "./Surroundings.ts"

const blockMs = 2000
const answerDeadlineMs = blockMs + 3000
const commandDeadlineMs = 10_000

/** The streams as tests hold them. */
export class FakeStreams extends Context.Service<FakeStreams, StreamsWorld>()("rtmanager/test/FakeStreams") {
  static readonly layer: Layer.Layer<FakeStreams> = Layer.effect(
    FakeStreams,
    Effect.map(makeSurroundings, (surroundings) => new StreamsWorld(surroundings))
  )
}

/** The service, and the handle of its world. */
export const layer: Layer.Layer<Streams | FakeStreams> = Layer.effect(
  Streams,
  Effect.map(FakeStreams, (world) => makeFakeStreams(world, "test"))
).pipe(Layer.provideMerge(FakeStreams.layer))

const kinds = Object.entries(jobStreams) as ReadonlyArray<readonly [JobKind, string]>

export const makeFakeStreams = (world: StreamsWorld, consumer: string): Streams["Service"] => {
  const collect = (from: (stream: string) => ReadonlyArray<Delivered>) => collectOf(world, from)
  const beginning = () => new Map(kinds.map(([, stream]) => [stream, "0"]))
  /** Where to go on in this consumer's own pending entries; undefined: they are through. */
  let pendingFrom: Map<string, string> | undefined = beginning()
  let breaks = world.answers.breaks
  let lastReadMs: number | undefined
  /** Trimmed entries that were told and not acknowledged. */
  const told = new Set<string>()
  const rewind = Effect.sync(() => {
    pendingFrom = beginning()
    told.clear()
  })

  const readOwn = (count: number): ReadonlyArray<JobStreamEntry> => {
    // A new connection begins with what was delivered over the old one and may have been lost with it.
    if (breaks !== world.answers.breaks) pendingFrom = beginning()
    breaks = world.answers.breaks
    const cursors = pendingFrom
    if (cursors === undefined) return []
    const found = collect((stream) => world.readPending(stream, consumer, cursors.get(stream)!, count))
    for (const { entryId, stream } of found) cursors.set(stream, entryId)
    if (found.length === 0) pendingFrom = undefined
    return found
  }
  const readNow = (count: number): ReadonlyArray<JobStreamEntry> => {
    if (kinds.some(([, stream]) => !world.hasGroup(stream))) {
      for (const [, stream] of kinds) world.makeGroup(stream)
    }
    const own = readOwn(count)
    // Never more of one stream than what is older than the rest of the other.
    const next = new Set(collect((stream) => world.unread(stream)).slice(0, count).map(({ entryId }) => entryId))
    return own.length > 0 ? own : collect((stream) =>
      world.readNew(stream, consumer, world.unread(stream).filter(({ id }) => next.has(id)).length))
  }
  const caughtUp = () =>
    kinds.every(([, stream]) => world.unread(stream).length === 0 &&
      (pendingFrom === undefined || world.ownPending(stream, consumer, pendingFrom.get(stream)!).length === 0))
  const claimNow = (minIdleMs: number, count: number): ReadonlyArray<JobStreamEntry> => {
    if (!caughtUp()) return []
    const found = collect((stream) => world.claim(stream, consumer, minIdleMs, count, told))
    for (const { entryId, fields } of found) if (fields === null) told.add(entryId)
    return found
  }
  /** Blocks until there is an entry, for as long as Redis would. */
  const read = Effect.fnUntraced(function*(count: number) {
    const untilMs = (yield* monotonicMs) + blockMs
    for (;;) {
      const found = yield* ask(world, "xreadgroup", () => readNow(count), true, answerDeadlineMs)
      const nowMs = yield* monotonicMs
      lastReadMs = nowMs
      const leftMs = untilMs - nowMs
      if (found.length > 0 || leftMs <= 0) return found
      yield* Effect.timeoutOption(changed(world), leftMs)
    }
  })

  return Streams.of({
    read: (count) => Effect.tapCause(read(count), () => rewind),
    rewind,
    reclaim: (minIdleMs, count) => ask(world, "xclaim", () => claimNow(minIdleMs, count), true),
    recent: (sinceMs, count, after = []) =>
      ask(world, "xrange", () => {
        const last = new Map(after.map(({ entryId, stream }) => [stream, entryId]))
        return collect((stream) => world.delivered(stream, sinceMs)).filter(({ entryId, stream }) =>
          !last.has(stream) || byId({ entryId }, { entryId: last.get(stream)! }) > 0).slice(0, count)
      }, false),
    acknowledge: (entries) =>
      ask(world, "xack", () => {
        for (const { entryId, stream } of entries) world.acknowledge(stream, [entryId])
      }, true),
    append: (messages) =>
      ask(world, "xadd", () => {
        for (const { eventId, fields, topic } of messages) {
          if (world.refused.has(topic)) throw failure("xadd", "Refused", "WRONGTYPE Operation against a key holding the wrong kind of value")
          world.add(topicStreams[topic], { event_id: eventId, ...fields })
        }
      }, true),
    generation: Effect.sync(() => `${world.answers.breaks} ${world.wipes}`),
    ping: ask(world, "ping", () => {}, false),
    state: Effect.sync(() => kinds.map(([, stream]) => ({
      stream, lastReadMs, problem: undefined, oldestPending: world.pending(stream)[0]
    })))
  })
}

const ask = <A>(
  world: StreamsWorld,
  operation: string,
  body: () => A,
  mutates: boolean,
  deadlineMs = commandDeadlineMs
): Effect.Effect<A, StreamsError> =>
  Effect.suspend(() => {
    const answer = world.answers.reach<A, StreamsError>(body, () => failure(operation, "Unavailable", "connect ECONNREFUSED"), mutates)
    return world.answers.state !== "silent" ? answer : Effect.timeoutOrElse(answer, {
      duration: deadlineMs,
      orElse: () => Effect.fail(failure(operation, "Timeout", `no answer to ${operation}`))
    })
  })

const failure = (operation: string, reason: StreamsError["reason"], message: string) => new StreamsError({ operation, reason, message })

/** Completes when something was added, or the connection broke. */
const changed = (world: StreamsWorld): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const leave = [world.whenChanged(() => resume(Effect.void)), world.answers.whenBroken(() => resume(Effect.void))]
    return Effect.sync(() => leave.forEach((each) => each()))
  })

const collectOf = (world: StreamsWorld, from: (stream: string) => ReadonlyArray<Delivered>): ReadonlyArray<JobStreamEntry> =>
  kinds.flatMap(([kind, stream]) =>
    from(stream).map(({ deliveries, fields, id }): JobStreamEntry => ({ stream, kind, life: world.life(stream), entryId: id, fields, deliveries }))
  ).sort(byId)
