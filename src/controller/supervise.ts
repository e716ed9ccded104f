/**
 * Background loops. A fiber that fails on its own is silent, so every loop that is to live as long as its scope runs
 * through here: its failure is logged and counted, and it starts again.
 */
import { Cause, Effect, Metric } from "effect"
import * as metrics from "../telemetry/metrics.ts"
import { monotonicMs } from "../clock/monotonic.ts"

const firstPauseMs = 100
const longestPauseMs = 2000

/**
 * Runs `loop` until it is interrupted; starts it again whenever it fails or ends. The pauses grow while it keeps failing,
 * and begin anew once it has lived longer than the longest of them: an outage of yesterday must not slow today's.
 */
export const supervise = <E, R>(name: string, loop: Effect.Effect<unknown, E, R>): Effect.Effect<never, never, R> => {
  const once = loop.pipe(
    Effect.andThen(Effect.logWarning("background loop ended", { loop: name })),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.andThen(
        Metric.update(Metric.withAttributes(metrics.loopFailures, { loop: name }), 1),
        Effect.logError(`background loop ${name} failed; it starts again`, cause)
      )
    )
  )
  return Effect.gen(function*() {
    for (let pauseMs = firstPauseMs;; pauseMs = Math.min(longestPauseMs, 2 * pauseMs)) {
      const startedMs = yield* monotonicMs
      yield* once
      if ((yield* monotonicMs) - startedMs > longestPauseMs) pauseMs = firstPauseMs
      yield* Effect.sleep(pauseMs)
    }
  })
}

/** `supervise` in the background of the scope. */
export const spawn = <E, R>(name: string, loop: Effect.Effect<unknown, E, R>) => Effect.forkScoped(supervise(name, loop))
