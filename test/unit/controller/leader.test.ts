import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Fiber, Logger, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { lead, type LeaderOptions } from "../../../src/controller/Leader.ts"
import { type LeaderState, roleOf } from "../../../src/controller/role.ts"
import { type Acquired, Lease, type Term } from "../../../src/store/Lease.ts"
import { monotonicMs } from "../../../src/clock/monotonic.ts"
import { StoreError } from "../../../src/store/StoreError.ts"
import { settableClock } from "../../support/wallClock.ts"

const away = new StoreError({ operation: "renew", reason: "Unavailable", message: "away" })

/** A lease in memory, and what happened to it. */
const makeLease = () => {
  const seen = { holder: "", epoch: 0, renewals: 0, releases: 0, away: false, silent: false, lateMs: 0, renewedAgoMs: 0 }
  const answer = <A>(value: () => A): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => seen.silent ? Effect.never : seen.away ? Effect.fail(away) : Effect.tap(Effect.sync(value), () => seen.lateMs > 0 ? Effect.sleep(seen.lateMs) : Effect.void))
  const lease: Lease["Service"] = {
    acquire: (holder) => answer((): Acquired => {
      if (seen.holder !== "" && seen.holder !== holder) {
        return { _tag: "Held", holder: seen.holder, epoch: seen.epoch, ttlMs: 6000, renewedAgoMs: seen.renewedAgoMs }
      }
      seen.holder = holder
      return { _tag: "Taken", epoch: ++seen.epoch }
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

const leading = Effect.fnUntraced(function*(lease: Lease["Service"], clock?: Clock.Clock) {
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
  }).pipe(Effect.provideService(Lease, lease), Effect.provideService(Clock.Clock, clock ?? (yield* Clock.Clock))))
  yield* TestClock.adjust("1 millis")
  return { state, terms, acting, fiber }
})

/** A leader whose acting parts are `act`. */
const acting = Effect.fnUntraced(function*(lease: Lease["Service"], act: LeaderOptions<string, never>["act"]) {
  const state = yield* SubscriptionRef.make<LeaderState>({ role: "standby", epoch: 0 })
  yield* Effect.forkChild(lead({ holder: "me", ttlMs: 6000, state, act }).pipe(Effect.provideService(Lease, lease)))
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

  it.effect("is not well as a standby that hears of no renewal, nor while the lease cannot be asked for", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      Object.assign(seen, { holder: "other", epoch: 3, renewedAgoMs: 2000 })
      const { state } = yield* leading(lease)
      const role = Effect.gen(function*() {
        return roleOf(yield* SubscriptionRef.get(state), yield* monotonicMs)
      })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* role, { ok: true, message: "standby of other, renewed 2 s ago" })
      seen.renewedAgoMs = 9000
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* role, { ok: false, message: "standby; nobody renews the lease: other did 9 s ago" })
      seen.renewedAgoMs = 0
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* role).ok)
      seen.away = true
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* role, { ok: false, message: "standby; nobody renews the lease: other did 10 s ago (away)" })
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

  it.effect("counts its lease from before it was asked for, however late the answer comes", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      seen.lateMs = 2000
      const { acting, terms } = yield* leading(lease)
      yield* TestClock.adjust("2 seconds")
      const leftMs = yield* terms[0]!.remainingMs
      seen.lateMs = 0
      assert.strictEqual(acting.now, 1)
      assert.isAtMost(leftMs, 4000)
    }))

  it.effect("counts its lease from before a renewal was sent, however late the answer comes", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, terms } = yield* leading(lease)
      seen.lateMs = 1500
      // Sent after 2 s, answered after 3.5 s.
      yield* TestClock.adjust("3600 millis")
      const leftMs = yield* terms[0]!.remainingMs
      seen.silent = true
      yield* TestClock.adjust("4300 millis")
      const before = acting.now
      yield* TestClock.adjust("200 millis")
      const after = acting.now
      // Giving it up is not answered, and waited for only so long.
      yield* TestClock.adjust("5 seconds")
      seen.silent = false
      assert.isAtMost(leftMs, 4400)
      assert.deepStrictEqual([before, after], [1, 0])
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

  it.effect("ends the term at once when somebody was told that another one acts, and asks for the lease anew", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { acting, terms } = yield* leading(lease)
      seen.holder = "other"
      yield* terms[0]!.end
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(acting.now, 0)
      assert.isAtMost(yield* terms[0]!.remainingMs, 0)
      seen.holder = ""
      yield* TestClock.adjust("1 second")
      assert.strictEqual(acting.now, 1)
      assert.strictEqual(terms.length, 2)
      assert.isAbove(yield* terms[1]!.remainingMs, 0)
    }))

  it.effect("finds its lease over after the machine was suspended, though the monotonic clock stood still", () =>
    Effect.gen(function*() {
      const { lease } = makeLease()
      const { clock, wall } = yield* settableClock
      const { terms } = yield* leading(lease, clock)
      wall.offsetMs = 6000
      assert.isAtMost(yield* Effect.provideService(terms[0]!.remainingMs, Clock.Clock, clock), 0)
    }))

  it.effect("believes in its lease no longer when the wall clock was set back by an hour", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const { clock, wall } = yield* settableClock
      const { acting } = yield* leading(lease, clock)
      seen.silent = true
      wall.offsetMs = -3_600_000
      yield* TestClock.adjust("6100 millis")
      assert.strictEqual(acting.now, 0)
      yield* TestClock.adjust("1 second")
    }))

  it.effect("says why acting failed, and lets a second pass before it asks for the lease again", () =>
    Effect.gen(function*() {
      const { lease, seen } = makeLease()
      const lines: Array<string> = []
      const logger = Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${Cause.pretty(cause)}`))
      let terms = 0
      yield* acting(lease, () => Effect.suspend(() => Effect.fail(`broken ${++terms}`))).pipe(Effect.provide(Logger.layer([logger])))
      yield* TestClock.adjust("10500 millis")
      assert.strictEqual(terms, 11)
      assert.strictEqual(seen.releases, 11)
      assert.isTrue(lines.some((line) => line.includes("acting failed") && line.includes("broken 1")), lines.join("\n"))
    }))
})
