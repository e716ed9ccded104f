/** Connections to Redis, errors by kind, and the shapes of stream replies. */
import { Redis } from "ioredis"
import type { JobKind } from "../../domain/Job.ts"
import type { Topic } from "../../domain/Message.ts"
import { type JobStreamEntry, StreamsError } from "../Streams.ts"

export interface RedisOptions {
  readonly url: string
  readonly group: string
  readonly consumer: string
  readonly jobs: Readonly<Record<JobKind, string>>
  readonly topics: Readonly<Record<Topic, string>>
}

export const commandDeadlineMs = 5000

export const connectRedis = (url: string, name: string): Redis => {
  const client = new Redis(url, {
    connectionName: `rtmanager-${name}`,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: true,
    retryStrategy: (tries) => Math.min(500, 25 * 2 ** tries),
    connectTimeout: 3000,
    commandTimeout: commandDeadlineMs,
    keepAlive: 10_000
  })
  // Without a listener the client throws; every command says for itself that it failed.
  client.on("error", () => {})
  return client
}

export const streamsError = (operation: string, cause: unknown): StreamsError => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const refused = cause instanceof Error && cause.name === "ReplyError"
  return new StreamsError({ operation, reason: refused ? "Refused" : /timed out/i.test(message) ? "Timeout" : "Unavailable", message })
}

export const toFields = (flat: ReadonlyArray<string> | null): Readonly<Record<string, string>> | null => {
  if (flat === null) return null
  // Not an object literal: a field may be called __proto__.
  const entries: Array<[string, string]> = []
  for (let index = 0; index + 1 < flat.length; index += 2) entries.push([flat[index]!, flat[index + 1]!])
  return Object.fromEntries(entries)
}

/** Milliseconds of an entry id `<ms>-<n>`, by Redis' clock. */
export const entryMs = (id: string): number => Number(id.slice(0, id.indexOf("-")))

/**
 * By milliseconds, both streams have one order. Within one millisecond they have none: there the order of the reply stays,
 * starts first, so that a stop holds.
 */
export const byEntryId = (a: JobStreamEntry, b: JobStreamEntry): number => entryMs(a.entryId) - entryMs(b.entryId)
