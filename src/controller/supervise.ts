/**
 * Background loops. A fiber that fails on its own is silent, so every loop that is to live as long as its scope runs
 * through here: its failure is logged and counted, and it starts again.
 */
import { Cause, Effect, Metric, Schedule } from "effect"
import * as metrics from "../telemetry/metrics.ts"

const backoff = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/** Runs `loop` until it is interrupted; starts it again, with growing pauses, whenever it fails or ends. */
export const supervise = <E, R>(name: string, loop: Effect.Effect<unknown, E, R>): Effect.Effect<never, never, R> =>
  loop.pipe(
    Effect.andThen(Effect.logWarning("background loop ended", { loop: name })),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.andThen(
        Metric.update(Metric.withAttributes(metrics.loopFailures, { loop: name }), 1),
        Effect.logError(`background loop ${name} failed; it starts again`, cause)
      )
    ),
    Effect.repeat(backoff),
    Effect.andThen(Effect.never)
  )

/** `supervise` in the background of the scope. */
export const spawn = <E, R>(name: string, loop: Effect.Effect<unknown, E, R>) => Effect.forkScoped(supervise(name, loop))
