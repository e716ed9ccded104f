/**
 * The work queue, with client-go's promises.
 *
 * - Stingy: a key that is added many times before it is worked on is worked on once.
 * - One worker: a key is never handed to a second worker before `done`.
 * - Nothing is lost: a key that is added while it is worked on is queued again at `done`.
 * - Fair: within a priority first come, first served; of keys that have waited for longer than `ageingMs`, every fourth turn
 *   takes one before any priority.
 * - Shutdown: no key is taken in any more; those taken are worked on to the end.
 *
 * Time is the Clock's alone. One timer serves all delayed keys.
 */
import { Clock, Effect, Latch, type Scope } from "effect"
import { DelayedKeys } from "./DelayedKeys.ts"
import { monotonicMsOf } from "./monotonic.ts"
import { Priority, QueueCore, type Taken } from "./QueueCore.ts"
import { makeRateLimiter, type RateLimiter } from "./RateLimiter.ts"
import * as metrics from "../telemetry/metrics.ts"

export { Priority, type Taken }

export interface AddOptions {
  /** Default: `Event`. A key that waits already is raised, never lowered. */
  readonly priority?: Priority
  /** What brought it, for the logs alone. */
  readonly trigger?: string
}

export interface RetryOptions extends AddOptions {
  /** The failure was no trouble: the key waits for its own delay only. So does a wish. */
  readonly quiet?: boolean
}

export interface WorkQueue<K> {
  readonly add: (key: K, options?: AddOptions) => Effect.Effect<void>
  readonly addAfter: (key: K, delayMs: number, options?: AddOptions) => Effect.Effect<void>
  /** Adds the key after the delay that the rate limiter asks for: more with each call until `forget`. */
  readonly addRateLimited: (key: K, options?: RetryOptions) => Effect.Effect<void>
  /** The key did well: its next `addRateLimited` waits the base delay again. */
  readonly forget: (key: K) => Effect.Effect<void>
  readonly numRequeues: (key: K) => Effect.Effect<number>
  /** The next key; waits for one. undefined: the queue was shut down. */
  readonly get: Effect.Effect<Taken<K> | undefined>
  readonly done: (key: K) => Effect.Effect<void>
  readonly length: Effect.Effect<number>
  /** Completes when no key waits or is worked on (delayed keys do not count). */
  readonly idle: Effect.Effect<void>
  /** Takes no more keys in; workers get `undefined` once the queue is empty. */
  readonly shutDown: Effect.Effect<void>
}

export interface WorkQueueOptions<K> {
  /** The metrics' label `name`. */
  readonly name: string
  readonly rateLimiter?: RateLimiter<K>
  /** Default: 10 s. */
  readonly ageingMs?: number
}

const defaultAgeingMs = 10_000

/** A queue that lives as long as the scope. */
export const makeWorkQueue = Effect.fnUntraced(function*<K>(options: WorkQueueOptions<K>): Effect.fn.Return<
  WorkQueue<K>,
  never,
  Scope.Scope
> {
  const clock = yield* Clock.Clock
  const nowMs = () => monotonicMsOf(clock)
  const core = new QueueCore<K>(clock, options.ageingMs ?? defaultAgeingMs)
  const limiter = options.rateLimiter ?? makeRateLimiter<K>(clock)
  const delayed = new DelayedKeys<K>()
  const intents = new Map<K, AddOptions>()
  const wake = yield* Latch.make(false)
  yield* metrics.registerQueue(options.name, core.stats)

  const add = (key: K, { priority = Priority.Event, trigger = "" }: AddOptions = {}): void => core.add(key, priority, trigger)
  const addAfter = (key: K, delayMs: number, options: AddOptions = {}): void => {
    if (core.closed) return
    if (delayMs <= 0) return add(key, options)
    const before = delayed.nextDueMs()
    const dueMs = nowMs() + delayMs
    delayed.put(key, dueMs)
    intents.set(key, options)
    if (before === undefined || dueMs < before) wake.openUnsafe()
  }
  const addDue = Effect.sync(() => {
    const dueBy = nowMs()
    for (let key = delayed.takeDue(dueBy); key !== undefined; key = delayed.takeDue(dueBy)) {
      const intent = intents.get(key)
      intents.delete(key)
      add(key, intent)
    }
  })
  const timer = Effect.gen(function*() {
    for (;;) {
      wake.closeUnsafe()
      yield* addDue
      const dueMs = delayed.nextDueMs()
      if (dueMs === undefined) yield* wake.await
      else yield* Effect.raceFirst(Effect.sleep(Math.ceil(dueMs - nowMs())), wake.await)
    }
  })
  yield* Effect.forkScoped(timer)
  yield* Effect.addFinalizer(() => Effect.sync(() => core.close()))

  return {
    add: (key, options) => Effect.sync(() => add(key, options)),
    addAfter: (key, delayMs, options) => Effect.sync(() => addAfter(key, delayMs, options)),
    addRateLimited: (key, options) =>
      Effect.sync(() => {
        core.stats.retries++
        addAfter(key, limiter.when(key, options?.quiet === true || options?.priority === Priority.Wish), options)
      }),
    forget: (key) => Effect.sync(() => limiter.forget(key)),
    numRequeues: (key) => Effect.sync(() => limiter.numRequeues(key)),
    get: Effect.suspend(() => core.length > 0 ? Effect.succeed(core.take()) : waitForKey(core)),
    done: (key) => Effect.sync(() => core.done(key)),
    length: Effect.sync(() => core.length),
    idle: Effect.callback<void>((resume) => core.whenIdle(() => resume(Effect.void))),
    shutDown: Effect.sync(() => core.close())
  }
})

/** Waits for a key without losing it to an interruption. */
const waitForKey = <K>(core: QueueCore<K>): Effect.Effect<Taken<K> | undefined> =>
  Effect.callback<Taken<K> | undefined>((resume) => {
    let open = true
    core.wait((taken) => {
      if (open) resume(Effect.succeed(taken))
      return open
    })
    return Effect.sync(() => {
      open = false
    })
  })
