/**
 * The work queue, with client-go's promises.
 *
 * - Stingy: a key that is added many times before it is worked on is worked on once.
 * - One worker: a key is never handed to a second worker before `done`.
 * - Nothing is lost: a key that is added while it is worked on is queued again at `done`.
 * - Fair: within a priority first come, first served; a key that waits for longer than `ageingMs` goes before any priority.
 * - Shutdown: no key is taken in any more; with `drain`, those taken are worked on to the end.
 *
 * Time is the Clock's alone. One timer serves all delayed keys.
 */
import { Clock, Effect, Latch, type Scope } from "effect"
import { DelayedKeys } from "./DelayedKeys.ts"
import { Fifo } from "./Fifo.ts"
import { makeRateLimiter, type RateLimiter } from "./RateLimiter.ts"
import * as metrics from "../telemetry/metrics.ts"

/** A user's wish goes before an event, an event before the resync. */
export const Priority = { Wish: 0, Event: 1, Resync: 2 } as const
export type Priority = (typeof Priority)[keyof typeof Priority]

export interface AddOptions {
  /** Default: `Event`. A key that waits already is raised, never lowered. */
  readonly priority?: Priority
  /** What brought it, for the logs alone. */
  readonly trigger?: string
}

/** A key handed to a worker. */
export interface Taken<K> {
  readonly key: K
  readonly priority: Priority
  readonly trigger: string
}

export interface WorkQueue<K> {
  readonly add: (key: K, options?: AddOptions) => Effect.Effect<void>
  readonly addAfter: (key: K, delayMs: number, options?: AddOptions) => Effect.Effect<void>
  /** Adds the key after the delay that the rate limiter asks for: more with each call until `forget`. */
  readonly addRateLimited: (key: K, options?: AddOptions) => Effect.Effect<void>
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

interface Item<K> {
  readonly key: K
  priority: Priority
  trigger: string
  addedAtMs: number
  /** Taken out, or raised to another class: its place in the old one is void. */
  taken: boolean
}

interface Place<K> {
  readonly item: Item<K>
  readonly priority: Priority
}

const defaultAgeingMs = 10_000

/** The queue itself: synchronous, so that its every step is atomic. */
class Core<K> {
  readonly #classes = [new Fifo<Place<K>>(), new Fifo<Place<K>>(), new Fifo<Place<K>>()] as const
  /** Every key that is to be worked on: it waits in a class, or is being worked on and comes again. */
  readonly #dirty = new Map<K, Item<K>>()
  readonly #processing = new Map<K, number>()
  readonly #waiters = new Fifo<(taken: Taken<K> | undefined) => boolean>()
  readonly #idleWaiters: Array<() => void> = []
  readonly #clock: Clock.Clock
  readonly #ageingMs: number
  readonly stats: metrics.QueueStats
  #waiting = 0
  closed = false

