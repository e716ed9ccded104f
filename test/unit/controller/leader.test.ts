import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { lead, type LeaderState } from "../../../src/controller/Leader.ts"
import { Lease, type Term } from "../../../src/store/Lease.ts"
import { StoreError } from "../../../src/store/Store.ts"

const away = new StoreError({ operation: "renew", reason: "Unavailable", message: "away" })

/** A lease in memory, and what happened to it. */
const makeLease = () => {
  const seen = { holder: "", epoch: 0, renewals: 0, releases: 0, away: false, silent: false }
  const answer = <A>(value: () => A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => seen.silent ? Effect.never : seen.away ? Effect.fail(away) : Effect.sync(value))
  const lease: Lease["Service"] = {
    acquire: (holder) => answer(() => {
      if (seen.holder !== "") return undefined
      seen.holder = holder
      return ++seen.epoch
    }),
    renew: (holder, epoch) => answer(() => {
      seen.renewals++
      return seen.holder === holder && seen.epoch === epoch
    }),
    release: (holder, epoch) => answer(() => {
      seen.releases++
      if (seen.holder === holder && seen.epoch === epoch) seen.holder = ""
    })
  }
  return { lease, seen }
}

const leading = Effect.fnUntraced(function*(lease: Lease["Service"]) {
  const state = yield* SubscriptionRef.make<LeaderState>({ role: "standby", epoch: 0 })
  const terms: Array<Term> = []
  const acting = { now: 0 }
  const fiber = yield* Effect.forkChild(lead({
    holder: "me", ttlMs: 6000, state,
    act: (term) => Effect.acquireRelease(
      Effect.sync(() => {
        terms.push(term)
        acting.now++
      }),
      () => Effect.sync(() => void acting.now--)
    )
  }).pipe(Effect.provideService(Lease, lease)))
  yield* TestClock.adjust("1 millis")
  return { state, terms, acting, fiber }
})

describe("leadership", () => {
  it.effect("acts as soon as the lease is free, and keeps it", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, terms } = yield* leading(lease)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(acting.now, 1)
      assert.strictEqual(terms.length, 1)
      assert.isAbove(seen.renewals, 20)
    }))

  it.effect("stands by while another holds it, and takes over within a second of its being given up", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      seen.holder = "other"
      const { acting, state } = yield* leading(lease)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(acting.now, 0)
      seen.holder = ""
      yield* TestClock.adjust("1 second")
      assert.strictEqual(acting.now, 1)
      assert.deepStrictEqual(yield* SubscriptionRef.get(state), { role: "leader", epoch: 1 })
    }))

  it.effect("stops acting before the lease has run out when the database is silent", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, terms } = yield* leading(lease)
      seen.silent = true
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(acting.now, 1)
      assert.isAbove(yield* terms[0]!.remainingMs, 0)
      yield* TestClock.adjust("1100 millis")
      assert.strictEqual(acting.now, 0)
      assert.isAtMost(yield* terms[0]!.remainingMs, 0)
      // Giving it up is not answered either, and waited for only so long.
      yield* TestClock.adjust("1 second")
    }))

  it.effect("stops acting at once when the lease is another's", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting } = yield* leading(lease)
      seen.holder = "other"
      yield* TestClock.adjust("2100 millis")
      assert.strictEqual(acting.now, 0)
    }))

  it.effect("outlives a short outage of the database in the same term", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, terms } = yield* leading(lease)
      seen.away = true
      yield* TestClock.adjust("4 seconds")
      seen.away = false
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(acting.now, 1)
      assert.strictEqual(terms.length, 1)
    }))

  it.effect("gives the lease up when it ends in order", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, fiber } = yield* leading(lease)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(acting.now, 0)
      assert.strictEqual(seen.releases, 1)
      assert.strictEqual(seen.holder, "")
    }))
})
