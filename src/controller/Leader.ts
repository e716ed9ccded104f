/**
 * Leadership: waits for the lease, then runs the acting parts for one term, until the lease is lost, somebody ends the term,
 * or the process ends.
 *
 * The lease's validity is counted from before a renewal was sent, and computed whenever somebody asks: a process that was
 * frozen finds it over before it does anything else.
 */
import { Cause, Clock, Deferred, Effect, Exit, Metric, Result, type Scope, SubscriptionRef } from "effect"
import { type Acquired, Lease, type Term } from "../store/Lease.ts"
import type { StoreError } from "../store/StoreError.ts"
import * as metrics from "../telemetry/metrics.ts"
import { monotonicMsOf } from "../clock/monotonic.ts"
import type { LeaderState } from "./role.ts"

export interface LeaderOptions<E, R> {
  /** Unique to this process. */
  readonly holder: string
  readonly ttlMs: number
  readonly state: SubscriptionRef.SubscriptionRef<LeaderState>
  /** The acting parts: runs until interrupted. Its scope is closed when the term ends. */
  readonly act: (term: Term) => Effect.Effect<unknown, E, R | Scope.Scope>
}

/** A standby asks this often, so a lease that was given up is taken within a second. */
const pollMs = 250
const releaseDeadlineMs = 500
/** After acting failed: time for another controller to take over, and for nobody to spin. */
const failurePauseMs = 1000

/** Never ends: standby, leader, standby, ... */
export const lead = <E, R>(options: LeaderOptions<E, R>): Effect.Effect<never, never, R | Lease> =>
  Effect.gen(function*() {
    const lease = yield* Lease
    for (;;) {
      const asked = yield* instant
      const acquired = yield* Effect.result(lease.acquire(options.holder, options.ttlMs))
      if (Result.isFailure(acquired)) yield* unheard(options, acquired.failure)
      else if (acquired.success._tag === "Held") yield* standBy(options, acquired.success, asked)
      else yield* serve(options, acquired.success.epoch, asked)
    }
  })

const standBy = Effect.fnUntraced(function*<E, R>({ state }: LeaderOptions<E, R>, { _tag, ...holding }: Acquired & { readonly _tag: "Held" }, asked: Instant) {
  yield* SubscriptionRef.update(state, ({ epoch }): LeaderState => ({ role: "standby", epoch, seen: { atMs: asked.monotonicMs, holding } }))
  yield* Effect.sleep(pollMs)
})

/** What was heard last stays: it tells for how long nothing was. */
const unheard = Effect.fnUntraced(function*<E, R>({ state }: LeaderOptions<E, R>, error: StoreError) {
  yield* Effect.logDebug("the lease cannot be asked for", error)
  yield* SubscriptionRef.update(state, (known): LeaderState => ({ ...known, role: "standby", trouble: error.message }))
  yield* Effect.sleep(pollMs)
})

/** By both clocks: the monotonic one stands still while a virtual machine is suspended, the wall clock may be set back. */
interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

const instant: Effect.Effect<Instant> = Clock.clockWith((clock) =>
  Effect.sync(() => ({ monotonicMs: monotonicMsOf(clock), wallMs: clock.currentTimeMillisUnsafe() })))

const elapsedMs = (since: Instant, now: Instant): number => Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs)

/** A term, and how it is prolonged. */
const makeTerm = (epoch: number, ttlMs: number, asked: Instant) => {
  const lost = Deferred.makeUnsafe<void>()
  let valid = asked
  const term: Term = {
    epoch,
    remainingMs: Effect.map(instant, (now) => Deferred.isDoneUnsafe(lost) ? 0 : ttlMs - elapsedMs(valid, now)),
    lost: Deferred.await(lost),
    end: Effect.asVoid(Deferred.succeed(lost, undefined))
  }
  return { term, prolong: (from: Instant) => void (valid = from) }
}

const serve = Effect.fnUntraced(function*<E, R>(options: LeaderOptions<E, R>, epoch: number, asked: Instant) {
  const lease = yield* Lease
  const { prolong, term } = makeTerm(epoch, options.ttlMs, asked)

  const renew = Effect.gen(function*() {
    const sent = yield* instant
    const renewed = yield* lease.renew(options.holder, epoch, options.ttlMs)
    if (renewed) prolong(sent)
    return renewed
  })
  /** Ends when the lease is another's, or was not renewed in time. */
  const keep = Effect.gen(function*() {
    for (;;) {
      const leftMs = yield* term.remainingMs
      if (leftMs <= 0) return
      const outcome = yield* renew.pipe(
        Effect.timeoutOrElse({ duration: leftMs, orElse: () => Effect.succeed(false) }),
        Effect.catch(() => Effect.succeed(undefined))
      )
      if (outcome === false) return
      yield* Effect.sleep(outcome === true ? options.ttlMs / 3 : Math.min(250, options.ttlMs / 12))
    }
  })

  yield* enter(options, { role: "leader", epoch })
  yield* Effect.logInfo("this controller acts", { epoch })
  const acting = Effect.scoped(Effect.andThen(options.act(term), Effect.never))
  const over = Effect.andThen(Effect.raceFirst(keep, term.lost), term.end)
  const acted = yield* Effect.raceFirst(Effect.exit(acting), Effect.as(over, undefined)).pipe(
    Effect.onExit((exit) =>
      Effect.gen(function*() {
        yield* term.end
        yield* enter(options, { role: "standby", epoch })
        yield* lease.release(options.holder, epoch).pipe(Effect.timeoutOption(releaseDeadlineMs), Effect.ignore)
        if (Exit.isSuccess(exit)) yield* Effect.logWarning("this controller stands by", { epoch })
      })
    )
  )
  if (acted !== undefined) yield* failed(acted)
})

const failed = Effect.fnUntraced(function*<E>(exit: Exit.Exit<never, E>) {
  yield* Metric.update(Metric.withAttributes(metrics.loopFailures, { loop: "term" }), 1)
  yield* Effect.logError("acting failed; the term is over", Exit.isFailure(exit) ? exit.cause : Cause.empty)
  yield* Effect.sleep(failurePauseMs)
})

const enter = <E, R>(options: LeaderOptions<E, R>, state: LeaderState) =>
  Effect.andThen(
    SubscriptionRef.set(options.state, state),
    Metric.update(metrics.leader, state.role === "leader" ? 1 : 0)
  )
