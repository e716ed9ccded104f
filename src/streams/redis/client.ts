/** One connection to Redis that is made anew when it fails, errors by kind, and the shapes of stream replies. */
import { Effect, type Scope } from "effect"
import { asCluster, type HostPort, parseRedisAddress, type RedisAddress } from "../../domain/RedisAddress.ts"
import type { JobKind } from "../../domain/Job.ts"
import type { Topic } from "../../domain/Message.ts"
import { entryMs, type JobStreamEntry, StreamsError } from "../Streams.ts"
import { answerDeadlineMs, connect, type Connection, type RedisClient } from "./connect.ts"

export interface RedisOptions {
  /** In one of the forms of `RedisAddress`. */
  readonly url: string
  readonly group: string
  readonly consumer: string
  /** Where the first group of a stream begins: `0`, all that is in it, or `$`, what is sent from then on. Default: `0`. */
  readonly from?: "0" | "$"
  readonly jobs: Readonly<Record<JobKind, string>>
  readonly topics: Readonly<Record<Topic, string>>
}

/**
 * A connection is thrown away as soon as it does not answer, or answers for a node that cannot do what is asked: the client
 * says `ready` of a dead link, and would send again, late, what its callers gave up.
 */
export interface RedisLink {
  readonly use: <A>(operation: string, command: (redis: RedisClient, replicated: Connection["replicated"]) => Promise<A>) => Effect.Effect<A, StreamsError>
  /** Another one than before: it leads to another server, or may. */
  readonly generation: () => string
}

export const makeRedisLink = Effect.fnUntraced(function*(url: string, name: string): Effect.fn.Return<RedisLink, never, Scope.Scope> {
  let address: RedisAddress = parseRedisAddress(url) ?? { _tag: "Single", url }
  let nodes: ReadonlyArray<HostPort> = []
  let current: Connection | undefined
  const discard = (connection: Connection | undefined) =>
    Effect.sync(() => {
      if (connection === current) current = undefined
      connection?.redis.disconnect()
    })
  let made = 0
  const fresh = (): Connection => {
    made++
    current = connect(address, name, nodes)
    return current
  }
  /** The address leads to one node of a cluster: from now on all of it is spoken to. */
  const noticeCluster = ({ message }: StreamsError) => {
    if (isElsewhere(message) && address._tag === "Single") address = asCluster(address)
  }
  yield* Effect.addFinalizer(() => discard(current))
  const use = <A>(operation: string, command: (redis: RedisClient, replicated: Connection["replicated"]) => Promise<A>): Effect.Effect<A, StreamsError> =>
    Effect.suspend(() => {
      const used = current === undefined || current.hasEnded() ? fresh() : current
      return Effect.tryPromise({
        try: () => used.connected.then(() => {
          nodes = used.nodes()
          return command(used.redis, used.replicated)
        }),
        catch: (cause) => streamsError(operation, cause)
      }).pipe(
        Effect.timeoutOrElse({
          duration: answerDeadlineMs,
          orElse: () => Effect.fail(new StreamsError({ operation, reason: "Timeout", message: `no answer to ${operation}` }))
        }),
        Effect.tapError((error) => {
          noticeCluster(error)
          return error.reason === "Refused" ? Effect.void : discard(used)
        }),
        // Who gave up before the deadline has learnt nothing of the link, and what its answer brought is lost.
        Effect.onInterrupt(() => discard(used))
      )
    })
  const generation = () => current === undefined || current.hasEnded() ? `after ${made}` : `${made} ${current.changes()}`
  return { use, generation }
})

/** What is wrong with an address, by the client's own rule; nothing of it that may be secret is in the answer. */
export const addressProblem = (url: string): string | undefined => {
  if (/%(?![0-9a-fA-F]{2})/.test(url)) return "has a % that begins no escape: a % in user or password is written %25"
  const address = parseRedisAddress(url)
  if (address === undefined) return "is no address that the client can read: / ? # and @ in user or password are written %2F %3F %23 %40"
  return address._tag === "Single" && !/^\/?\d{0,5}$/.test(new URL(url).pathname) ? "names a database that is no number" : undefined
}

/** Refusals by a node that another one, or the same a little later, would not give. */
const away: ReadonlySet<string> = new Set(["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "MOVED", "ASK"])

const firstWord = (message: string): string => message.split(" ")[0]!

/** A node of a cluster says that another one has the key. */
export const isElsewhere = (message: string): boolean => firstWord(message) === "MOVED" || firstWord(message) === "ASK"

/** A cluster keeps the two streams in different places: one command cannot read both. */
export const isCrossSlot = ({ message }: StreamsError): boolean => firstWord(message) === "CROSSSLOT"

export const streamsError = (operation: string, cause: unknown): StreamsError => {
  const first = (cause as { previousErrors?: ReadonlyArray<unknown> } | undefined)?.previousErrors?.[0] ?? cause
  const message = first instanceof Error ? first.message : String(first)
  const refused = first instanceof Error && first.name === "ReplyError" && !away.has(firstWord(message))
  return new StreamsError({ operation, reason: refused ? "Refused" : /timed out/i.test(message) ? "Timeout" : "Unavailable", message })
}

export const isNoGroup = (error: StreamsError): boolean => error.message.includes("NOGROUP")

export const toFields = (flat: ReadonlyArray<string> | null): Readonly<Record<string, string>> | null => {
  if (flat === null) return null
  // Not an object literal: a field may be called __proto__.
  const entries: Array<[string, string]> = []
  for (let index = 0; index + 1 < flat.length; index += 2) entries.push([flat[index]!, flat[index + 1]!])
  return Object.fromEntries(entries)
}

/** How often each of the pending entries `ids`, in their order, was delivered. */
export const deliveriesOf = (link: RedisLink, { consumer, group }: RedisOptions, stream: string, ids: ReadonlyArray<string>) =>
  ids.length === 0 ? Effect.succeed(new Map<string, number>()) : link.use("xpending", (redis) =>
    redis.xpending(stream, group, ids[0]!, ids.at(-1)!, ids.length, consumer) as Promise<unknown>).pipe(
    Effect.map((found) => new Map((found as ReadonlyArray<PendingEntry>).map(([id, , , count]) => [id, count])))
  )

/** Entry, consumer, idle milliseconds, deliveries. */
export type PendingEntry = readonly [string, string, number, number]

/** By milliseconds, both streams have one order; within one they have none, and the order of the reply stays. */
export const byEntryId = (a: Pick<JobStreamEntry, "entryId">, b: Pick<JobStreamEntry, "entryId">): number => entryMs(a.entryId) - entryMs(b.entryId)
