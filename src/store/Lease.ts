/**
 * One controller acts at a time: a lease row with an epoch. A lease is not a lock (a frozen holder wakes up believing in
 * it), so every write carries the epoch and every engine mutation asks `remainingMs` first.
 */
import { Context, type Effect } from "effect"
import type { StoreError } from "./StoreError.ts"

/** One term of leadership. */
export interface Term {
  readonly epoch: number
  /** Milliseconds until the lease runs out unless renewed, by this process's clocks; 0 or less: it is lost. */
  readonly remainingMs: Effect.Effect<number>
  /** Completes when the lease is lost. */
  readonly lost: Effect.Effect<void>
  /** Ends the term at once: somebody was told that another one acts. */
  readonly end: Effect.Effect<void>
}

export class CurrentTerm extends Context.Service<CurrentTerm, Term>()("rtmanager/store/CurrentTerm") {}

/** What holds the lease whose row was gone: perhaps nobody, perhaps one that has not noticed yet. */
export const unknownHolder = "unknown"

/** How the lease stands, by the database's clock. */
export interface Holding {
  /** Empty: nobody, it was given up. */
  readonly holder: string
  readonly epoch: number
  readonly renewedAgoMs: number
  /** What each renewal is good for. */
  readonly ttlMs: number
}

export type Acquired = { readonly _tag: "Taken"; readonly epoch: number } | ({ readonly _tag: "Held" } & Holding)

export class Lease extends Context.Service<Lease, {
  /**
   * Takes the lease if it is free, run out, or this holder's own (of an `acquire` whose answer was lost), in a new epoch,
   * higher than all before. `ttlMs` counts on the database's clock; no step of that clock, and no row that is gone, holds
   * the lease up for longer than its holder's own time.
   */
  readonly acquire: (holder: string, ttlMs: number) => Effect.Effect<Acquired, StoreError>
  /** Prolongs the lease; false when it is another's by now. */
  readonly renew: (holder: string, epoch: number, ttlMs: number) => Effect.Effect<boolean, StoreError>
  /** Gives the lease up at once. */
  readonly release: (holder: string, epoch: number) => Effect.Effect<void, StoreError>
}>()("rtmanager/store/Lease") {}
