import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeBackground, tasksOf, type TaskState } from "../../../src/controller/Background.ts"

/** A background whose wakes are written down, and the tasks "pull" of it. */
const begin = Effect.gen(function*() {
  const woken: Array<string> = []
  const background = yield* makeBackground({ wake: (key) => Effect.sync(() => void woken.push(key)) })
  return { background, woken, pulls: tasksOf<string, string>(background, "pull") }
})

/** Work begins when the look that asked for it gives way. */
const begins = TestClock.adjust(0)

const running: TaskState<never, never> = { _tag: "Running" }
const none: TaskState<never, never> = { _tag: "None" }

describe("Background", () => {
  it.effect("runs a task beside the look that asked for it, keeps how it ended, and wakes its key", Effect.fn(function*() {
    const { pulls, woken } = yield* begin
    assert.deepStrictEqual(pulls.state("a", "v1"), none)
    yield* pulls.ensure("a", "v1", Effect.as(Effect.sleep(100), "digest"))
    assert.deepStrictEqual(pulls.state("a", "v1"), running)
    assert.deepStrictEqual([pulls.state("a", "v2"), pulls.state("b", "v1")], [none, none])
    yield* TestClock.adjust(99)
    assert.deepStrictEqual(woken, [])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(woken, ["a"])
    const state = pulls.state("a", "v1")
    assert.strictEqual(state._tag === "Succeeded" ? state.value : state, "digest")
  }))

  const ends: ReadonlyArray<{ work: Effect.Effect<string, string>; because: string; is: (cause: Cause.Cause<string>) => boolean }> = [
    { work: Effect.fail("no such image"), because: "a failure", is: (cause) => Option.getOrNull(Cause.findErrorOption(cause)) === "no such image" },
    { work: Effect.die(new Error("bug")), because: "a bug", is: (cause) => Cause.hasDies(cause) },
    { work: Effect.sync(() => { throw new Error("bug") }), because: "a throw", is: (cause) => Cause.hasDies(cause) },
    { work: Effect.interrupt, because: "an interruption from inside", is: (cause) => Cause.hasInterruptsOnly(cause) }
  ]
  it.effect.each(ends)("keeps $because and wakes its key", Effect.fn(function*({ is, work }) {
    const { pulls, woken } = yield* begin
    yield* pulls.ensure("a", "v1", Effect.andThen(Effect.sleep(10), work))
    yield* TestClock.adjust(10)
    assert.deepStrictEqual(woken, ["a"])
    const state = pulls.state("a", "v1")
    assert.isTrue(state._tag === "Failed" && is(state.cause), JSON.stringify(state))
  }))

  it.effect("begins nothing twice, while it runs or when it has ended, until it is released", Effect.fn(function*() {
    const { background, pulls, woken } = yield* begin
    let begun = 0
    const ensure = pulls.ensure("a", "v1", Effect.as(Effect.andThen(Effect.sync(() => void begun++), Effect.sleep(10)), "digest"))
    yield* ensure
    yield* ensure
    yield* TestClock.adjust(10)
    yield* ensure
    yield* TestClock.adjust(10)
    assert.deepStrictEqual([begun, woken], [1, ["a"]])
    yield* background.release("a")
    assert.deepStrictEqual(pulls.state("a", "v1"), none)
    yield* ensure
    yield* TestClock.adjust(10)
    assert.deepStrictEqual([begun, woken], [2, ["a", "a"]])
  }))

  it.effect("wakes the key of work that ends at once", Effect.fn(function*() {
    const { background, pulls, woken } = yield* begin
    yield* pulls.ensure("a", "v1", Effect.succeed("digest"))
    yield* begins
    assert.strictEqual(pulls.state("a", "v1")._tag, "Succeeded")
    assert.deepStrictEqual(woken, ["a"])
    yield* background.release("a")
    assert.deepStrictEqual(pulls.state("a", "v1"), none)
  }))

  it.effect("replaces a task by one of another id, wakes nobody for the old, and begins the new when the old has really ended", Effect.fn(function*() {
    const { pulls, woken } = yield* begin
    const log: Array<string> = []
    const work = (id: string) =>
      Effect.sync(() => void log.push(`${id} begins`)).pipe(
        Effect.andThen(Effect.sleep(1000)),
        Effect.as(id),
        Effect.onExit(() => Effect.andThen(Effect.sleep(50), Effect.sync(() => void log.push(`${id} ended`))))
      )
    yield* pulls.ensure("a", "v1", work("v1"))
    yield* begins
    yield* pulls.ensure("a", "v2", work("v2"))
    assert.deepStrictEqual([pulls.state("a", "v1"), pulls.state("a", "v2")], [none, running])
    // The third must wait for the first though the second, which waited for it, is interrupted.
    yield* pulls.ensure("a", "v3", work("v3"))
    yield* TestClock.adjust(49)
    assert.deepStrictEqual(log, ["v1 begins"])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(log, ["v1 begins", "v1 ended", "v3 begins"])
    assert.deepStrictEqual([pulls.state("a", "v2"), pulls.state("a", "v3")], [none, running])
    yield* TestClock.adjust(1050)
    assert.deepStrictEqual(woken, ["a"])
    assert.strictEqual(pulls.state("a", "v3")._tag, "Succeeded")
  }))

  it.effect("releases what is not to be kept, without waiting for its end; asked for again it begins after that end", Effect.fn(function*() {
    const { background, pulls, woken } = yield* begin
    const probes = tasksOf<void, never>(background, "probe")
    const ending = yield* Deferred.make<void>()
    const log: Array<string> = []
    const work = Effect.sync(() => void log.push("begins")).pipe(
      Effect.andThen(Effect.never),
      Effect.onExit(() => Effect.andThen(Deferred.await(ending), Effect.sync(() => void log.push("ended"))))
    )
    yield* pulls.ensure("a", "v1", work)
    yield* begins
    yield* probes.ensure("a", "p1", Effect.never)
    yield* pulls.ensure("b", "v1", Effect.never)
    yield* background.release("a", (name, id) => name === "probe" && id === "p1")
    assert.deepStrictEqual([pulls.state("a", "v1"), probes.state("a", "p1"), pulls.state("b", "v1")], [none, running, running])
    yield* background.release("a", (name) => name === "probe")
    yield* pulls.ensure("a", "v1", work)
    assert.deepStrictEqual(log, ["begins"])
    assert.deepStrictEqual(pulls.state("a", "v1"), running)
    yield* Deferred.succeed(ending, undefined)
    yield* begins
    assert.deepStrictEqual(log, ["begins", "ended", "begins"])
    yield* background.release("a")
    yield* background.release("nobody")
    yield* begins
    assert.deepStrictEqual(log, ["begins", "ended", "begins", "ended"])
    assert.deepStrictEqual([probes.state("a", "p1"), woken], [none, []])
  }))

  it.effect.each([0, 10])("lets a wake ask for the next task, after work of %d ms", Effect.fn(function*(ms) {
    let ensureNext: Effect.Effect<void> = Effect.void
    let wakes = 0
    const background = yield* makeBackground({ wake: () => Effect.suspend(() => ++wakes === 1 ? ensureNext : Effect.void) })
    const pulls = tasksOf<void, never>(background, "pull")
    let interrupted = false
    const next = Effect.onInterrupt(Effect.never, () => Effect.sync(() => {
      interrupted = true
    }))
    ensureNext = pulls.ensure("a", "v2", next)
    yield* pulls.ensure("a", "v1", ms === 0 ? Effect.void : Effect.sleep(ms))
    yield* TestClock.adjust(ms)
    assert.deepStrictEqual([pulls.state("a", "v1"), pulls.state("a", "v2")], [none, running])
    yield* background.release("a")
    yield* begins
    assert.deepStrictEqual([interrupted, wakes], [true, 1])
  }))

  it.effect("lets a task release its own key", Effect.fn(function*() {
    const { background, pulls, woken } = yield* begin
    yield* pulls.ensure("a", "v1", Effect.as(Effect.andThen(Effect.sleep(10), background.release("a")), "digest"))
    yield* TestClock.adjust(10)
    assert.deepStrictEqual([pulls.state("a", "v1"), woken], [none, []])
  }))

  it.effect("interrupts all when its scope closes, and waits for their end", Effect.fn(function*() {
    const scope = yield* Scope.make()
    const { pulls, woken } = yield* Effect.provideService(begin, Scope.Scope, scope)
    const ended: Array<string> = []
    for (const key of ["a", "b"]) {
      yield* pulls.ensure(key, "v1", Effect.onExit(Effect.never, () => Effect.andThen(Effect.yieldNow, Effect.sync(() => void ended.push(key)))))
    }
    yield* begins
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual([ended, woken], [["a", "b"], []])
  }))
})
