/** Entries that were delivered before, read again by their time, whether they were acknowledged or not. */
import { Effect } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import { entryMs, type JobStreamEntry, type StreamsError } from "../Streams.ts"
import { byEntryId, isNoGroup, type RedisLink, type RedisOptions, toFields } from "./client.ts"
import { fieldOf } from "./life.ts"

export interface Recent {
  readonly stream: string
  readonly kind: JobKind
  readonly life: string
  readonly sinceMs: number
  readonly count: number
  /** The last entry that was read so. */
  readonly after: string | undefined
}

/** Of one stream, oldest first. */
export const recentOf = Effect.fnUntraced(function*(link: RedisLink, options: RedisOptions, { after, count, kind, life, sinceMs, stream }: Recent): Effect.fn.Return<
  ReadonlyArray<JobStreamEntry>,
  StreamsError
> {
  const last = yield* lastDelivered(link, options, stream)
  if (last === undefined) return []
  const found = yield* link.use("xrange", (redis) =>
    redis.xrange(stream, after === undefined ? String(Math.max(0, Math.floor(sinceMs))) : `(${after}`, last, "COUNT", count))
  return found.map(([entryId, fields]) => ({ stream, kind, life, entryId, fields: toFields(fields), deliveries: 1 }))
})

/** What comes after it is given by ordinary reads. undefined: there is no group. */
const lastDelivered = (link: RedisLink, { group }: RedisOptions, stream: string) =>
  link.use("xinfo", (redis) => redis.xinfo("GROUPS", stream) as Promise<ReadonlyArray<ReadonlyArray<unknown>>>).pipe(
    Effect.map((groups) => groups.find((fields) => fieldOf(fields, "name") === group)),
    Effect.map((fields) => fields && String(fieldOf(fields, "last-delivered-id"))),
    Effect.catchIf((error) => isNoGroup(error) || error.message.includes("no such key"), () => Effect.succeed(undefined))
  )

/** In one order, as far as every stream's page goes; the rest is read again. */
export const inOrder = (pages: ReadonlyArray<ReadonlyArray<JobStreamEntry>>, count: number): ReadonlyArray<JobStreamEntry> => {
  const untilMs = Math.min(...pages.map((page) => page.length < count ? Infinity : entryMs(page.at(-1)!.entryId)))
  const all = pages.flat().sort(byEntryId)
  const known = all.filter(({ entryId }) => entryMs(entryId) <= untilMs)
  return known
}
