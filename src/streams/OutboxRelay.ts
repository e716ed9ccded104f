/**
 * Sends what the outbox holds, oldest first, and strikes it out a moment afterwards. A crash in between sends a message again
 * with the same `event_id`; so does a connection that is made anew, for the server behind it may be one that took over without
 * the last messages. None is ever skipped. A topic that Redis does not take rests a while and holds up no other.
 */
import { Effect, Metric } from "effect"
import { monotonicMs } from "../clock/monotonic.ts"
import type { OutboxEntry, Topic } from "../domain/Message.ts"
import { GameWriter } from "../store/GameWriter.ts"
import * as metrics from "../telemetry/metrics.ts"
import { Streams, type StreamsError } from "./Streams.ts"

const batch = 500
const restMs = 1000
const topicsAtOnce = 4

/** A topic that was not taken. */
interface Resting {
  /** When it is tried again. */
  readonly untilMs: number
  readonly problem: string
  /** When its first message that waits was stored. */
  readonly waitingSinceMs: number
}

/** How messages go out, as the relay's own attempts tell. */
export interface OutgoingState {
  /** When the outbox was looked into last, by the monotonic clock; undefined: never. */
  readonly lastLookMs: number | undefined
  /** When the oldest message was stored that was not sent at the last look; undefined: there was none. */
  readonly oldestMs: number | undefined
  readonly refused: ReadonlyMap<Topic, string>
}

/** What the relay keeps, to be shown while it runs. */
export class Outgoing {
  readonly resting = new Map<Topic, Resting>()
  lastLookMs: number | undefined
  oldestMs: number | undefined

  get state(): OutgoingState {
    const waiting = [...this.resting.values()].map(({ waitingSinceMs }) => waitingSinceMs)
    const oldestMs = Math.min(...waiting, this.oldestMs ?? Infinity)
    return {
      lastLookMs: this.lastLookMs,
      oldestMs: oldestMs === Infinity ? undefined : oldestMs,
      refused: new Map([...this.resting].map(([topic, { problem }]) => [topic, problem]))
    }
  }
}

/** Sent, and not struck out yet. */
interface Sent {
  readonly id: number
  readonly atMs: number
  /** Of the streams, after it was appended. */
  readonly generation: string
}

/** Replicas have it by then; nobody waits for it. */
const keptMs = 1000
const mostKept = 2000
const flushMs = 300

/** Never ends by itself; fails when the database does, to be started again. */
export const relayOutbox = Effect.fnUntraced(function*(outgoing: Outgoing) {
  const writer = yield* GameWriter
  const streams = yield* Streams
  let sent: ReadonlyArray<Sent> = []
  const relaying = Effect.gen(function*() {
    for (;;) {
      yield* writer.outboxSignal
      for (let full = true; full;) {
        const [due, kept] = struckOut(sent, yield* streams.generation, yield* monotonicMs)
        const { found, taken } = yield* relayBatch(outgoing, due, kept)
        sent = [...kept, ...taken]
        full = found === batch
      }
    }
  })
  // Otherwise all of it would be sent once more at the next start.
  const flush = Effect.flatMap(streams.generation, (generation) => {
    const there = sent.filter((each) => each.generation === generation)
    return there.length === 0 ? Effect.void : Effect.timeoutOption(writer.markSent(idsOf(there)), flushMs)
  })
  yield* Effect.onExit(relaying, () => Effect.ignore(flush))
})

const idsOf = (sent: ReadonlyArray<Sent>): ReadonlyArray<number> => sent.map(({ id }) => id)

/** What to strike out, and what to keep for a moment. What may be lost is neither: it is sent again. */
const struckOut = (sent: ReadonlyArray<Sent>, generation: string, nowMs: number): readonly [due: ReadonlyArray<Sent>, kept: ReadonlyArray<Sent>] => {
  const there = sent.filter((each) => each.generation === generation)
  const isDue = ({ atMs }: Sent, index: number) => nowMs - atMs >= keptMs || there.length - index > mostKept
  return [there.filter(isDue), there.filter((each, index) => !isDue(each, index))]
}

/** Answers how many were found, and what of them was sent. */
const relayBatch = Effect.fnUntraced(function*(outgoing: Outgoing, due: ReadonlyArray<Sent>, kept: ReadonlyArray<Sent>) {
  const writer = yield* GameWriter
  const nowMs = yield* monotonicMs
  const except = [...outgoing.resting].flatMap(([topic, { untilMs }]) => untilMs > nowMs ? [topic] : [])
  const entries = yield* writer.unsent(batch, { except, sent: idsOf(due), kept: idsOf(kept) })
  outgoing.lastLookMs = nowMs
  outgoing.oldestMs = entries[0]?.storedAtMs
  yield* Metric.update(metrics.outboxDepth, entries.length)
  if (entries.length === 0) return { found: 0, taken: [] }
  const appended = yield* Effect.forEach(Map.groupBy(entries, ({ topic }) => topic), ([topic, mine]) => send(topic, mine, outgoing), { concurrency: topicsAtOnce })
  const taken = appended.flat()
  outgoing.oldestMs = undefined
  yield* Metric.update(metrics.outboxSent, taken.length)
  yield* Metric.update(metrics.outboxDepth, entries.length - taken.length)
  return { found: entries.length, taken }
})

/** Answers what was sent: all of it, or nothing when the topic is not taken. */
const send = (topic: Topic, entries: ReadonlyArray<OutboxEntry>, outgoing: Outgoing) =>
  Effect.gen(function*() {
    const streams = yield* Streams
    yield* streams.append(entries)
    const generation = yield* streams.generation
    const atMs = yield* monotonicMs
    if (outgoing.resting.delete(topic)) yield* Effect.logInfo("the messages of a topic go out again", { topic })
    return entries.map(({ id }): Sent => ({ id, atMs, generation }))
  }).pipe(Effect.catch((error) => rest(topic, entries, error, outgoing)))

const rest = Effect.fnUntraced(function*(topic: Topic, entries: ReadonlyArray<OutboxEntry>, error: StreamsError, { resting }: Outgoing) {
  const before = resting.get(topic)
  if (before === undefined) yield* Effect.logError("Redis does not take the messages of a topic; they wait", { topic }, error)
  resting.set(topic, {
    untilMs: (yield* monotonicMs) + restMs, problem: error.message, waitingSinceMs: before?.waitingSinceMs ?? entries[0]!.storedAtMs
  })
  yield* Metric.update(Metric.withAttributes(metrics.loopFailures, { loop: `outbox relay ${topic}` }), 1)
  return []
})
