/**
 * Sends what the outbox holds, oldest first, and strikes it out afterwards. A crash in between sends a message again with
 * the same `event_id`; none is ever skipped.
 */
import { Effect, Metric } from "effect"
import { Store } from "../store/Store.ts"
import * as metrics from "../telemetry/metrics.ts"
import { Streams } from "./Streams.ts"

const batch = 500

/** Never ends by itself; fails when Redis or the database does, to be started again. */
export const relayOutbox = Effect.gen(function*() {
  const store = yield* Store
  const streams = yield* Streams
  for (;;) {
    yield* store.outboxSignal
    for (let full = true; full;) {
      const entries = yield* store.unsent(batch)
      yield* Metric.update(metrics.outboxDepth, entries.length)
      if (entries.length === 0) break
      yield* streams.append(entries)
      yield* store.markSent(entries.map(({ id }) => id))
      yield* Metric.update(metrics.outboxSent, entries.length)
      yield* Metric.update(metrics.outboxDepth, 0)
      full = entries.length === batch
    }
  }
})
