/** How long a restart or a failed start waits. Pure, the jitter too: a look that is repeated finds the same time. */
import type { Observation } from "../../../src/domain/Observation.ts"
import type { Backoff } from "../../../src/domain/Timing.ts"

/** Its row's own; where there is no row, the usual one. */
export const curveOf = ({ target, timing }: Pick<Observation, "target" | "timing">): Backoff => target?.backoff ?? timing.backoff

/** `base x 2^times`, at most `max`, and longer by up to the share `jitter` of that: each game by its own part, another one each time. */
export const backoffMs = (seen: Pick<Observation, "gameId" | "target" | "timing">, times: number): number => {
  const { baseMs, jitter, maxMs } = curveOf(seen)
  const waitMs = Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(times, 0), 30))
  return Math.round(waitMs * (1 + jitter * fraction(`${seen.gameId} ${times}`)))
}

/** From 0 to less than 1, even over all texts (FNV-1a, and a mix so that texts that differ in their end differ in all). */
const fraction = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
