/**
 * Sends what the outbox holds, oldest first, and strikes it out afterwards. A crash in between sends a message again with
 * the same `event_id`; none is ever skipped. A topic that Redis refuses rests a while and holds up no other.
 */
import { Effect, Exit, Metric } from "effect"
import { monotonicMs } from "../clock/monotonic.ts"
import type { OutboxEntry, Topic } from "../domain/Message.ts"
import { GameWriter } from "../store/GameWriter.ts"
import * as metrics from "../telemetry/metrics.ts"
import { Streams, type StreamsError } from "./Streams.ts"

const batch = 500
const restMs = 1000

/** When a topic that was refused is tried again. */
type Resting = Map<Topic, number>

/** Sent, and not struck out yet: that is done with the next look, or soon where none is to come. */
interface Sent {
  ids: ReadonlyArray<number>
}

const strikeOutMs = 100
const flushMs = 300

/** Never ends by itself; fails when Redis or the database does, to be started again. */
export const relayOutbox = Effect.gen(function*() {
  const writer = yield* GameWriter
  const resting: Resting = new Map()
  const sent: Sent = { ids: [] }
  const relaying = Effect.gen(function*() {
    for (;;) {
      yield* sent.ids.length === 0 ? writer.outboxSignal : Effect.timeoutOption(writer.outboxSignal, strikeOutMs)
      for (let full = true; full;) full = yield* relayBatch(resting, sent)
    }
  })
  // Otherwise all of it would be sent once more at the next start.
  const flush = Effect.suspend(() => sent.ids.length === 0 ? Effect.void : Effect.timeoutOption(writer.markSent(sent.ids), flushMs))
  yield* Effect.onExit(relaying, () => Effect.ignore(flush))
})

/** Answers whether more may wait. */
const relayBatch = Effect.fnUntraced(function*(resting: Resting, sent: Sent) {
  const writer = yield* GameWriter
  const nowMs = yield* monotonicMs
  const except = [...resting].flatMap(([topic, untilMs]) => untilMs > nowMs ? [topic] : [])
  const entries = yield* writer.unsent(batch, { except, sent: sent.ids })
  sent.ids = []
  yield* Metric.update(metrics.outboxDepth, entries.length)
  if (entries.length === 0) return false
  const exits = yield* Effect.forEach(Map.groupBy(entries, ({ topic }) => topic), ([topic, mine]) => Effect.exit(send(topic, mine, resting)))
  // What was sent is struck out, whatever became of the rest.
  sent.ids = exits.flatMap((exit) => Exit.isSuccess(exit) ? exit.value : [])
  yield* Metric.update(metrics.outboxSent, sent.ids.length)
  yield* Metric.update(metrics.outboxDepth, entries.length - sent.ids.length)
  for (const exit of exits) yield* exit
  return entries.length === batch
})

/** Answers what was sent: all of it, or nothing when the topic is refused. */
const send = Effect.fnUntraced(function*(topic: Topic, entries: ReadonlyArray<OutboxEntry>, resting: Resting) {
  const streams = yield* Streams
  yield* streams.append(entries)
  resting.delete(topic)
  return entries.map(({ id }) => id)
}, (sending, topic, _entries, resting) => Effect.catchIf(sending, isRefused, (error) => rest(topic, error, resting)))

const isRefused = (error: StreamsError): boolean => error.reason === "Refused"

const rest = Effect.fnUntraced(function*(topic: Topic, error: StreamsError, resting: Resting) {
  if (!resting.has(topic)) yield* Effect.logError("Redis refuses the messages of a topic; they wait", { topic }, error)
  resting.set(topic, (yield* monotonicMs) + restMs)
  yield* Metric.update(Metric.withAttributes(metrics.loopFailures, { loop: `outbox relay ${topic}` }), 1)
  return []
})
