/**
 * Leadership: waits for the lease, then runs the acting parts for one term, until the lease is lost or the process ends.
 *
 * The lease's validity is counted on the monotonic clock from before a renewal was sent, and computed whenever somebody
 * asks: a process that was frozen finds it over before it does anything else.
 */
import { Clock, Deferred, Effect, Exit, Metric, type Scope, SubscriptionRef } from "effect"
import { Lease, type Term } from "../store/Lease.ts"
import type { StoreError } from "../store/Store.ts"
import * as metrics from "../telemetry/metrics.ts"

export interface LeaderState {
  readonly role: "standby" | "leader"
  readonly epoch: number
}

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

/** Never ends: standby, leader, standby, ... */
export const lead = <E, R>(options: LeaderOptions<E, R>): Effect.Effect<never, never, R | Lease> =>
  Effect.gen(function*() {
    const lease = yield* Lease
    for (;;) {
      const askedNs = yield* Clock.currentTimeNanos
      const epoch = yield* lease.acquire(options.holder, options.ttlMs).pipe(Effect.catch(quietly))
      if (epoch === undefined) yield* Effect.sleep(pollMs)
      else yield* serve(options, epoch, askedNs)
    }
  })

const quietly = (error: StoreError) => Effect.as(Effect.logDebug("the lease cannot be asked for", error), undefined)

const serve = Effect.fnUntraced(function*<E, R>(options: LeaderOptions<E, R>, epoch: number, askedNs: bigint) {
  const lease = yield* Lease
  const lost = yield* Deferred.make<void>()
  let validFromNs = askedNs
  const remainingMs = Effect.map(Clock.currentTimeNanos, (nowNs) => options.ttlMs - Number(nowNs - validFromNs) / 1e6)
  const term: Term = { epoch, remainingMs, lost: Deferred.await(lost) }

  const renew = Effect.gen(function*() {
    const sentNs = yield* Clock.currentTimeNanos
    const renewed = yield* lease.renew(options.holder, epoch, options.ttlMs)
    if (!renewed) return false
    validFromNs = sentNs
    return true
  })
  /** Ends when the lease is another's, or was not renewed in time. */
  const keep = Effect.gen(function*() {
    for (;;) {
      const leftMs = yield* remainingMs
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
  yield* Effect.raceFirst(Effect.exit(acting), Effect.andThen(keep, Deferred.succeed(lost, undefined))).pipe(
    Effect.onExit((exit) =>
      Effect.gen(function*() {
        yield* enter(options, { role: "standby", epoch })
        yield* lease.release(options.holder, epoch).pipe(Effect.timeoutOption(releaseDeadlineMs), Effect.ignore)
        if (Exit.isSuccess(exit)) yield* Effect.logWarning("this controller stands by", { epoch })
      })
    )
  )
})

const enter = <E, R>(options: LeaderOptions<E, R>, state: LeaderState) =>
  Effect.andThen(
    SubscriptionRef.set(options.state, state),
    Metric.update(metrics.leader, state.role === "leader" ? 1 : 0)
  )

