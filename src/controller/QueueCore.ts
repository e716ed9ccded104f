/** The queue itself: synchronous, so that its every step is atomic. Its promises are told in WorkQueue.ts. */
import type { Clock } from "effect"
import { type Entry, Line } from "./Line.ts"
import { monotonicMsOf } from "../clock/monotonic.ts"
import { classes, type Priority } from "./Priority.ts"
import { type Item, type Kind, Waiting } from "./Waiting.ts"
import * as metrics from "../telemetry/metrics.ts"

/** A key handed to a worker. */
export interface Taken<K> {
  readonly key: K
  readonly priority: Priority
  /** It was queued as slow work. */
  readonly slow: boolean
  readonly trigger: string
}

/** Which keys a taker has room for. */
export type Free = Kind | "None"

interface Waiter<K> {
  readonly free: () => Free
  /** Called once, in the moment of the hand-over; undefined: there will be no more keys. */
  readonly give: (taken: Taken<K> | undefined) => void
}

export class QueueCore<K> {
  readonly #waiting = new Waiting<K>()
  /** Every key that is to be worked on: it waits, or is being worked on and comes again. */
  readonly #dirty = new Map<K, Item<K>>()
  readonly #processing = new Map<K, number>()
  readonly #waiters = new Line<Waiter<K>>()
  readonly #idleWaiters: Array<() => void> = []
  readonly #nowMs: () => number
  readonly stats: metrics.QueueStats
  closed = false

  constructor(clock: Clock.Clock) {
    this.#nowMs = () => monotonicMsOf(clock)
    this.stats = metrics.queueStats(() => this.length, () => this.#unfinished(), () => this.#oldestWaitingMs())
  }

  get length(): number {
    return this.#waiting.size
  }

  add(key: K, priority: Priority, slow: boolean, trigger: string): void {
    if (this.closed) return
    const known = this.#dirty.get(key)
    if (known !== undefined) return this.#raise(known, priority, slow, trigger)
    this.stats.adds++
    const item: Item<K> = { key, priority, slow, trigger, addedAtMs: this.#nowMs(), entries: undefined }
    this.#dirty.set(key, item)
    if (!this.#processing.has(key)) this.#enqueue(item)
  }

  #raise(item: Item<K>, priority: Priority, slow: boolean, trigger: string): void {
    item.trigger = trigger
    const quickens = item.slow && !slow && classes[priority].isNews
    if (item.entries === undefined) {
      if (quickens) item.slow = false
      if (priority < item.priority) item.priority = priority
      return
    }
    if (quickens) this.#waiting.quicken(item)
    if (priority < item.priority) this.#waiting.raise(item, priority)
    if (quickens) this.serve()
  }

  #enqueue(item: Item<K>): void {
    this.#waiting.join(item)
    this.serve()
  }

  /** Hands keys to those who wait for them: when a key came, and when a taker's room has grown. */
  serve(): void {
    let waiter = this.#waiters.first
    while (waiter !== undefined && this.length > 0) {
      const taken = this.take(waiter.item.free())
      if (taken === undefined) waiter = waiter.next
      else {
        this.#waiters.leave(waiter)
        waiter.item.give(taken)
        // Whoever was given a key may have come back, or sent others away.
        waiter = this.#waiters.first
      }
    }
    if (this.isOver) this.#dismiss()
  }

  /** Takes a key out now, if there is one that there is room for. */
  take(free: Free): Taken<K> | undefined {
    if (free === "None" || this.length === 0) return undefined
    const item = this.#waiting.take(free)
    if (item === undefined) return undefined
    const nowMs = this.#nowMs()
    this.#dirty.delete(item.key)
    this.#processing.set(item.key, nowMs)
    this.stats.waited(nowMs - item.addedAtMs)
    return item
  }

  done(key: K): void {
    const since = this.#processing.get(key)
    if (since === undefined) return
    this.#processing.delete(key)
    this.stats.worked(this.#nowMs() - since)
    const item = this.#dirty.get(key)
    if (item !== undefined) this.#enqueue(item)
    if (this.#isIdle()) for (const wake of this.#idleWaiters.splice(0)) wake()
    if (this.isOver) this.#dismiss()
  }

  /** Hands a key over as soon as there is one. Answers how to leave. */
  wait(waiter: Waiter<K>): () => void {
    const entry: Entry<Waiter<K>> = this.#waiters.join(waiter)
    return () => this.#waiters.leave(entry)
  }

  /** No key will come any more. */
  get isOver(): boolean {
    return this.closed && this.length === 0
  }

  whenIdle(wake: () => void): void {
    if (this.#isIdle()) wake()
    else this.#idleWaiters.push(wake)
  }

  #isIdle(): boolean {
    return this.length === 0 && this.#processing.size === 0
  }

  close(): void {
    this.closed = true
    if (this.isOver) this.#dismiss()
  }

  #dismiss(): void {
    for (let waiter = this.#waiters.first; waiter !== undefined; waiter = this.#waiters.first) {
      this.#waiters.leave(waiter)
      waiter.item.give(undefined)
    }
  }

  #unfinished(): ReadonlyArray<number> {
    const nowMs = this.#nowMs()
    return [...this.#processing.values()].map((sinceMs) => nowMs - sinceMs)
  }

  #oldestWaitingMs(): number {
    const nowMs = this.#nowMs()
    let oldest = nowMs
    for (const item of this.#dirty.values()) oldest = Math.min(oldest, item.addedAtMs)
    return nowMs - oldest
  }
}
