/** The product's times, in milliseconds. */
export interface Timing {
  /** From the stop signal to SIGKILL where the spec says nothing else. */
  readonly stopGraceMs: number
  /** A stopped container is kept this long. */
  readonly retentionMs: number
  readonly backoff: Backoff
}

/**
 * Restarts and failed starts wait `baseMs`, doubled each time up to `maxMs`, and begin anew after `stableMs` up. Each wait is longer by up
 * to the share `jitter` of it, by game and count: what fell together does not start together.
 */
export interface Backoff {
  readonly baseMs: number
  readonly maxMs: number
  readonly stableMs: number
  /** 0: none. */
  readonly jitter: number
}

export const defaultBackoff: Backoff = { baseMs: 1000, maxMs: 300_000, stableMs: 600_000, jitter: 0.2 }
