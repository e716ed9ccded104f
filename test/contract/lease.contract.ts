/** What every Lease promises, the real one and the one in memory: the same tests for both. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Acquired, type Lease, unknownHolder } from "../../src/store/Lease.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { until } from "../support/until.ts"

/** What befalls the row. */
export interface Row {
  readonly remove: () => Promise<unknown>
  /** As it was written by a clock that was that far ahead; `whole`: the time of its renewal too. */
  readonly ahead: (ms: number, whole: boolean) => Promise<unknown>
}

/** Runs `body` with a lease that nobody holds and nobody has held. */
export type WithLease = (body: (lease: Lease["Service"], row: Row) => Effect.Effect<void, StoreError>) => Promise<void>

type Body = (lease: Lease["Service"], acquire: (holder: string, ttlMs: number) => Effect.Effect<number | undefined, StoreError>, row: Row) =>
  Generator<Effect.Effect<any, StoreError>, void, any>

const epochOf = (acquired: Acquired): number | undefined => acquired._tag === "Taken" ? acquired.epoch : undefined

export const leaseContract = (name: string, withLease: WithLease): void => {
  const on = (body: Body) => () =>
    withLease((lease, row) => Effect.gen(() => body(lease, (holder, ttlMs) => Effect.map(lease.acquire(holder, ttlMs), epochOf), row)))

  describe(`Lease: ${name}`, () => {
    it("goes to one, to another only when it ran out or was released, with a higher epoch each time", on(function*(lease, acquire) {
      assert.strictEqual(yield* acquire("a", 60_000), 1)
      assert.isUndefined(yield* acquire("b", 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 1))
      yield* Effect.promise(() => until("it runs out", () => Effect.runPromise(acquire("b", 60_000))))
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      yield* lease.release("b", 2)
      assert.strictEqual(yield* acquire("a", 60_000), 3)
    }))

    it("goes to its holder again, whose first asking was carried out unheard, in a new epoch", on(function*(lease, acquire) {
      assert.strictEqual(yield* acquire("a", 60_000), 1)
      assert.strictEqual(yield* acquire("a", 60_000), 2)
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      assert.isUndefined(yield* acquire("b", 60_000))
    }))

    it("is prolonged by its holder alone", on(function*(lease, acquire) {
      yield* acquire("a", 60_000)
      assert.isFalse(yield* lease.renew("b", 1, 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
    }))

    it("lasts as long as it was last renewed for", on(function*(lease, acquire) {
      const startedMs = Date.now()
      yield* acquire("a", 60)
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
      yield* Effect.promise(() => until("the first time is over", () => Date.now() - startedMs > 120))
      assert.isUndefined(yield* acquire("b", 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
    }))

    it("is given up by its holder alone, in its own epoch", on(function*(lease, acquire) {
      yield* acquire("a", 60_000)
      yield* lease.release("b", 1)
      yield* lease.release("a", 7)
      assert.isUndefined(yield* acquire("b", 60_000))
      yield* lease.release("a", 1)
      assert.strictEqual(yield* acquire("b", 60_000), 2)
    }))

    it("says who holds it and since when", on(function*(lease) {
      yield* lease.acquire("a", 60_000)
      const held = yield* lease.acquire("b", 5000)
      assert.deepInclude(held, { _tag: "Held", holder: "a", epoch: 1, ttlMs: 60_000 })
      assert.isTrue(held._tag === "Held" && held.renewedAgoMs >= 0 && held.renewedAgoMs < 5000)
    }))

    it("is had again when its row was deleted, after the time of whoever may hold it, in an epoch above all that were", on(function*(lease, acquire, row) {
      assert.strictEqual(yield* acquire("a", 60_000), 1)
      yield* Effect.promise(row.remove)
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      assert.deepInclude(yield* lease.acquire("b", 200), { _tag: "Held", holder: unknownHolder })
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      const epoch = yield* Effect.promise(() => until("it is had", () => Effect.runPromise(acquire("b", 60_000)), 2000))
      assert.isAbove(epoch, 1)
      yield* Effect.promise(row.remove)
      yield* acquire("a", 1)
      assert.isAbove(yield* Effect.promise(() => until("it is had again", () => Effect.runPromise(acquire("a", 60_000)), 2000)), epoch)
    }))

    it.each([["its end", false], ["its renewal and its end", true]] as const)("goes to another within its holder's time when a wrong clock wrote %s an hour ahead", (_what, whole) =>
      on(function*(lease, acquire, row) {
        yield* acquire("a", 300)
        yield* Effect.promise(() => row.ahead(3_600_000, whole))
        assert.isUndefined(yield* acquire("b", 60_000))
        assert.strictEqual(yield* Effect.promise(() => until("it is had", () => Effect.runPromise(acquire("b", 60_000)), 2000)), 2)
        assert.isFalse(yield* lease.renew("a", 1, 60_000))
      })())
  })
}