  constructor(clock: Clock.Clock, ageingMs: number) {
    this.#clock = clock
    this.#ageingMs = ageingMs
    this.stats = metrics.queueStats(() => this.#waiting, () => this.#unfinished(), () => this.#oldestWaitingMs())
  }

  get length(): number {
    return this.#waiting
  }

  add(key: K, priority: Priority, trigger: string): void {
    if (this.closed) return
    const known = this.#dirty.get(key)
    if (known !== undefined) return this.#raise(known, priority, trigger)
    this.stats.adds++
    const item: Item<K> = { key, priority, trigger, addedAtMs: this.#clock.currentTimeMillisUnsafe(), taken: false }
    this.#dirty.set(key, item)
    if (!this.#processing.has(key)) this.#enqueue(item)
  }

  #raise(item: Item<K>, priority: Priority, trigger: string): void {
    item.trigger = trigger
    if (priority >= item.priority) return
    item.priority = priority
    if (!this.#processing.has(item.key)) this.#classes[priority].push({ item, priority })
  }

  #enqueue(item: Item<K>): void {
    this.#waiting++
    this.#classes[item.priority].push({ item, priority: item.priority })
    if (this.#waiters.size > 0) this.#serve()
  }

  #serve(): void {
    while (this.#waiters.size > 0 && this.#waiting > 0) {
      const waiter = this.#waiters.shift()!
      // A waiter that was interrupted takes nothing: the key must not go down with it.
      const taken = this.take()!
      if (!waiter(taken)) this.#putBack(taken)
    }
  }

  #putBack(taken: Taken<K>): void {
    this.#processing.delete(taken.key)
    this.add(taken.key, taken.priority, taken.trigger)
  }

  take(): Taken<K> | undefined {
    const item = this.#next()
    if (item === undefined) return undefined
    const nowMs = this.#clock.currentTimeMillisUnsafe()
    item.taken = true
    this.#waiting--
    this.#dirty.delete(item.key)
    this.#processing.set(item.key, nowMs)
    this.stats.waited(nowMs - item.addedAtMs)
    return item
  }

  /** The head of the highest class, unless the head of a lower one has waited too long. */
  #next(): Item<K> | undefined {
    if (this.#waiting === 0) return undefined
    const heads = this.#classes.map((places) => this.#head(places))
    const first = heads.find((item) => item !== undefined)
    const agedBefore = this.#clock.currentTimeMillisUnsafe() - this.#ageingMs
    let chosen = first
    for (const item of heads) {
      if (item && item.addedAtMs <= agedBefore && item.addedAtMs < chosen!.addedAtMs) chosen = item
    }
    return chosen
  }

  #head(places: Fifo<Place<K>>): Item<K> | undefined {
    for (let place = places.peek(); place !== undefined; place = places.peek()) {
      if (!place.item.taken && place.item.priority === place.priority) return place.item
      places.shift()
    }
    return undefined
  }

  done(key: K): void {
    const since = this.#processing.get(key)
    if (since === undefined) return
    this.#processing.delete(key)
    this.stats.worked(this.#clock.currentTimeMillisUnsafe() - since)
    const item = this.#dirty.get(key)
    if (item !== undefined) this.#enqueue(item)
    if (this.#waiting === 0 && this.#processing.size === 0) for (const wake of this.#idleWaiters.splice(0)) wake()
    if (this.closed && this.#waiting === 0) this.#dismiss()
  }

  /** Hands a key over now, or as soon as there is one. */
  wait(resume: (taken: Taken<K> | undefined) => boolean): void {
    if (this.#waiting > 0) resume(this.take())
    else if (this.closed) resume(undefined)
    else this.#waiters.push(resume)
  }

  whenIdle(wake: () => void): void {
    if (this.#waiting === 0 && this.#processing.size === 0) wake()
    else this.#idleWaiters.push(wake)
  }

  close(): void {
    this.closed = true
    if (this.#waiting === 0) this.#dismiss()
  }

  #dismiss(): void {
    while (this.#waiters.size > 0) this.#waiters.shift()!(undefined)
  }

  #unfinished(): ReadonlyArray<number> {
    const nowMs = this.#clock.currentTimeMillisUnsafe()
    return [...this.#processing.values()].map((sinceMs) => nowMs - sinceMs)
  }

  #oldestWaitingMs(): number {
    const nowMs = this.#clock.currentTimeMillisUnsafe()
    let oldest = nowMs
    for (const item of this.#dirty.values()) oldest = Math.min(oldest, item.addedAtMs)
    return nowMs - oldest
  }
}

/** A queue that lives as long as the scope. */
export const makeWorkQueue = Effect.fnUntraced(function*<K>(options: WorkQueueOptions<K>): Effect.fn.Return<
  WorkQueue<K>,
  never,
  Scope.Scope
> {
  const clock = yield* Clock.Clock
  const core = new Core<K>(clock, options.ageingMs ?? defaultAgeingMs)
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
    const dueMs = clock.currentTimeMillisUnsafe() + delayMs
    delayed.put(key, dueMs)
    intents.set(key, options)
    if (before === undefined || dueMs < before) wake.openUnsafe()
  }
  const addDue = Effect.sync(() => {
    const nowMs = clock.currentTimeMillisUnsafe()
    for (let key = delayed.takeDue(nowMs); key !== undefined; key = delayed.takeDue(nowMs)) {
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
      else yield* Effect.raceFirst(Effect.sleep(dueMs - clock.currentTimeMillisUnsafe()), wake.await)
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
        addAfter(key, limiter.when(key), options)
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
const waitForKey = <K>(core: Core<K>): Effect.Effect<Taken<K> | undefined> =>
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

