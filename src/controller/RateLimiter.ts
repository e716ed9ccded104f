/**
 * How long a key waits before it is tried again: the larger of a delay of its own that doubles with each failure, and
 * of an overall limit that keeps many failing keys from hammering (controller-runtime's default limiter).
 */
import type { Clock } from "effect"
import { monotonicMsOf } from "../clock/monotonic.ts"

export interface RateLimiter<K> {
  /** Counts a failure; milliseconds to wait. `apart`: by the key's own delay alone, and the overall limit does not count it. */
  readonly when: (key: K, apart?: boolean) => number
  readonly forget: (key: K) => void
  readonly numRequeues: (key: K) => number
}

export interface RateLimiterOptions {
  /** Default: 5 ms. */
  readonly baseMs?: number
  /** Default: 1000 s. */
  readonly maxMs?: number
  /** Retries a second over all keys. Default: 10. */
  readonly perSecond?: number
  /** Retries at once over all keys before `perSecond` holds. Default: 100. */
  readonly burst?: number
}

export const makeRateLimiter = <K>(clock: Clock.Clock, options: RateLimiterOptions = {}): RateLimiter<K> => {
  const { baseMs = 5, maxMs = 1_000_000, perSecond = 10, burst = 100 } = options
  const failures = new Map<K, number>()
  const bucket = tokenBucket(clock, perSecond, burst)
  return {
    when: (key, apart = false) => {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      return Math.max(Math.min(maxMs, baseMs * 2 ** Math.min(count, 40)), apart ? 0 : bucket())
    },
    forget: (key) => {
      failures.delete(key)
    },
    numRequeues: (key) => failures.get(key) ?? 0
  }
}

/** Takes a token, on credit where there is none: milliseconds until it is earned. */
const tokenBucket = (clock: Clock.Clock, perSecond: number, burst: number) => {
  let tokens = burst
  let lastMs = monotonicMsOf(clock)
  return (): number => {
    const nowMs = monotonicMsOf(clock)
    tokens = Math.min(burst, tokens + (nowMs - lastMs) * perSecond / 1000)
    lastMs = nowMs
    tokens -= 1
    return tokens >= 0 ? 0 : Math.ceil(-tokens * 1000 / perSecond)
  }
}
