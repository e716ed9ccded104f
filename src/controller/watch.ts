/** Waits for the end of a run: lends its place when it takes long, cuts it off when it takes too long. */
import { Effect, Exit, Fiber, Metric, Option } from "effect"
import * as metrics from "../telemetry/metrics.ts"
import { monotonicMs } from "../clock/monotonic.ts"
import type { Place, Places } from "./Places.ts"

export interface WatchOptions {
  readonly name: string
  readonly key: unknown
  readonly place: Place
  readonly places: Places
  /** Run when the place was given free. */
  readonly roomGrown: Effect.Effect<void>
  readonly deadlineMs?: number
}

/** Ends when the run has really ended. One that was cut off counts as died. */
export const watch = Effect.fnUntraced(function*<A, E>(fiber: Fiber.Fiber<A, E>, options: WatchOptions): Effect.fn.Return<Exit.Exit<A, E>> {
  const { place, places, deadlineMs = 120_000 } = options
  const deadlineAtMs = (yield* monotonicMs) + deadlineMs
  let waitMs = places.lendAfterMs(place)
  for (let leftMs = deadlineMs; leftMs > 0; leftMs = deadlineAtMs - (yield* monotonicMs)) {
    const exit = yield* Effect.timeoutOption(Fiber.await(fiber), Math.min(waitMs, leftMs))
    if (Option.isSome(exit)) return exit.value
    // It may have changed its place for a slow one meanwhile, which it may keep as long as any.
    const heldMs = (yield* monotonicMs) - place.sinceMs
    const lendAfterMs = places.lendAfterMs(place)
    waitMs = heldMs < lendAfterMs ? lendAfterMs - heldMs : lendAfterMs
    if (heldMs < lendAfterMs) continue
    places.lend(place)
    yield* options.roomGrown
  }
  places.release(place)
  yield* options.roomGrown
  yield* Metric.update(Metric.withAttributes(metrics.reconcileDeadlines, { controller: options.name }), 1)
  yield* Effect.logError(`reconcile of ${String(options.key)} did not end within ${deadlineMs} ms; it is cut off`)
  yield* Fiber.interrupt(fiber)
  return Exit.die(new Error(`reconcile deadline of ${deadlineMs} ms exceeded`))
})
