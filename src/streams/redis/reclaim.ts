/**
 * Entries that were delivered and left alone. XAUTOCLAIM would do it in one command, but it drops an entry that was trimmed
 * meanwhile from the group, and with it the only word that its sender waits for an answer. So: what is pending is listed,
 * what still has a body is claimed, and what was trimmed is told and stays pending until it is acknowledged.
 */
import { Effect } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import type { JobStreamEntry, StreamsError } from "../Streams.ts"
import { isNoGroup, type PendingEntry, type RedisLink, type RedisOptions, toFields } from "./client.ts"
import { type Suspects, suspicionOf } from "./Suspects.ts"

export interface Reclaim {
  readonly stream: string
  readonly kind: JobKind
  readonly life: string
  readonly minIdleMs: number
  readonly count: number
  /** Trimmed entries that were told already. */
  readonly told: ReadonlySet<string>
  readonly suspects: Suspects
}

export const reclaim = Effect.fnUntraced(function*(link: RedisLink, options: RedisOptions, asked: Reclaim): Effect.fn.Return<
  ReadonlyArray<JobStreamEntry>,
  StreamsError
> {
  const { kind, life, stream } = asked
  const open = (yield* staleEntries(link, options, asked)).filter(([id]) => !asked.told.has(id))
  if (open.length === 0) return []
  // A controller that died left them: what may have killed it is not read, whatever else waits.
  const { hopeless, isCareful } = yield* suspicionOf(link, options, asked)
  if (hopeless.length > 0) return hopeless
  const stale = isCareful ? open.slice(0, 1) : open
  const bodies = yield* link.use("xrange", async (redis) => {
    const pipeline = redis.pipeline()
    for (const [id] of stale) pipeline.xrange(stream, id, id)
    return results<ReadonlyArray<readonly [string, Array<string>]>>(await pipeline.exec()).map(([entry]) => entry?.[1] ?? null)
  })
  yield* link.use("xclaim", async (redis) => {
    const pipeline = redis.pipeline()
    for (const [index, [id, , , count]] of stale.entries()) {
      if (bodies[index] !== null) pipeline.xclaim(stream, options.group, options.consumer, asked.minIdleMs, id, "RETRYCOUNT", count + 1, "JUSTID")
    }
    results(await pipeline.exec())
  })
  const entries = stale.map(([entryId, , , count], index) => ({ stream, kind, life, entryId, fields: toFields(bodies[index] ?? null), deliveries: count + 1 }))
  asked.suspects.saw(entries)
  return entries
})

const staleEntries = (link: RedisLink, { group }: RedisOptions, { count, minIdleMs, stream, told }: Reclaim) =>
  link.use("xpending", (redis) =>
    redis.xpending(stream, group, "IDLE", minIdleMs, "-", "+", count + told.size) as Promise<unknown> as Promise<ReadonlyArray<PendingEntry>>).pipe(
    // The group is made by the next read.
    Effect.catchIf(isNoGroup, () => Effect.succeed<ReadonlyArray<PendingEntry>>([]))
  )

const results = <A>(replies: ReadonlyArray<readonly [Error | null, unknown]> | null): ReadonlyArray<A> =>
  (replies ?? []).map(([error, reply]) => {
    if (error) throw error
    return reply as A
  })
