/**
 * The work queue, with client-go's promises.
 *
 * - Stingy: a key that is added many times before it is worked on is worked on once.
 * - One worker: a key is never handed to a second worker before `done`.
 * - Nothing is lost: a key that is added while it is worked on is queued again at `done`.
 * - Fair: the highest class first, within a class first come, first served; no class starves (see Priority.ts).
 * - Quick looks need not wait for slow work: a taker may ask for the keys that are not slow.
 * - Shutdown: no key is taken in any more; those taken are worked on to the end.
 *
 * Time is the Clock's alone. One timer serves all delayed keys.
 */
import { Clock, Effect, Latch, type Scope } from "effect"
import { DelayedKeys } from "./DelayedKeys.ts"
import { monotonicMsOf } from "../clock/monotonic.ts"
import { classes, Priority } from "./Priority.ts"
import { type Free, QueueCore, type Taken } from "./QueueCore.ts"
import { makeRateLimiter, type RateLimiter } from "./RateLimiter.ts"
import * as metrics from "../telemetry/metrics.ts"

export { Priority, type Free, type Taken }

export interface AddOptions {
  /** Default: `Event`. A key that waits already is raised, never lowered. */
  readonly priority?: Priority
  /**
   * It will keep a worker busy for long. Default: true for `Wish`, else false. A key that waits already becomes quick, never
   * slow; the resync alone, which knows nothing new, leaves it as it is.
   */
  readonly slow?: boolean
  /** What brought it, for the logs alone. */
  readonly trigger?: string
}

export interface RetryOptions extends AddOptions {
  /** The failure was no trouble: the key waits for its own delay only. So do `Begun` and `Wish`. */
  readonly quiet?: boolean
}

/** What a taker of keys has room for, and what it makes of a key. */
export interface Room<K, A> {
  /** Asked in the moment of a hand-over. */
  readonly free: () => Free
  /** Run in the same moment, so that the room is occupied before anybody else can ask for it. */
  readonly take: (taken: Taken<K>) => A
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
  /** The next key that there is room for; waits for both. */
  readonly getFor: <A>(room: Room<K, A>) => Effect.Effect<A | undefined>
  /** Room has grown: whoever waits in `getFor` is asked again. */
  readonly roomGrown: Effect.Effect<void>
  readonly done: (key: K) => Effect.Effect<void>
  readonly length: Effect.Effect<number>
  /** Until the next delayed key comes; undefined: none is delayed. */
  readonly dueInMs: () => number | undefined
  /** Completes when no key waits or is worked on (delayed keys do not count). */
  readonly idle: Effect.Effect<void>
  /** Takes no more keys in; workers get `undefined` once the queue is empty. */
  readonly shutDown: Effect.Effect<void>
}

export interface WorkQueueOptions<K> {
  /** The metrics' label `name`. */
  readonly name: string
  readonly rateLimiter?: RateLimiter<K>
}

const priorityOf = (options: AddOptions): Priority => options.priority ?? Priority.Event
const isSlow = (options: AddOptions): boolean => options.slow ?? classes[priorityOf(options)].slow

/** A queue that lives as long as the scope. */
export const makeWorkQueue = Effect.fnUntraced(function*<K>(options: WorkQueueOptions<K>): Effect.fn.Return<
  WorkQueue<K>,
  never,
  Scope.Scope
> {
  const clock = yield* Clock.Clock
  const core = new QueueCore<K>(clock)
  const limiter = options.rateLimiter ?? makeRateLimiter<K>(clock)
  yield* metrics.registerQueue(options.name, core.stats)
  const add = (key: K, options: AddOptions = {}): void => {
    core.add(key, priorityOf(options), isSlow(options), options.trigger ?? "")
  }
  const delay = yield* makeDelay(clock, core, add)
  const { addAfter } = delay
  yield* Effect.addFinalizer(() => Effect.sync(() => core.close()))

  return {
    add: (key, options) => Effect.sync(() => add(key, options)),
    addAfter: (key, delayMs, options) => Effect.sync(() => addAfter(key, delayMs, options)),
    addRateLimited: (key, options = {}) =>
      Effect.sync(() => {
        core.stats.retries++
        const alone = options.quiet === true || classes[priorityOf(options)].retriesAlone
        addAfter(key, limiter.when(key, alone), options)
      }),
    forget: (key) => Effect.sync(() => limiter.forget(key)),
    numRequeues: (key) => Effect.sync(() => limiter.numRequeues(key)),
    get: get(core, { free: () => "Any", take: (taken) => taken }),
    getFor: (room) => get(core, room),
    roomGrown: Effect.sync(() => core.serve()),
    done: (key) => Effect.sync(() => core.done(key)),
    length: Effect.sync(() => core.length),
    dueInMs: delay.dueInMs,
    idle: Effect.callback<void>((resume) => core.whenIdle(() => resume(Effect.void))),
    shutDown: Effect.sync(() => core.close())
  }
})

interface Delay<K> {
  readonly addAfter: (key: K, delayMs: number, options?: AddOptions) => void
  readonly dueInMs: () => number | undefined
}

/** Adds keys later, with one timer for all of them. */
const makeDelay = Effect.fnUntraced(function*<K>(
  clock: Clock.Clock,
  core: QueueCore<K>,
  add: (key: K, options?: AddOptions) => void
): Effect.fn.Return<Delay<K>, never, Scope.Scope> {
  const nowMs = () => monotonicMsOf(clock)
  const delayed = new DelayedKeys<K>()
  const intents = new Map<K, AddOptions>()
  const wake = yield* Latch.make(false)
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
  const addAfter: Delay<K>["addAfter"] = (key, delayMs, options = {}) => {
    if (core.closed) return
    if (delayMs <= 0) return add(key, options)
    const before = delayed.nextDueMs()
    const dueMs = nowMs() + delayMs
    const known = intents.get(key)
    const holds = delayed.put(key, dueMs)
    intents.set(key, known === undefined ? options : both(known, options, holds ? options : known))
    if (before === undefined || dueMs < before) wake.openUnsafe()
  }
  const dueInMs = () => {
    const dueMs = delayed.nextDueMs()
    return dueMs === undefined ? undefined : dueMs - nowMs()
  }
  return { addAfter, dueInMs }
})

/** One intent for a key that two ask for: raised, never lowered, and called by the one whose time holds. */
const both = (one: AddOptions, other: AddOptions, { trigger = "" }: AddOptions): AddOptions => {
  const higher = priorityOf(one) < priorityOf(other) ? one : other
  return { priority: priorityOf(higher), slow: isSlow(one) && isSlow(other), trigger }
}

/** Takes a key, or waits for one without losing it to an interruption. */
const get = <K, A>(core: QueueCore<K>, room: Room<K, A>): Effect.Effect<A | undefined> => {
  const wait = Effect.callback<A | undefined>((resume) => {
    const leave = core.wait({
      free: room.free,
      give: (taken) => resume(Effect.succeed(taken === undefined ? undefined : room.take(taken)))
    })
    return Effect.sync(leave)
  })
  return Effect.suspend(() => {
    const taken = core.take(room.free())
    if (taken !== undefined) return Effect.succeed(room.take(taken))
    return core.isOver ? Effect.undefined : wait
  })
}
