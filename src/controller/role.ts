/** What this process is among its likes, for people and for readiness. Pure. */
import { type Holding, unknownHolder } from "../store/Lease.ts"

/** What a standby heard of the lease last, and when, by this process's monotonic clock. */
export interface Sight {
  readonly atMs: number
  readonly holding: Holding
}

export type LeaderState =
  | { readonly role: "leader"; readonly epoch: number }
  /** `epoch`: of the last term, 0: there was none. `trouble`: why the lease cannot be asked for now. */
  | { readonly role: "standby"; readonly epoch: number; readonly seen?: Sight; readonly trouble?: string }

export interface Role {
  readonly ok: boolean
  readonly message: string
}

/** A renewal may be late by this much, and an asking by as much again. */
const slackMs = 1000

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`

/** A standby is well while somebody else acts: it hears of each renewal, and takes over when none comes any more. */
export const roleOf = (state: LeaderState, nowMs: number): Role => {
  if (state.role === "leader") return { ok: true, message: `leader, epoch ${state.epoch}` }
  const no = (message: string) => ({ ok: false, message: state.trouble === undefined ? `standby; ${message}` : `standby; ${message} (${state.trouble})` })
  if (state.seen === undefined) return no("nothing is known of the lease yet")
  const { atMs, holding: { holder, renewedAgoMs, ttlMs } } = state.seen
  const agoMs = renewedAgoMs + nowMs - atMs
  if (holder === unknownHolder) return no("the lease's row was gone, and whoever held it is given the time to notice")
  if (agoMs <= ttlMs + slackMs) return { ok: true, message: holder === "" ? "standby; the lease is free" : `standby of ${holder}, renewed ${seconds(agoMs)} ago` }
  return no(holder === "" ? `nobody holds the lease, for ${seconds(agoMs)}` : `nobody renews the lease: ${holder} did ${seconds(agoMs)} ago`)
}
