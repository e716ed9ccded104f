import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { type ControllerOptions, type Next, type Run, runController } from "../../../src/controller/Controller.ts"
import { monotonicMs } from "../../../src/clock/monotonic.ts"
import { makeWorkQueue, Priority, type WorkQueue } from "../../../src/controller/WorkQueue.ts"
import { dice } from "../../support/dice.ts"

const { Begun, Event, Wish, Resync } = Priority
const done: Next = { _tag: "Done" }
const later: Next = { _tag: "Later" }

type Options = Partial<Omit<ControllerOptions<string, string, never>, "reconcile" | "queue">>

const controller = Effect.fnUntraced(function*(
  reconcile: (key: string, run: Run) => Effect.Effect<Next, string>,
  options: Options = {}
) {
  const queue = yield* makeWorkQueue<string>({ name: "t" })
  yield* runController({ name: "t", workers: 1, queue, reconcile, drainMs: 0, ...options })
  return queue
})

const placesInUse = Effect.map(Metric.snapshot, (metrics) =>
  Object.fromEntries(metrics.filter(({ id, attributes }) => id === "rtmanager_places_in_use" && attributes?.["controller"] === "t")
    .map(({ attributes, state }) => [attributes!["place"], (state as Metric.GaugeState<number>).value])))

describe("the controller's places", () => {
  it.effect("let an event be looked at while starts that never end keep every slow place", Effect.fn(function*() {
    const seen: Array<string> = []
    const queue = yield* controller((key) => Effect.suspend(() => {
      seen.push(key)
      return key.startsWith("start") ? Effect.never : Effect.succeed(done)
    }), { workers: 2, maxLent: 0 })
    for (const key of ["start1", "start2", "start3"]) yield* queue.add(key, { priority: Wish })
    yield* TestClock.adjust(3000)
    yield* queue.add("event", { priority: Event })
    yield* queue.add("resync", { priority: Resync })
    assert.deepStrictEqual(seen, ["start1", "start2", "event", "resync"])
    assert.deepStrictEqual(yield* placesInUse, { slow: 2, quick: 0, lent: 0 })
  }))

  it.effect("leave a slow place to a start while quick ones are free, and take it for a quick key when none is", Effect.fn(function*() {
    const gate = yield* Deferred.make<void>()
    const queue = yield* controller(() => Effect.as(Deferred.await(gate), done), { workers: 2, quickPlaces: 1 })
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 0, lent: 0 })
    yield* queue.add("a")
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 1, lent: 0 })
    yield* queue.add("b")
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 1, lent: 0 })
    yield* Deferred.succeed(gate, undefined)
    yield* queue.idle
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 0, lent: 0 })
  }))

  it.effect("are changed, a quick one for a slow one that is free; the quick one is free for others at once", Effect.fn(function*() {
    const seen: Array<string> = []
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      seen.push(`${key} begins`)
      if (key === "look") return done
      if (!(yield* run.admitSlow)) return later
      seen.push(`${key} starts`)
      yield* Effect.sleep(100)
      seen.push(`${key} ended`)
      return done
    }))
    yield* queue.add("start")
    yield* queue.add("look")
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 0, lent: 0 })
    yield* queue.add("other")
    yield* TestClock.adjust(100)
    yield* TestClock.adjust(100)
    assert.deepStrictEqual(seen, ["start begins", "start starts", "look begins", "other begins", "start ended", "other begins", "other starts", "other ended"])
  }))

  it.effect("once free, go to those that were put off in the order of their classes, before any new wish", Effect.fn(function*() {
    const started: Array<string> = []
    const first = yield* Deferred.make<void>()
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      if (!(yield* run.admitSlow)) return later
      started.push(key)
      if (key === "first") yield* Deferred.await(first)
      return done
    }))
    yield* queue.add("first", { priority: Wish })
    yield* queue.add("wish", { priority: Wish })
    yield* queue.add("event1", { priority: Event })
    yield* queue.add("resync", { priority: Resync })
    yield* queue.add("event2", { priority: Event })
    yield* queue.add("begun", { priority: Begun })
    assert.deepStrictEqual(started, ["first"])
    assert.strictEqual(yield* queue.length, 5)
    yield* Deferred.succeed(first, undefined)
    yield* queue.idle
    assert.deepStrictEqual(started, ["first", "begun", "event1", "event2", "wish", "resync"])
  }))

  it.effect("put a key off without counting a failure, with its trigger, and once though it was added meanwhile", Effect.fn(function*() {
    const runs: Array<string> = []
    const first = yield* Deferred.make<void>()
    const look = yield* Deferred.make<void>()
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      if (key === "first") return yield* Effect.as(Deferred.await(first), done)
      runs.push(`${run.trigger} ${run.attempt}`)
      if (runs.length === 1) yield* Deferred.await(look)
      return (yield* run.admitSlow) ? done : later
    }))
    yield* queue.add("first", { priority: Wish })
    yield* queue.add("a", { trigger: "row" })
    yield* queue.add("a", { priority: Wish, trigger: "job" })
    yield* Deferred.succeed(look, undefined)
    yield* TestClock.adjust(10_000)
    yield* Deferred.succeed(first, undefined)
    yield* queue.idle
    assert.deepStrictEqual(runs, ["row 0", "row 0"])
  }))

  it.effect("are free for others as soon as a run says that its slow work is done", Effect.fn(function*() {
    const gate = yield* Deferred.make<void>()
    const started: Array<string> = []
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      if (!(yield* run.admitSlow)) return later
      started.push(key)
      yield* run.slowDone
      yield* run.slowDone
      return yield* Effect.as(Deferred.await(gate), done)
    }), { maxLent: 1 })
    yield* queue.add("a", { priority: Wish })
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 0, lent: 1 })
    yield* queue.add("b", { priority: Wish })
    yield* queue.add("c", { priority: Wish })
    assert.deepStrictEqual(started, ["a", "b"], "no more are lent than may be")
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 0, lent: 1 })
    yield* Deferred.succeed(gate, undefined)
    yield* queue.idle
    assert.deepStrictEqual(started, ["a", "b", "c"])
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 0, lent: 0 })
  }))

  it.effect("are lent when one run hangs, not when all are slow: a host that is overloaded gets no more at once", Effect.fn(function*() {
    const started: Array<string> = []
    const queue = yield* controller((key) => Effect.gen(function*() {
      started.push(key)
      return yield* key === "hangs" ? Effect.never : Effect.as(Effect.sleep(5000), done)
    }))
    const count = Effect.sync(() => started.length)
    // Each takes 5 s: as soon as that is known, the next one waits for the one before.
    for (let index = 0; index < 20; index++) yield* queue.add(`slow${index}`, { priority: Wish })
    yield* TestClock.adjust(30_000)
    const before = yield* count
    yield* TestClock.adjust(20_000)
    assert.strictEqual((yield* count) - before, 4)
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 0, lent: 0 })
    yield* TestClock.adjust(100_000)
    yield* queue.add("hangs", { priority: Wish })
    yield* queue.add("next", { priority: Wish })
    yield* TestClock.adjust(19_999)
    assert.strictEqual(started.at(-1), "hangs")
    yield* TestClock.adjust(1)
    assert.strictEqual(started.at(-1), "next")
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 0, lent: 1 })
  }))

  it.effect("hold a run that got its slow place late for the whole time before they are lent", Effect.fn(function*() {
    const admitted: Array<string> = []
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      yield* Effect.sleep(key === "a" ? 1500 : 0)
      if (!(yield* run.admitSlow)) return later
      admitted.push(key)
      return yield* Effect.never
    }), { lendAfterMs: 2000 })
    yield* queue.add("a")
    yield* TestClock.adjust(1500)
    yield* queue.add("b")
    yield* TestClock.adjust(1999)
    assert.deepStrictEqual(admitted, ["a"])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(admitted, ["a", "b"])
    assert.deepStrictEqual(yield* placesInUse, { slow: 1, quick: 0, lent: 1 })
  }))

  /** Runs of random length that ask for a slow place at a random time; what was promised of places is checked at each step. */
  const storm = Effect.fnUntraced(function*(seed: number, limits: { readonly lendAfterMs: number; readonly maxLent: number }) {
    const roll = dice(seed)
    const workers = 1 + roll(3)
    const quickPlaces = roll(3)
    const broken: Array<string> = []
    const running = new Map<string, number>()
    const slow = new Set<string>()
    // A run in a slow place is not put off, so each add leads to one putting off at most.
    const adds = new Map<string, number>()
    const added = (key: string, count: number) => adds.set(key, (adds.get(key) ?? 0) + count)
    const check = Effect.fnUntraced(function*() {
      const nowMs = yield* monotonicMs
      // One that began less than `lendAfterMs` ago cannot be lent.
      const young = (keys: Iterable<string>) => [...keys].filter((key) => nowMs - running.get(key)! < limits.lendAfterMs).length
      if (young(slow) > workers) broken.push(`${young(slow)} slow runs in ${workers} places`)
      if (slow.size > workers + limits.maxLent) broken.push(`${slow.size} slow runs in all`)
      if (young(running.keys()) > workers + quickPlaces) broken.push("more runs than places")
    })
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      if (running.has(key)) broken.push(`${key} runs twice`)
      running.set(key, yield* monotonicMs)
      yield* check()
      if (roll(2) === 0) yield* Effect.sleep(roll(120))
      if (roll(3) > 0) {
        if (yield* run.admitSlow) {
          slow.add(key)
          yield* check()
          yield* Effect.sleep(roll(200))
          slow.delete(key)
        } else {
          if (added(key, -1).get(key)! < 0) broken.push(`${key} was put off from a slow place`)
          running.delete(key)
          return later
        }
      }
      running.delete(key)
      if (roll(8) === 0) {
        added(key, 1)
        return yield* Effect.fail("no")
      }
      const outcome = ([done, done, { _tag: "Again" }, { _tag: "RequeueAfter", ms: roll(50) }] as const)[roll(4)]!
      if (outcome !== done) added(key, 1)
      return outcome
    }), { workers, quickPlaces, ...limits })
    for (let call = 0; call < 150; call++) {
      const key = `k${roll(12)}`
      added(key, 1)
      yield* queue.add(key, { priority: ([Begun, Event, Wish, Resync] as const)[roll(4)]!, slow: roll(2) === 0 })
      yield* TestClock.adjust(roll(40))
    }
    for (let ms = 0; ms < 20_000 && ((yield* queue.length) > 0 || running.size > 0); ms += 100) yield* TestClock.adjust(100)
    assert.deepStrictEqual(broken, [])
    assert.strictEqual(yield* queue.length, 0)
    assert.deepStrictEqual(yield* placesInUse, { slow: 0, quick: 0, lent: 0 })
  })
  const seeds = Array.from({ length: 60 }, (_, seed) => seed)
  it.effect.each(seeds)("are never more than there are, slow or quick (seed %d)", (seed) => storm(seed, { lendAfterMs: 1e9, maxLent: 0 }))
  it.effect.each(seeds)("nor are they when some are lent (seed %d)", (seed) => storm(seed, { lendAfterMs: 100, maxLent: 2 }))
})

