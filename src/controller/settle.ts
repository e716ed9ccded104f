/** What happens to a key after its run. */
import { Cause, type Clock, Effect, Exit, Metric, Option } from "effect"
import * as metrics from "../telemetry/metrics.ts"
import type { Place } from "./Places.ts"
import { makeRateLimiter } from "./RateLimiter.ts"
import { Priority, type Taken, type WorkQueue } from "./WorkQueue.ts"

/** What a reconcile asks for. */
export type Next =
  /** Nothing, until something happens. */
  | { readonly _tag: "Done" }
  /** It took a step: another look at once, before others begin something. */
  | { readonly _tag: "Again" }
  /** A look later. */
  | { readonly _tag: "RequeueAfter"; readonly ms: number }
  /** A run in a slow place, as soon as one is free: `admitSlow` said that there is none. */
  | { readonly _tag: "Later" }

export interface SettleOptions<K, E> {
  readonly name: string
  readonly queue: WorkQueue<K>
  readonly clock: Clock.Clock
  readonly maxAgains?: number
  readonly isQuiet?: (error: E) => boolean
}

/** Puts the key back in the queue as its run asks, and gives it free for the next. */
export const makeSettle = <K, E>(options: SettleOptions<K, E>) => {
  const { queue } = options
  const labels = { controller: options.name }
  const agains = new Agains<K>(options.clock, options.maxAgains ?? 16)
  const count = (result: typeof metrics.reconcileResults[number]) =>
    Metric.update(Metric.withAttributes(metrics.reconcileTotal, { ...labels, result }), 1)

  const failed = Effect.fnUntraced(function*({ key, priority }: Taken<K>, cause: Cause.Cause<E>) {
    if (Cause.hasInterruptsOnly(cause)) return
    const error = Option.getOrUndefined(Cause.findErrorOption(cause))
    const quiet = error !== undefined && options.isQuiet?.(error) === true
    yield* count(quiet ? "requeue" : "error")
    if (!quiet) {
      yield* Metric.update(Metric.withAttributes(metrics.reconcileErrors, labels), 1)
      yield* Effect.logWarning("reconcile failed; it is tried again", error ?? cause)
    }
    yield* queue.addRateLimited(key, { priority, slow: false, trigger: "retry", quiet })
  })

  const again = Effect.fnUntraced(function*({ key, trigger }: Taken<K>) {
    const { delayMs, inARow, isFirst } = agains.next(key)
    if (delayMs > 0) yield* Metric.update(Metric.withAttributes(metrics.reconcileUnsettled, labels), 1)
    if (isFirst) yield* Effect.logWarning(`it does not settle: ${inARow} looks in a row each asked for another; they slow down`)
    yield* queue.addAfter(key, delayMs, { priority: Priority.Begun, trigger })
  })

  /** The one switch. */
  const ended = Effect.fnUntraced(function*(taken: Taken<K>, next: Next) {
    const { key, priority, trigger } = taken
    switch (next._tag) {
      case "Done":
        yield* count("success")
        agains.settled(key)
        return yield* queue.forget(key)
      case "Again":
        yield* count("requeue")
        yield* queue.forget(key)
        return yield* again(taken)
      case "RequeueAfter":
        yield* count("requeue_after")
        agains.settled(key)
        yield* queue.forget(key)
        return yield* queue.addAfter(key, next.ms, { priority: Priority.Event, trigger: "timer" })
      case "Later":
        yield* count("requeue")
        return yield* queue.add(key, { priority, slow: true, trigger })
    }
  })

  return Effect.fnUntraced(function*(taken: Taken<K>, place: Place, exit: Exit.Exit<Next, E>) {
    if (Exit.isFailure(exit)) yield* failed(taken, exit.cause)
    else yield* ended(taken, comesAtOnce(exit.value, place) ? { _tag: "Again" } : exit.value)
    yield* queue.done(taken.key)
  })
}

/** `Again` by another name: a look later that is due now, or a run that waits for a slow place and had one. It must not escape the limit. */
const comesAtOnce = (next: Next, place: Place): boolean =>
  (next._tag === "RequeueAfter" && next.ms <= 0) || (next._tag === "Later" && place.kind === "Slow")

/** How often in a row a key asked for another look, and how long it is to wait for it: from some number on, more each time. */
class Agains<K> {
  readonly #inARow = new Map<K, number>()
  readonly #limiter: ReturnType<typeof makeRateLimiter<K>>
  readonly #atOnce: number

  constructor(clock: Clock.Clock, atOnce: number) {
    this.#limiter = makeRateLimiter<K>(clock)
    this.#atOnce = atOnce
  }

  next(key: K): { readonly delayMs: number; readonly inARow: number; readonly isFirst: boolean } {
    const inARow = (this.#inARow.get(key) ?? 0) + 1
    this.#inARow.set(key, inARow)
    const delayMs = inARow > this.#atOnce ? this.#limiter.when(key, true) : 0
    return { delayMs, inARow, isFirst: inARow === this.#atOnce + 1 }
  }

  settled(key: K): void {
    this.#inARow.delete(key)
    this.#limiter.forget(key)
  }
}
