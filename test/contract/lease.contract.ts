/** What every Lease promises, the real one and the one in memory: the same tests for both. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Lease } from "../../src/store/Lease.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { until } from "../support/until.ts"

/** Runs `body` with a lease that nobody holds and nobody has held. */
export type WithLease = (body: (lease: Lease["Service"]) => Effect.Effect<void, StoreError>) => Promise<void>

export const leaseContract = (name: string, withLease: WithLease): void => {
  const on = (body: (lease: Lease["Service"]) => Generator<Effect.Effect<any, StoreError>, void, any>) => () =>
    withLease((lease) => Effect.gen(() => body(lease)))

  describe(`Lease: ${name}`, () => {
    it("goes to one, to another only when it ran out or was released, with a higher epoch each time", on(function*(lease) {
      assert.strictEqual(yield* lease.acquire("a", 60_000), 1)
      assert.isUndefined(yield* lease.acquire("b", 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 1))
      yield* Effect.promise(() => until("it runs out", () => Effect.runPromise(lease.acquire("b", 60_000))))
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      yield* lease.release("b", 2)
      assert.strictEqual(yield* lease.acquire("a", 60_000), 3)
    }))

    it("goes to its holder again, whose first asking was carried out unheard, in a new epoch", on(function*(lease) {
      assert.strictEqual(yield* lease.acquire("a", 60_000), 1)
      assert.strictEqual(yield* lease.acquire("a", 60_000), 2)
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      assert.isUndefined(yield* lease.acquire("b", 60_000))
    }))

    it("is prolonged by its holder alone", on(function*(lease) {
      yield* lease.acquire("a", 60_000)
      assert.isFalse(yield* lease.renew("b", 1, 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
    }))

    it("lasts as long as it was last renewed for", on(function*(lease) {
      const startedMs = Date.now()
      yield* lease.acquire("a", 60)
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
      yield* Effect.promise(() => until("the first time is over", () => Date.now() - startedMs > 120))
      assert.isUndefined(yield* lease.acquire("b", 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
    }))

    it("is given up by its holder alone, in its own epoch", on(function*(lease) {
      yield* lease.acquire("a", 60_000)
      yield* lease.release("b", 1)
      yield* lease.release("a", 7)
      assert.isUndefined(yield* lease.acquire("b", 60_000))
      yield* lease.release("a", 1)
      assert.strictEqual(yield* lease.acquire("b", 60_000), 2)
    }))
  })
}
