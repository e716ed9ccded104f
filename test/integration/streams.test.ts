import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Redis } from "ioredis"
import { randomBytes } from "node:crypto"
import type { JobKind } from "../../src/domain/Job.ts"
import type { Topic } from "../../src/domain/Message.ts"
import { toFields } from "../../src/streams/redis/client.ts"
import { makeRedisStreams } from "../../src/streams/redis/RedisStreams.ts"
import { type OpenStreams, streamsContract } from "../contract/streams.contract.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"

interface Opened extends OpenStreams {
  readonly redis: Redis
  readonly name: string
}

const open = async (): Promise<Opened> => {
  const name = `s${randomBytes(4).toString("hex")}`
  const redis = new Redis(environment.redisUrl)
  const jobs = { start: `${name}:start`, stop: `${name}:stop` }
  const topics: Record<Topic, string> = {
    job_results: `${name}:results`, health_events: `${name}:health`, notification_intents: `${name}:intents`, dead_jobs: `${name}:dead`
  }
  const keys = () => redis.keys(`${name}:*`)
  const scope = await Effect.runPromise(Scope.make())
  const streams = await Effect.runPromise(
    makeRedisStreams({ url: environment.redisUrl, group: "rtmanager", consumer: name, jobs, topics }).pipe(Effect.provideService(Scope.Scope, scope))
  )
  const wipe = async () => {
    const found = await keys()
    if (found.length > 0) await redis.del(...found)
  }
  return {
    streams, redis, name, wipe,
    add: async (kind, fields) => (await redis.xadd(jobs[kind], "*", ...Object.entries(fields).flat()))!,
    told: async (topic) => (await redis.xrange(topics[topic], "-", "+")).map(([, flat]) => ({ ...toFields(flat) })),
    pending: async (kind: JobKind) => (await redis.xpending(jobs[kind], "rtmanager", "-", "+", 100)).map((entry) => (entry as [string])[0]),
    trim: async (kind) => void await redis.xtrim(jobs[kind], "MAXLEN", 0),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await wipe()
      redis.disconnect()
    }
  }
}

streamsContract("Redis", open)

/** The reader's own connection, as Redis lists it. */
const blockedReader = async (redis: Redis): Promise<string | undefined> =>
  (await redis.client("LIST") as string).split("\n").find((line) => line.includes("name=rtmanager-reader") && line.includes("cmd=xreadgroup"))
const idOf = (line: string): string => /id=(\d+)/.exec(line)![1]!

describe("Redis itself", () => {
  const opened = (body: (streams: Opened) => Promise<void>) => async () => {
    const streams = await open()
    try {
      await body(streams)
    } finally {
      await streams.close()
    }
  }

  it("hears of an entry while it waits for one", opened(async ({ add, redis, streams }) => {
    const reading = Effect.runFork(streams.read(10))
    await until("the reader waits", () => blockedReader(redis))
    await add("start", { game_id: "g1" })
    assert.strictEqual((await Effect.runPromise(Fiber.join(reading)))[0]?.fields?.game_id, "g1")
  }))

  it("ends a wait without entries after a while, empty-handed", opened(async ({ streams }) => {
    assert.deepStrictEqual(await Effect.runPromise(streams.read(10)), [])
  }))

  it("gives again, on a new connection, what an old one was given when it broke", opened(async ({ add, redis, streams }) => {
    await add("start", { game_id: "g1" })
    await Effect.runPromise(streams.read(10))
    const reading = Effect.runFork(Effect.result(streams.read(10)))
    const line = await until("the reader waits", () => blockedReader(redis))
    await redis.client("KILL", "ID", idOf(line))
    assert.strictEqual((await Effect.runPromise(Fiber.join(reading)))._tag, "Failure")
    assert.strictEqual((await Effect.runPromise(streams.read(10)))[0]?.fields?.game_id, "g1")
  }))

  it("fails a read when the group is wiped under it, and makes the group anew", opened(async ({ add, redis, streams, wipe }) => {
    const reading = Effect.runFork(Effect.result(streams.read(10)))
    await until("the reader waits", () => blockedReader(redis))
    await wipe()
    await Effect.runPromise(Fiber.join(reading))
    await add("stop", { game_id: "g9" })
    const found = await until("it is delivered", async () => (await Effect.runPromise(streams.read(10)))[0])
    assert.strictEqual(found.fields?.game_id, "g9")
  }))

  it("says that a write was refused, and not that Redis is away", opened(async ({ name, redis, streams }) => {
    await redis.set(`${name}:results`, "not a stream")
    const error = await Effect.runPromise(Effect.flip(streams.append([
      { id: 1, eventId: "e1", topic: "job_results", gameId: "g1", fields: { outcome: "success" } }
    ])))
    assert.strictEqual(error.reason, "Refused")
    assert.match(error.message, /WRONGTYPE/)
  }))
})
