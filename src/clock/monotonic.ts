/**
 * Time for durations. The wall clock steps when somebody sets it, and `Clock.currentTimeNanos` is the wall clock too; this
 * one only goes on, from a beginning that means nothing.
 */
import { Clock, Effect } from "effect"

// To microseconds first: a number cannot hold the nanoseconds of more than some months.
const toMs = (ns: bigint): number => Number(ns / 1000n) / 1000

export const monotonicMsOf = (clock: Clock.Clock): number => toMs(clock.monotonicTimeNanosUnsafe())

export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, toMs)
