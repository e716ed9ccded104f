import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeReadiness } from "../../../src/http/Readiness.ts"
import { settableClock } from "../../support/wallClock.ts"

describe("readiness", () => {
  it.effect("is of all parts together, each with its own words", () =>
    Effect.gen(function*() {
      const report = yield* makeReadiness([
        { name: "a", check: Effect.succeed("reached") },
        { name: "b", check: Effect.fail({ message: "refused" }) }
      ])
      assert.deepStrictEqual(report, { ready: false, checks: { a: { ok: true, message: "reached" }, b: { ok: false, message: "refused" } } })
    }))

  it.effect("waits for no part longer than its deadline, and says which is silent", () =>
    Effect.gen(function*() {
      const asking = yield* Effect.forkChild(makeReadiness([{ name: "engine", check: Effect.never }, { name: "redis", check: Effect.succeed("reached") }]))
      yield* TestClock.adjust("2 seconds")
      const { checks, ready } = yield* Fiber.join(asking)
      assert.isFalse(ready)
      assert.match(checks.engine!.message, /no answer within/)
      assert.isTrue(checks.redis!.ok)
    }))

  it.effect("is remembered for a second, so that probes cost nothing", () =>
    Effect.gen(function*() {
      let asked = 0
      const readiness = makeReadiness([{ name: "a", check: Effect.sync(() => `${++asked}`) }])
      yield* readiness
      yield* readiness
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust("1 second")
      yield* readiness
      assert.strictEqual(asked, 2)
    }))

  it.effect("is asked for anew after a second though the wall clock was set back by an hour", () =>
    Effect.gen(function*() {
      let asked = 0
      const { clock, wall } = yield* settableClock
      const readiness = Effect.provideService(makeReadiness([{ name: "a", check: Effect.sync(() => `${++asked}`) }]), Clock.Clock, clock)
      yield* readiness
      wall.offsetMs = -3_600_000
      yield* TestClock.adjust("1 second")
      yield* readiness
      assert.strictEqual(asked, 2)
    }))

  it.effect("says which part could not even be asked, instead of failing without a word", () =>
    Effect.gen(function*() {
      const { checks, ready } = yield* makeReadiness([{ name: "redis", check: Effect.die(new Error("a bug")) }, { name: "a", check: Effect.succeed("ok") }])
      assert.isFalse(ready)
      assert.match(checks.redis!.message, /it cannot be asked: .*a bug/)
      assert.isTrue(checks.a!.ok)
    }))
})
