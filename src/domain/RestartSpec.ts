/**
 * `spec.restart`: a game's own back-off, and the exit codes that it is never restarted on. It is for the end of a run, and no part of what
 * runs: a change of it makes no new container.
 */
import { Schema } from "effect"
import { durationPattern, parseDurationMs } from "./Quantity.ts"
import { field, formed, listOf } from "./spec/values.ts"
import type { Backoff } from "./Timing.ts"

const second = 1000
const hour = 3_600_000

/** Less than the shortest back-off would keep the engine busy with one game; more than the longest is what `never` is for. */
const duration = (leastMs: number, mostMs: number, takes: string) =>
  formed(durationPattern, `a duration from ${takes}`).check(
    Schema.makeFilter((text: string) => {
      const ms = parseDurationMs(text) ?? 0
      return ms < leastMs || ms > mostMs ? `takes a duration from ${takes}` : undefined
    })
  )

export const RestartSpec = Schema.Struct({
  base: field(duration(second / 10, hour, "100ms to 1h"), "The first wait; each further one is twice as long.", "`1s`, or `max` where that is less"),
  max: field(duration(second / 10, 24 * hour, "100ms to 24h"), "No wait is longer, but for the jitter.", "`5m`, or `base` where that is more"),
  reset: field(duration(second, 168 * hour, "1s to 168h"), "A run of this length begins the count anew.", "`10m`"),
  never_on: field(
    listOf(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })), 256),
    "An end with one of these exit codes is final, whatever the policy, until the row changes or a job asks for a start."
  )
}).check(
  Schema.makeFilter(({ base, max }: { readonly base?: string; readonly max?: string }) =>
    base !== undefined && max !== undefined && parseDurationMs(base)! > parseDurationMs(max)!
      ? { path: ["base"], issue: "takes at most what max says" }
      : undefined)
)
export type RestartSpec = typeof RestartSpec.Type

/** The curve of a game: what its spec leaves out is as `usual`. */
export const backoffOf = ({ base, max, reset }: RestartSpec = {}, usual: Backoff): Backoff => {
  const [baseMs, maxMs] = [parseDurationMs(base ?? ""), parseDurationMs(max ?? "")]
  return {
    baseMs: baseMs ?? Math.min(usual.baseMs, maxMs ?? Infinity),
    maxMs: maxMs ?? Math.max(usual.maxMs, baseMs ?? 0),
    stableMs: parseDurationMs(reset ?? "") ?? usual.stableMs,
    jitter: usual.jitter
  }
}