describe("the places for new starts", () => {
  /** `fell…` is urgent work that takes a second, `new…` a start that ends when the gate opens. */
  const starting = Effect.fnUntraced(function*(workers: number) {
    const started: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const queue = yield* controller((key, run) => Effect.gen(function*() {
      if (!(yield* run.admitSlow)) return later
      started.push(key)
      yield* key.startsWith("new") ? Deferred.await(gate) : Effect.sleep(1000)
      return done
    }), { workers, lendAfterMs: 60_000 })
    return { gate, queue, started }
  })
  const wishes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `new${from + index}`)
  const wish = (queue: WorkQueue<string>, keys: ReadonlyArray<string>) => Effect.forEach(keys, (key) => queue.add(key, { priority: Wish }), { discard: true })

  it.effect("are half of them while an urgent start is under way, and all of them after it", Effect.fn(function*() {
    const { queue, started } = yield* starting(4)
    yield* queue.add("fell1", { priority: Event })
    yield* wish(queue, wishes(1, 4))
    assert.deepStrictEqual(started, ["fell1", "new1", "new2"])
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(started, ["fell1", ...wishes(1, 4)])
  }))

  it.effect("are half of them for the last second and a half before a key's time is up", Effect.fn(function*() {
    const { queue, started } = yield* starting(4)
    yield* queue.addAfter("fell1", 5000, { priority: Event })
    yield* wish(queue, wishes(1, 3))
    assert.deepStrictEqual(started, wishes(1, 3))
    yield* TestClock.adjust(3600)
    yield* wish(queue, ["new4"])
    assert.deepStrictEqual(started, wishes(1, 3), "one place is free, and kept")
    yield* TestClock.adjust(1400)
    assert.deepStrictEqual(started, [...wishes(1, 3), "fell1"])
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(started, [...wishes(1, 3), "fell1", "new4"])
  }))

  it.effect("are never kept from urgent starts, which get all places, also those that were put off", Effect.fn(function*() {
    const { queue, started } = yield* starting(2)
    for (const key of ["fell1", "fell2", "fell3", "fell4"]) yield* queue.add(key, { priority: Event })
    yield* wish(queue, ["new1"])
    assert.deepStrictEqual(started, ["fell1", "fell2"])
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(started, ["fell1", "fell2", "fell3", "fell4"])
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(started, ["fell1", "fell2", "fell3", "fell4", "new1"])
  }))

  it.effect("are half of them at least: one gets its turn however many urgent starts come", Effect.fn(function*() {
    const { queue, started } = yield* starting(2)
    for (let each = 0; each < 20; each++) yield* queue.add(`fell${each}`, { priority: Event })
    yield* wish(queue, ["new1"])
    yield* TestClock.adjust(2000)
    assert.include(started, "new1")
    assert.isBelow(started.length, 8)
  }))
})
