/**
 * The controller: takes keys from the queue, reconciles `workers` of them at once, and puts each outcome back.
 *
 * - A failure, or a bug that throws, is retried with backoff; it never ends the controller.
 * - A reconcile that outlives its deadline is cut off, counted and told. The key stays taken until the old run has really
 *   ended, so that no two run at once.
 * - A reconcile that takes long gives its place free: one slow game does not slow the others.
 */
import { Cause, Effect, Exit, Fiber, FiberSet, Metric, Option, type Scope, Semaphore } from "effect"
import * as metrics from "../telemetry/metrics.ts"
import { monotonicMs } from "./monotonic.ts"
import { Priority, type Taken, type WorkQueue } from "./WorkQueue.ts"

/** What a reconcile asks for: nothing, another look at once, or a look later. */
export type Outcome =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Again" }
  | { readonly _tag: "RequeueAfter"; readonly ms: number }

export interface ControllerOptions<K, E, R> {
  /** The label `controller` of metrics and logs. */
  readonly name: string
  /** Keys worked on at once. */
  readonly workers: number
  readonly queue: WorkQueue<K>
  readonly reconcile: (key: K) => Effect.Effect<Outcome, E, R>
  /** The logs' name of the key. Default: `key`. */
  readonly keyName?: string
  /** Default: 2 minutes. */
  readonly deadlineMs?: number
  /** After this long a reconcile no longer counts as one of `workers`. Default: 2 s. */
  readonly lendAfterMs?: number
  /** How many may run beside `workers` that way. Default: 64. */
  readonly maxLent?: number
  /** Running reconciles are given this long when the scope closes. Default: 5 s. */
  readonly drainMs?: number
  /** A failure that is no trouble (another write came first): retried without a word. */
  readonly isQuiet?: (error: E) => boolean
}

/** Runs for as long as the scope lives. */
export const runController = Effect.fnUntraced(function*<K, E, R>(
  options: ControllerOptions<K, E, R>
): Effect.fn.Return<void, never, R | Scope.Scope> {
  yield* metrics.initController(options.name, options.workers)
  const places = yield* Semaphore.make(options.workers)
  const running = yield* FiberSet.make<void>()
  const active = Metric.withAttributes(metrics.activeWorkers, { controller: options.name })
  const labels = { controller: options.name }
  let runs = 0
  let lent = 0

  const dispatch = Effect.gen(function*() {
    for (;;) {
      yield* places.take(1)
      const taken = yield* options.queue.get
      if (taken === undefined) return
      yield* FiberSet.run(running, run(taken, ++runs), { startImmediately: true })
    }
  })

  const run = (taken: Taken<K>, id: number): Effect.Effect<void, never, R> =>
    Effect.gen(function*() {
      yield* Metric.modify(active, 1)
      const startedMs = yield* monotonicMs
      const fiber = yield* Effect.forkChild(Effect.suspend(() => options.reconcile(taken.key)), { startImmediately: true })
      const exit = yield* watch(fiber, taken.key)
      const tookMs = (yield* monotonicMs) - startedMs
      yield* Metric.update(Metric.withAttributes(metrics.reconcileSeconds, labels), tookMs / 1000)
      yield* Metric.modify(active, -1)
      yield* settle(taken, exit)
    }).pipe(Effect.annotateLogs({
      controller: options.name,
      [options.keyName ?? "key"]: String(taken.key),
      reconcile_id: String(id),
      trigger: taken.trigger
    }))

  /** Waits for the end of a run: lends its place when it is slow, cuts it off when it is too slow. */
  const watch = Effect.fnUntraced(function*(fiber: Fiber.Fiber<Outcome, E>, key: K) {
    const lendAfterMs = options.lendAfterMs ?? 2000
    const deadlineMs = options.deadlineMs ?? 120_000
    const soon = yield* Effect.timeoutOption(Fiber.await(fiber), lendAfterMs)
    if (Option.isSome(soon)) {
      yield* places.release(1)
      return soon.value
    }
    const lends = lent < (options.maxLent ?? 64)
    if (lends) {
      lent++
      yield* places.release(1)
    }
    const late = yield* Effect.timeoutOption(Fiber.await(fiber), Math.max(0, deadlineMs - lendAfterMs))
    if (lends) lent--
    else yield* places.release(1)
    if (Option.isSome(late)) return late.value
    yield* Metric.update(Metric.withAttributes(metrics.reconcileDeadlines, labels), 1)
    yield* Effect.logError(`reconcile of ${String(key)} did not end within ${deadlineMs} ms; it is cut off`)
    yield* Fiber.interrupt(fiber)
    return Exit.die(new Error(`reconcile deadline of ${deadlineMs} ms exceeded`)) as Exit.Exit<Outcome, E>
  })

  /** The one switch: what happens to a key after its run. */
  const settle = Effect.fnUntraced(function*(taken: Taken<K>, exit: Exit.Exit<Outcome, E>) {
    const { queue } = options
    const { key } = taken
    if (Exit.isFailure(exit)) {
      if (Cause.hasInterruptsOnly(exit.cause)) return yield* queue.done(key)
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      const quiet = error !== undefined && options.isQuiet?.(error) === true
      yield* count(quiet ? "requeue" : "error")
      if (!quiet) {
        yield* Metric.update(Metric.withAttributes(metrics.reconcileErrors, labels), 1)
        yield* Effect.logWarning("reconcile failed; it is tried again", error ?? exit.cause)
      }
      yield* queue.addRateLimited(key, { priority: taken.priority, trigger: "retry", quiet })
      return yield* queue.done(key)
    }
    const outcome = exit.value
    switch (outcome._tag) {
      case "Done":
        yield* count("success")
        yield* queue.forget(key)
        break
      case "Again":
        yield* count("requeue")
        yield* queue.forget(key)
        yield* queue.add(key, { priority: taken.priority, trigger: taken.trigger })
        break
      case "RequeueAfter":
        yield* count("requeue_after")
        yield* queue.forget(key)
        yield* queue.addAfter(key, outcome.ms, { priority: Priority.Event, trigger: "timer" })
        break
    }
    yield* queue.done(key)
  })

  const count = (result: typeof metrics.reconcileResults[number]) =>
    Metric.update(Metric.withAttributes(metrics.reconcileTotal, { ...labels, result }), 1)

  const dispatcher = yield* Effect.forkScoped(dispatch)
  yield* Effect.addFinalizer(() =>
    Fiber.interrupt(dispatcher).pipe(
      Effect.andThen(Effect.timeoutOption(FiberSet.awaitEmpty(running), options.drainMs ?? 5000)),
      Effect.asVoid
    )
  )
})
