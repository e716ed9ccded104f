import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeWorkQueue, Priority, type WorkQueue } from "../../../src/controller/WorkQueue.ts"
import { dice } from "../../support/dice.ts"
import { settableClock } from "../../support/wallClock.ts"

const priorities = Object.values(Priority)

const take = (queue: WorkQueue<string>) => Effect.map(queue.get, (taken) => taken?.key)

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

  it.effect("lets a wish's retry, and one after no trouble, wait for nobody else's failures", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    for (let index = 0; index < 1000; index++) yield* queue.addRateLimited(`failing${index}`)
    yield* TestClock.adjust(5)
    while ((yield* queue.length) > 0) yield* queue.get
    yield* queue.addRateLimited("wish", { priority: Priority.Wish })
    yield* queue.addRateLimited("quiet", { quiet: true })
    yield* TestClock.adjust(5)
    assert.deepStrictEqual([yield* take(queue), yield* take(queue)], ["quiet", "wish"])
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
          yield* queue.add(key, { priority: priorities[roll(4)]! })
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
