/** Streams of their own on a real Redis, and the hands of a sender on them. */
import { Effect, Exit, Scope } from "effect"
import { Redis } from "ioredis"
import { randomBytes } from "node:crypto"
import type { JobKind } from "../../src/domain/Job.ts"
import type { Topic } from "../../src/domain/Message.ts"
import { type RedisOptions, toFields } from "../../src/streams/redis/client.ts"
import { makeRedisStreams } from "../../src/streams/redis/RedisStreams.ts"
import type { OpenStreams } from "../contract/streams.contract.ts"
import { environment } from "./environment.ts"

/** What a sender does, on one server or on a cluster. */
export type Hand = Pick<Redis, "xadd" | "xrange" | "xpending" | "xtrim" | "del" | "disconnect">

export interface OpenedOn<A extends Hand> extends OpenStreams {
  readonly redis: A
  readonly name: string
  readonly options: RedisOptions
}

export type Opened = OpenedOn<Redis>

/** `through`: the address that the streams use, when it is not Redis' own. */
export const openStreams = async (url = environment.redisUrl, through = url, how: Partial<RedisOptions> = {}): Promise<Opened> => {
  const redis = new Redis(url)
  redis.on("error", () => {})
  return openOn(redis, through, how)
}

export const openOn = async <A extends Hand>(redis: A, url: string, how: Partial<RedisOptions> = {}): Promise<OpenedOn<A>> => {
  const name = `s${randomBytes(4).toString("hex")}`
  const jobs = { start: `${name}:start`, stop: `${name}:stop` }
  const topics: Record<Topic, string> = {
    job_results: `${name}:results`, health_events: `${name}:health`, notification_intents: `${name}:intents`, dead_jobs: `${name}:dead`
  }
  const options: RedisOptions = { url, group: "rtmanager", consumer: name, jobs, topics, ...how }
  const scope = await Effect.runPromise(Scope.make())
  const streams = await Effect.runPromise(makeRedisStreams(options).pipe(Effect.provideService(Scope.Scope, scope)))
  const wipe = async () => {
    for (const key of [...Object.values(jobs), ...Object.values(topics)]) await redis.del(key)
  }
  return {
    streams, redis, name, options, wipe,
    add: async (kind, fields) => (await redis.xadd(jobs[kind], "*", ...Object.entries(fields).flat()))!,
    told: async (topic) => (await redis.xrange(topics[topic], "-", "+")).map(([, flat]) => ({ ...toFields(flat) })),
    pending: async (kind: JobKind) => (await redis.xpending(jobs[kind], "rtmanager", "-", "+", 1000)).map((entry) => (entry as [string])[0]),
    trim: async (kind) => void await redis.xtrim(jobs[kind], "MAXLEN", 0),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await wipe().catch(() => {})
      redis.disconnect()
    }
  }
}
