/**
 * The controller: takes keys from the queue, reconciles several at once, and puts each outcome back.
 *
 * - A failure, or a bug that throws, is retried with backoff; it never ends the controller.
 * - Slow work and quick looks have places of their own: no look waits for a start.
 * - A reconcile that outlives its deadline is cut off, counted and told. The key stays taken until the old run has really
 *   ended, so that no two run at once.
 * - A reconcile that takes long gives its place free: one slow game does not slow the others.
 * - A key that asks for another look again and again does so ever more slowly: it must not write in a hot loop.
 */
import { Clock, Effect, Fiber, FiberSet, Metric, type Scope } from "effect"
import * as metrics from "../telemetry/metrics.ts"
import { monotonicMs, monotonicMsOf } from "../clock/monotonic.ts"
import { type Place, Places } from "./Places.ts"
import { makeSettle, type Next } from "./settle.ts"
import { watch } from "./watch.ts"
import type { Taken, WorkQueue } from "./WorkQueue.ts"

export type { Next }

/** What a reconcile knows of its run. */
export interface Run {
  /** What brought the key, for logs and records. */
  readonly trigger: string
  /** Failures of this key in a row before this run. */
  readonly attempt: number
  /**
   * Asked before slow work: true when this run holds a slow place, or got one that was free. False: there is none, and the
   * reconcile is to end with `Later`.
   */
  readonly admitSlow: Effect.Effect<boolean>
  /** The slow work is done: others may have the place while the rest of this run goes on beside it. */
  readonly slowDone: Effect.Effect<void>
}

export interface ControllerOptions<K, E, R> {
  /** The label `controller` of metrics and logs. */
  readonly name: string
  /** Keys of slow work worked on at once. */
  readonly workers: number
  /** Quick keys worked on beside them. Default: `workers`. */
  readonly quickPlaces?: number
  readonly queue: WorkQueue<K>
  readonly reconcile: (key: K, run: Run) => Effect.Effect<Next, E, R>
  /** The logs' name of the key. Default: `key`. */
  readonly keyName?: string
  /** Default: 2 minutes. */
  readonly deadlineMs?: number
  /**
   * After this long a reconcile no longer counts as one of `workers` or `quickPlaces`; later where most of them take long.
   * Default: 2 s.
   */
  readonly lendAfterMs?: number
  /** How many may run beside them that way. Default: 64. */
  readonly maxLent?: number
  /** Running reconciles are given this long when the scope closes. Default: 5 s. */
  readonly drainMs?: number
  /** So many `Again`s of a key in a row are run at once; more of them wait. Default: 16. */
  readonly maxAgains?: number
  /** A failure that is no trouble (another write came first): retried without a word. */
  readonly isQuiet?: (error: E) => boolean
}

/** Runs for as long as the scope lives. */
export const runController = Effect.fnUntraced(function*<K, E, R>(
  options: ControllerOptions<K, E, R>
): Effect.fn.Return<void, never, R | Scope.Scope> {
  const { name, queue, workers, quickPlaces = workers } = options
  const clock = yield* Clock.Clock
  const places = new Places({
    slow: workers, quick: quickPlaces, lent: options.maxLent ?? 64, lendAfterMs: options.lendAfterMs ?? 2000,
    nowMs: () => monotonicMsOf(clock), dueInMs: queue.dueInMs
  })
  yield* metrics.initController(name, workers + quickPlaces)
  yield* metrics.registerPlaces(name, () => places.inUse)
  const running = yield* FiberSet.make<void>()
  const run = makeRun(options, places, makeSettle({ ...options, clock }))
  let runs = 0

  const dispatch = Effect.gen(function*() {
    for (;;) {
      const next = yield* queue.getFor({ free: () => places.free(), take: (taken) => ({ taken, place: places.take(taken) }) })
      if (next === undefined) return
      yield* FiberSet.run(running, run(next.taken, next.place, ++runs), { startImmediately: true })
    }
  })
  const dispatcher = yield* Effect.forkScoped(dispatch, { startImmediately: true })
  yield* Effect.addFinalizer(() =>
    Fiber.interrupt(dispatcher).pipe(
      Effect.andThen(Effect.timeoutOption(FiberSet.awaitEmpty(running), options.drainMs ?? 5000)),
      Effect.asVoid
    )
  )
})

/** One run of a key, from its place to its outcome. */
const makeRun = <K, E, R>(options: ControllerOptions<K, E, R>, places: Places, settle: ReturnType<typeof makeSettle<K, E>>) => {
  const { queue } = options
  const labels = { controller: options.name }
  const active = Metric.withAttributes(metrics.activeWorkers, labels)
  const took = Metric.withAttributes(metrics.reconcileSeconds, labels)
  const limits = { ...options, places, roomGrown: queue.roomGrown }

  const reconcile = (taken: Taken<K>, place: Place, attempt: number) =>
    Effect.suspend(() =>
      options.reconcile(taken.key, {
        trigger: taken.trigger,
        attempt,
        // A quick place may have become free.
        admitSlow: Effect.suspend(() => Effect.as(queue.roomGrown, places.admitSlow(place))),
        slowDone: Effect.suspend(() => {
          places.lend(place)
          return queue.roomGrown
        })
      })
    )
  return (taken: Taken<K>, place: Place, id: number): Effect.Effect<void, never, R> =>
    Effect.gen(function*() {
      yield* Metric.modify(active, 1)
      const startedMs = yield* monotonicMs
      const attempt = yield* queue.numRequeues(taken.key)
      const fiber = yield* Effect.forkChild(reconcile(taken, place, attempt), { startImmediately: true })
      const exit = yield* watch(fiber, { ...limits, key: taken.key, place })
      yield* Metric.update(took, ((yield* monotonicMs) - startedMs) / 1000)
      yield* Metric.modify(active, -1)
      // The key goes back first: what it goes on with comes before what others begin.
      yield* settle(taken, place, exit)
      places.release(place)
      yield* queue.roomGrown
    }).pipe(Effect.annotateLogs({
      controller: options.name,
      [options.keyName ?? "key"]: String(taken.key),
      reconcile_id: String(id),
      trigger: taken.trigger
    }))
}
