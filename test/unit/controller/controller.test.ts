import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { type Next, runController } from "../../../src/controller/Controller.ts"
import { makeWorkQueue } from "../../../src/controller/WorkQueue.ts"

const done: Next = { _tag: "Done" }

const controller = Effect.fnUntraced(function*<E>(
  reconcile: (key: string) => Effect.Effect<Next, E>,
  options: { readonly workers?: number; readonly quickPlaces?: number; readonly deadlineMs?: number; readonly lendAfterMs?: number } = {}
) {
  const queue = yield* makeWorkQueue<string>({ name: "t" })
  yield* runController({ name: "t", workers: 2, queue, reconcile, ...options })
  return queue
})

describe("Controller", () => {
  it.effect("tries a failed key again with backoff, and a bug that throws is a failure like any other", Effect.fn(function*() {
    let runs = 0
    const queue = yield* controller(() => Effect.suspend(() => {
      runs++
      if (runs === 1) return Effect.fail("no")
      if (runs === 2) throw new Error("bug")
      return Effect.succeed(done)
    }))
    yield* queue.add("a")
    yield* TestClock.adjust(4)
    assert.strictEqual(runs, 1)
    yield* TestClock.adjust(1)
    assert.strictEqual(runs, 2)
    yield* TestClock.adjust(10)
    assert.strictEqual(runs, 3)
    assert.strictEqual(yield* queue.numRequeues("a"), 0)
  }))

  it.effect("lets failures that are no trouble cost the others no time", Effect.fn(function*() {
    let failed = 0
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* runController({
      name: "t", workers: 2, queue, isQuiet: (error: string) => error === "conflict",
      reconcile: (key) => Effect.suspend(() => key === "a" ? (failed++, Effect.fail("trouble")) : Effect.fail("conflict"))
    })
    for (let index = 0; index < 500; index++) yield* queue.add(`busy${index}`)
    yield* TestClock.adjust(1)
    yield* queue.add("a")
    yield* TestClock.adjust(1 + 5 + 10)
    assert.strictEqual(failed, 3)
  }))

  it.effect("looks again after the time that a reconcile asks for", Effect.fn(function*() {
    let runs = 0
    const queue = yield* controller(() => Effect.sync((): Next => ++runs === 1 ? { _tag: "RequeueAfter", ms: 5000 } : done))
    yield* queue.add("a")
    yield* TestClock.adjust(4999)
    assert.strictEqual(runs, 1)
    yield* TestClock.adjust(1)
    assert.strictEqual(runs, 2)
  }))

  it.effect("works on as many keys at once as it has workers, and never on one key twice", Effect.fn(function*() {
    const gate = yield* Deferred.make<void>()
    const active = new Set<string>()
    let most = 0
    const queue = yield* controller((key) => Effect.gen(function*() {
      assert.isFalse(active.has(key))
      active.add(key)
      most = Math.max(most, active.size)
      yield* Deferred.await(gate)
      active.delete(key)
      return done
    }), { workers: 3, quickPlaces: 0 })
    for (const key of ["a", "b", "c", "d", "e"]) yield* queue.add(key)
    yield* TestClock.adjust(1)
    for (const key of ["a", "b"]) yield* queue.add(key)
    yield* TestClock.adjust(1)
    assert.strictEqual(most, 3)
    yield* Deferred.succeed(gate, undefined)
    yield* queue.idle
    assert.strictEqual(most, 3)
  }))

  it.effect("gives the place of a slow reconcile to another key", Effect.fn(function*() {
    const seen: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const queue = yield* controller((key) => Effect.suspend(() => {
      seen.push(key)
      return key === "slow" ? Effect.as(Deferred.await(gate), done) : Effect.succeed(done)
    }), { workers: 1, quickPlaces: 0, lendAfterMs: 2000 })
    yield* queue.add("slow")
    yield* queue.add("quick")
    yield* TestClock.adjust(1999)
    assert.deepStrictEqual(seen, ["slow"])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(seen, ["slow", "quick"])
    yield* Deferred.succeed(gate, undefined)
    yield* queue.idle
  }))

  it.effect("cuts off a reconcile that outlives its deadline and tries the key again", Effect.fn(function*() {
    let runs = 0
    const queue = yield* controller(() => Effect.suspend(() => ++runs === 1 ? Effect.never : Effect.succeed(done)), { deadlineMs: 10_000 })
    yield* queue.add("a")
    yield* TestClock.adjust(10_100)
    assert.strictEqual(runs, 2)
  }))

  it.effect("does not hand a key out again while its cut-off run has not ended", Effect.fn(function*() {
    const gate = yield* Deferred.make<void>()
    let runs = 0
    const queue = yield* controller(() => Effect.suspend(() => {
      runs++
      return runs === 1 ? Effect.uninterruptible(Effect.as(Deferred.await(gate), done)) : Effect.succeed(done)
    }), { deadlineMs: 5000 })
    yield* queue.add("a")
    yield* TestClock.adjust(60_000)
    yield* queue.add("a")
    yield* TestClock.adjust(60_000)
    assert.strictEqual(runs, 1)
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(1000)
    assert.isAtLeast(runs, 2)
  }))

  it.effect("shows the metrics of controller-runtime and client-go by their names", Effect.fn(function*() {
    const queue = yield* controller(() => Effect.succeed(done))
    yield* queue.add("a")
    yield* queue.idle
    const names = new Set((yield* Metric.snapshot).map(({ id }) => id))
    for (const name of [
      "workqueue_depth", "workqueue_adds_total", "workqueue_retries_total", "workqueue_queue_duration_seconds",
      "workqueue_work_duration_seconds", "workqueue_unfinished_work_seconds", "workqueue_longest_running_processor_seconds",
      "controller_runtime_reconcile_total", "controller_runtime_reconcile_errors_total", "controller_runtime_reconcile_time_seconds",
      "controller_runtime_active_workers"
    ]) assert.isTrue(names.has(name), name)
  }))
})
