import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Metric } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { type ControllerOptions, type Next, type Run, runController } from "../../../src/controller/Controller.ts"
import { makeWorkQueue, Priority } from "../../../src/controller/WorkQueue.ts"

const done: Next = { _tag: "Done" }
const again: Next = { _tag: "Again" }

const controller = Effect.fnUntraced(function*(
  name: string,
  reconcile: (key: string, run: Run) => Effect.Effect<Next, string>,
  options: Partial<ControllerOptions<string, string, never>> = {}
) {
  const queue = yield* makeWorkQueue<string>({ name })
  yield* runController({ name, workers: 1, quickPlaces: 0, queue, drainMs: 0, ...options, reconcile })
  return queue
})

const unsettled = (controller: string) =>
  Effect.map(Metric.snapshot, (metrics) =>
    metrics.filter(({ id, attributes }) => id === "rtmanager_reconcile_unsettled_total" && attributes?.["controller"] === controller)
      .map(({ state }) => (state as Metric.CounterState<number>).count))

const warnings = Effect.map(TestConsole.logLines, (lines) => lines.filter((line) => String(line).includes("does not settle")).length)

describe("what a reconcile asks for", () => {
  it.effect("Again: what was begun is finished before what was there first", Effect.fn(function*() {
    const seen: Array<string> = []
    const steps = new Map<string, number>()
    const gate = yield* Deferred.make<void>()
    const queue = yield* controller("t", (key, { trigger }) => Effect.gen(function*() {
      if (key === "gate") return yield* Effect.as(Deferred.await(gate), done)
      seen.push(`${key} ${trigger}`)
      steps.set(key, (steps.get(key) ?? 0) + 1)
      return steps.get(key)! < 3 ? again : done
    }))
    yield* queue.add("gate")
    for (const key of ["a", "b"]) yield* queue.add(key, { priority: Priority.Wish, trigger: "row" })
    yield* queue.add("c", { trigger: "engine die" })
    yield* Deferred.succeed(gate, undefined)
    yield* queue.idle
    const thrice = (text: string) => [text, text, text]
    assert.deepStrictEqual(seen, [...thrice("c engine die"), ...thrice("a row"), ...thrice("b row")])
  }))

  it.effect("Again: a key that never settles slows down, is counted and is told once", Effect.fn(function*() {
    let runs = 0
    let settles = false
    const queue = yield* controller("unsettled", () => Effect.sync(() => (runs++, settles ? done : again)), { maxAgains: 4 })
    assert.deepStrictEqual(yield* unsettled("unsettled"), [0])
    yield* queue.add("a")
    yield* TestClock.adjust(0)
    assert.strictEqual(runs, 5)
    for (const waitMs of [5, 10, 20, 40]) {
      const before = runs
      yield* TestClock.adjust(waitMs - 1)
      assert.strictEqual(runs, before)
      yield* TestClock.adjust(1)
      assert.strictEqual(runs, before + 1)
    }
    assert.deepStrictEqual(yield* unsettled("unsettled"), [5])
    assert.strictEqual(yield* warnings, 1)
    assert.strictEqual(yield* queue.numRequeues("a"), 0, "it is no failure")
    // An event is looked at at once all the same, and whoever settles begins anew.
    settles = true
    yield* queue.add("a")
    yield* queue.idle
    assert.strictEqual(runs, 10)
    settles = false
    yield* TestClock.adjust(80)
    assert.strictEqual(runs, 15)
    assert.strictEqual(yield* warnings, 2)
  }))

  it.effect.each([{ _tag: "Done" }, { _tag: "RequeueAfter", ms: 1 }] satisfies ReadonlyArray<Next>)(
    "Again: is counted anew after $_tag",
    Effect.fn(function*(outcome) {
      let runs = 0
      const name = `anew after ${outcome._tag}`
      const queue = yield* controller(name, () => Effect.sync(() => ++runs % 4 === 0 ? outcome : again), { maxAgains: 3 })
      for (let round = 0; round < 5; round++) {
        yield* queue.add("a")
        yield* TestClock.adjust(1)
      }
      assert.isAtLeast(runs, 20)
      assert.deepStrictEqual(yield* unsettled(name), [0])
    })
  )

  const byAnotherName: ReadonlyArray<{ outcome: Next; because: string }> = [
    { outcome: { _tag: "Later" }, because: "Later from a run that had a slow place" },
    { outcome: { _tag: "RequeueAfter", ms: 0 }, because: "RequeueAfter no time" }
  ]
  it.effect.each(byAnotherName)("$because is Again: it cannot come at once for ever", Effect.fn(function*({ outcome }) {
    let runs = 0
    const queue = yield* controller("t", () => Effect.sync(() => (runs++, outcome)), { maxAgains: 3 })
    yield* queue.add("a", { priority: Priority.Wish })
    yield* TestClock.adjust(0)
    assert.strictEqual(runs, 4)
  }))

  it.effect("tells a run what brought it and how often in a row it failed, and keeps the class of a failed key, as a quick one", Effect.fn(function*() {
    const seen: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const queue = yield* controller("t", (key, { attempt, trigger }) => Effect.suspend(() => {
      if (key === "start") return Effect.as(Deferred.await(gate), done)
      seen.push(`${key} ${trigger} ${attempt}`)
      if (attempt < 2) return Effect.fail("no")
      return Effect.succeed<Next>(seen.length === 3 ? { _tag: "RequeueAfter", ms: 50 } : done)
    }), { workers: 1, quickPlaces: 1, lendAfterMs: 1e9 })
    yield* queue.add("a", { priority: Priority.Wish, trigger: "row" })
    yield* queue.add("start", { priority: Priority.Wish })
    yield* TestClock.adjust(5)
    yield* TestClock.adjust(10)
    yield* TestClock.adjust(50)
    assert.deepStrictEqual(seen, ["a row 0", "a retry 1", "a retry 2", "a timer 0"])
  }))
})
