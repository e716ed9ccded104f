/**
 * Which life of a stream this is. Its consumer group keeps it as the name of a consumer that never reads: it is in the same key,
 * is replicated with it, and is lost with it. A group that was made by others has none.
 */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import type { StreamsError } from "../Streams.ts"
import type { RedisLink, RedisOptions } from "./client.ts"

const prefix = "life-"

/** Empty: the group has none. */
export const lifeOf = (link: RedisLink, { group }: RedisOptions, stream: string): Effect.Effect<string, StreamsError> =>
  Effect.map(
    link.use("xinfo", (redis) => redis.xinfo("CONSUMERS", stream, group) as Promise<ReadonlyArray<ReadonlyArray<unknown>>>),
    // Two that made it at once agree on one.
    (consumers) => consumers.map((fields) => String(fieldOf(fields, "name"))).filter((name) => name.startsWith(prefix)).sort()[0]?.slice(prefix.length) ?? ""
  )

/** Begins one in a group that was just made. */
export const beginLife = (link: RedisLink, { group }: RedisOptions, stream: string): Effect.Effect<void, StreamsError> =>
  Effect.asVoid(link.use("xgroup", (redis) => redis.xgroup("CREATECONSUMER", stream, group, `${prefix}${randomUUID()}`)))

/** A field of an answer of XINFO: names and values by turns. */
export const fieldOf = (fields: ReadonlyArray<unknown>, name: string): unknown => fields[fields.indexOf(name) + 1]
