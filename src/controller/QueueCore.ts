/** The queue itself: synchronous, so that its every step is atomic. Its promises are told in WorkQueue.ts. */
import type { Clock } from "effect"
import { Fifo } from "./Fifo.ts"
import { monotonicMsOf } from "./monotonic.ts"
import * as metrics from "../telemetry/metrics.ts"

/** A user's wish goes before an event, an event before the resync. */
export const Priority = { Wish: 0, Event: 1, Resync: 2 } as const
export type Priority = (typeof Priority)[keyof typeof Priority]

/** A key handed to a worker. */
export interface Taken<K> {
  readonly key: K
  readonly priority: Priority
  readonly trigger: string
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

/** After a key that had waited too long, the priorities decide for so many turns: an old crowd must not hold up a wish. */
const turnsByPriority = 3

export class QueueCore<K> {
  readonly #classes = [new Fifo<Place<K>>(), new Fifo<Place<K>>(), new Fifo<Place<K>>()] as const
  /** Every key that is to be worked on: it waits in a class, or is being worked on and comes again. */
  readonly #dirty = new Map<K, Item<K>>()
  readonly #processing = new Map<K, number>()
  readonly #waiters = new Fifo<(taken: Taken<K> | undefined) => boolean>()
  readonly #idleWaiters: Array<() => void> = []
  readonly #nowMs: () => number
  readonly #ageingMs: number
  readonly stats: metrics.QueueStats
  #waiting = 0
  #turnsByPriority = turnsByPriority
  closed = false

  constructor(clock: Clock.Clock, ageingMs: number) {
    this.#nowMs = () => monotonicMsOf(clock)
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
    const item: Item<K> = { key, priority, trigger, addedAtMs: this.#nowMs(), taken: false }
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
    const nowMs = this.#nowMs()
    item.taken = true
    this.#waiting--
    this.#dirty.delete(item.key)
    this.#processing.set(item.key, nowMs)
    this.stats.waited(nowMs - item.addedAtMs)
    return item
  }

  /** The head of the highest class; now and then the head of a lower one that has waited too long. */
  #next(): Item<K> | undefined {
    if (this.#waiting === 0) return undefined
    const heads = this.#classes.map((places) => this.#head(places))
    const first = heads.find((item) => item !== undefined)
    const aged = this.#turnsByPriority < turnsByPriority ? undefined : this.#aged(heads, first!)
    this.#turnsByPriority = aged === undefined ? this.#turnsByPriority + 1 : 0
    return aged ?? first
  }

  #aged(heads: ReadonlyArray<Item<K> | undefined>, first: Item<K>): Item<K> | undefined {
    const agedBefore = this.#nowMs() - this.#ageingMs
    let oldest = first
    for (const item of heads) if (item && item.addedAtMs <= agedBefore && item.addedAtMs < oldest.addedAtMs) oldest = item
    return oldest === first ? undefined : oldest
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
    this.stats.worked(this.#nowMs() - since)
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
