import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { supervise } from "../../../src/controller/supervise.ts"

describe("a supervised loop", () => {
  it.effect("starts again after each failure, with growing pauses up to two seconds", () =>
    Effect.gen(function*() {
      let runs = 0
      yield* Effect.forkChild(supervise("test", Effect.suspend(() => Effect.fail(`${++runs}`))))
      yield* TestClock.adjust("350 millis")
      assert.strictEqual(runs, 3)
      yield* TestClock.adjust("1 minute")
      const soFar = runs
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(runs - soFar, 10)
    }))

  it.effect("is back at once when it had run well since the last trouble", () =>
    Effect.gen(function*() {
      let runs = 0
      let lives = 0
      yield* Effect.forkChild(supervise("test", Effect.suspend(() => Effect.andThen(Effect.sleep(lives), Effect.fail(`${++runs}`)))))
      yield* TestClock.adjust("1 minute")
      lives = 6000
      yield* TestClock.adjust("5 seconds")
      const soFar = runs
      yield* TestClock.adjust("6100 millis")
      assert.isAtLeast(runs - soFar, 1)
      // Its second long life began 100 ms after the first one's end.
      yield* TestClock.adjust("6100 millis")
      assert.isAtLeast(runs - soFar, 2)
    }))
})
