/** The test's clock with a wall clock that somebody can set: sleeps and the monotonic clock do not notice. */
import { Clock, Effect } from "effect"

export interface SettableClock {
  readonly clock: Clock.Clock
  /** How far the wall clock was set forward. */
  readonly wall: { offsetMs: number }
}

export const settableClock: Effect.Effect<SettableClock> = Clock.clockWith((clock) =>
  Effect.sync(() => {
    const wall = { offsetMs: 0 }
    const nowMs = () => clock.currentTimeMillisUnsafe() + wall.offsetMs
    const nowNs = () => BigInt(nowMs()) * 1_000_000n
    return {
      wall,
      clock: {
        currentTimeMillisUnsafe: nowMs,
        currentTimeMillis: Effect.sync(nowMs),
        currentTimeNanosUnsafe: nowNs,
        currentTimeNanos: Effect.sync(nowNs),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      }
    }
  }))
