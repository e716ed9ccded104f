import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeWorkQueue, Priority, type WorkQueue } from "../../../src/controller/WorkQueue.ts"
import { settableClock } from "../../support/wallClock.ts"

const take = (queue: WorkQueue<string>) => Effect.map(queue.get, (taken) => taken?.key)

/** A generator of numbers below `n` that repeats for a seed. */
const dice = (seed: number) => {
  let state = seed * 2_654_435_761 + 1
  return (n: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return (state >>> 0) % n
  }
}

describe("WorkQueue", () => {
  it.effect("hands a key out once however often it was added", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.add("a")
    yield* queue.add("a")
    assert.strictEqual(yield* queue.length, 1)
    assert.strictEqual(yield* take(queue), "a")
    assert.strictEqual(yield* queue.length, 0)
  }))

  it.effect("queues a key again that was added while it was worked on, and only after done", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.add("a")
    yield* queue.get
    yield* queue.add("a")
    assert.strictEqual(yield* queue.length, 0)
    yield* queue.done("a")
    assert.strictEqual(yield* queue.length, 1)
    assert.strictEqual(yield* take(queue), "a")
  }))

  it.effect("serves a wish before an event before the resync, and raises a key that is added again", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.add("resync", { priority: Priority.Resync })
    yield* queue.add("event", { priority: Priority.Event })
    yield* queue.add("raised", { priority: Priority.Resync })
    yield* queue.add("wish", { priority: Priority.Wish })
    yield* queue.add("raised", { priority: Priority.Wish })
    const order = yield* Effect.all(Array.from({ length: 4 }, () => take(queue)))
    assert.deepStrictEqual(order, ["wish", "raised", "event", "resync"])
    assert.strictEqual(yield* queue.length, 0)
  }))

  it.effect("starves nobody: a key that waited longer than the ageing time goes before any wish", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t", ageingMs: 1000 })
    yield* queue.add("old", { priority: Priority.Resync })
    yield* TestClock.adjust(1001)
    yield* queue.add("wish", { priority: Priority.Wish })
    assert.strictEqual(yield* take(queue), "old")
  }))

  it.effect("gives an old crowd every fourth turn, and a wish that comes then one of the next two", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t", ageingMs: 1000 })
    for (let index = 0; index < 1000; index++) yield* queue.add(`old${index}`, { priority: Priority.Resync })
    yield* TestClock.adjust(1001)
    const kinds: Array<string> = []
    for (let round = 0; round < 40; round++) {
      yield* queue.add(`wish${round}`, { priority: Priority.Wish })
      kinds.push((yield* take(queue))!.replace(/\d+/, ""))
    }
    assert.strictEqual(kinds.join(" "), Array.from({ length: 40 }, (_, index) => index % 4 === 0 ? "old" : "wish").join(" "))
  }))

  it.effect.each(Array.from({ length: 50 }, (_, seed) => seed))("starves neither wishes nor what is old, whatever comes when (seed %d)", Effect.fn(function*(seed) {
    const roll = dice(seed)
    const queue = yield* makeWorkQueue<number>({ name: "t", ageingMs: 100 })
    const waiting = new Map<number, { readonly priority: Priority; readonly sinceMs: number }>()
    let nowMs = 0
    let added = 0
    /** Turns in a row in which the other side was served though this one waited. */
    const passedOver = { wish: 0, old: 0 }
    const add = (priority: Priority) => {
      waiting.set(++added, { priority, sinceMs: nowMs })
      return queue.add(added, { priority })
    }
    for (let index = 0; index < 200; index++) yield* add([Priority.Event, Priority.Resync][roll(2)]!)
    for (let turn = 0; turn < 400; turn++) {
      for (let count = roll(3); count > 0; count--) yield* add([Priority.Wish, Priority.Wish, Priority.Event, Priority.Resync][roll(4)]!)
      const step = roll(40)
      yield* TestClock.adjust(step)
      nowMs += step
      if (waiting.size === 0) continue
      const old = [...waiting].filter(([, { priority, sinceMs }]) => priority !== Priority.Wish && nowMs - sinceMs >= 100)
      const wishes = [...waiting.values()].some(({ priority }) => priority === Priority.Wish)
      const { key, priority } = (yield* queue.get)!
      if (priority !== Priority.Wish) assert.isTrue(!wishes || old.some(([each]) => each === key), "a wish was passed over for a key that is not old")
      passedOver.wish = wishes && priority !== Priority.Wish ? passedOver.wish + 1 : 0
      passedOver.old = old.length > 0 && !old.some(([each]) => each === key) ? passedOver.old + 1 : 0
      assert.isAtMost(passedOver.wish, 1)
      assert.isAtMost(passedOver.old, 3)
      waiting.delete(key)
      yield* queue.done(key)
    }
  }))

  it.effect("lets a wish's retry, and one after no trouble, wait for nobody else's failures", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    for (let index = 0; index < 1000; index++) yield* queue.addRateLimited(`failing${index}`)
    yield* TestClock.adjust(5)
    while ((yield* queue.length) > 0) yield* queue.get
    yield* queue.addRateLimited("wish", { priority: Priority.Wish })
    yield* queue.addRateLimited("quiet", { quiet: true })
    yield* TestClock.adjust(5)
    assert.deepStrictEqual([yield* take(queue), yield* take(queue)], ["wish", "quiet"])
    // Neither took anything from the overall limit, nor forgot its own delay.
    yield* queue.addRateLimited("wish", { priority: Priority.Wish })
    yield* queue.done("wish")
    yield* TestClock.adjust(9)
    assert.strictEqual(yield* queue.length, 0)
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* take(queue), "wish")
  }))

  it.effect("adds a delayed key when it is due though the wall clock was set back by an hour", Effect.fn(function*() {
    const { clock, wall } = yield* settableClock
    const queue = yield* Effect.provideService(makeWorkQueue<string>({ name: "t" }), Clock.Clock, clock)
    yield* queue.addAfter("a", 1000)
    yield* TestClock.adjust(500)
    wall.offsetMs = -3_600_000
    yield* TestClock.adjust(500)
    assert.strictEqual(yield* take(queue), "a")
  }))

  it.effect("adds a delayed key when it is due, the earliest of several wishes winning", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.addAfter("a", 1000)
    yield* queue.addAfter("a", 300)
    yield* queue.addAfter("a", 2000)
    yield* TestClock.adjust(299)
    assert.strictEqual(yield* queue.length, 0)
    yield* TestClock.adjust(1)
    assert.strictEqual(yield* take(queue), "a")
    yield* queue.done("a")
    yield* TestClock.adjust(5000)
    assert.strictEqual(yield* queue.length, 0)
  }))

  it.effect("waits longer with each failure, up to the limit, and starts anew after forget", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    const waits: Array<number> = []
    for (let failure = 0; failure < 4; failure++) {
      yield* queue.addRateLimited("a")
      let waited = 0
      while ((yield* queue.length) === 0) {
        yield* TestClock.adjust(1)
        waited++
      }
      waits.push(waited)
      yield* queue.get
      yield* queue.done("a")
    }
    assert.deepStrictEqual(waits, [5, 10, 20, 40])
    assert.strictEqual(yield* queue.numRequeues("a"), 4)
    yield* queue.forget("a")
    assert.strictEqual(yield* queue.numRequeues("a"), 0)
  }))

  it.effect("wakes a waiting worker, and loses no key to one that was interrupted while it waited", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    const gone = yield* Effect.forkChild(queue.get, { startImmediately: true })
    yield* Fiber.interrupt(gone)
    const waiting = yield* Effect.forkChild(take(queue), { startImmediately: true })
    yield* queue.add("a")
    assert.strictEqual(yield* Fiber.join(waiting), "a")
  }))

  it.effect("takes nothing in after shutdown, hands out what it has, then says that it is over", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    const waiting = yield* Effect.forkChild(Effect.andThen(queue.get, queue.get), { startImmediately: true })
    yield* queue.add("a")
    yield* queue.shutDown
    yield* queue.add("b")
    assert.isUndefined(yield* Fiber.join(waiting))
    assert.isUndefined(yield* queue.get)
  }))

  it.effect("is idle only when nothing waits and nothing is worked on", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.add("a")
    yield* queue.get
    const idle = yield* Effect.forkChild(queue.idle, { startImmediately: true })
    yield* queue.add("a")
    yield* queue.done("a")
    assert.isUndefined(idle.pollUnsafe())
    yield* queue.get
    yield* queue.done("a")
    yield* Fiber.join(idle)
  }))

  it.effect.each(Array.from({ length: 100 }, (_, seed) => seed))("keeps its promises in any order of calls (seed %d)", Effect.fn(function*(seed) {
    const roll = dice(seed)
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    const keys = ["a", "b", "c", "d", "e"]
    // The model: what must come, and what is worked on.
    const wanted = new Set<string>()
    const working = new Set<string>()
    const delayed = new Map<string, number>()
    let nowMs = 0
    for (let call = 0; call < 300; call++) {
      const key = keys[roll(keys.length)]!
      switch (roll(6)) {
        case 0:
        case 1:
          yield* queue.add(key, { priority: [Priority.Wish, Priority.Event, Priority.Resync][roll(3)]! })
          wanted.add(key)
          break
        case 2: {
          const delay = 1 + roll(50)
          yield* queue.addAfter(key, delay)
          delayed.set(key, Math.min(delayed.get(key) ?? Infinity, nowMs + delay))
          break
        }
        case 3: {
          const step = roll(30)
          yield* TestClock.adjust(step)
          nowMs += step
          for (const [due, atMs] of delayed) {
            if (atMs <= nowMs) {
              delayed.delete(due)
              wanted.add(due)
            }
          }
          break
        }
        case 4:
          if ((yield* queue.length) > 0) {
            const taken = (yield* queue.get)!.key
            assert.isFalse(working.has(taken), `${taken} was handed to a second worker`)
            assert.isTrue(wanted.delete(taken), `${taken} was not wanted`)
            working.add(taken)
          }
          break
        case 5:
          if (working.delete(key)) yield* queue.done(key)
          break
      }
      const ready = [...wanted].filter((candidate) => !working.has(candidate)).length
      assert.strictEqual(yield* queue.length, ready)
    }
    yield* TestClock.adjust(1000)
    for (const due of delayed.keys()) wanted.add(due)
    for (const key of working) yield* queue.done(key)
    const rest = new Set<string>()
    while ((yield* queue.length) > 0) rest.add((yield* queue.get)!.key)
    assert.deepStrictEqual([...rest].sort(), [...wanted].sort())
  }))
})
