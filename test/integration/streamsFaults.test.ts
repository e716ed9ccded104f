/** Redis behind a path that goes dead, out of memory, demoted to a replica, and entries that are huge. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Streams, StreamsError } from "../../src/streams/Streams.ts"
import { environment } from "../support/environment.ts"
import { MuteProxy } from "../support/muteProxy.ts"
import { type Opened, openStreams } from "../support/openStreams.ts"
import { type OwnRedis, ownRedis } from "../support/ownRedis.ts"
import { until } from "../support/until.ts"

const run = Effect.runPromise
const outcome = <A>(effect: Effect.Effect<A, StreamsError>) => run(Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "well" }))
const result = (id: number) => ({ id, eventId: `e${id}`, topic: "job_results" as const, gameId: "g1", fields: { outcome: "success" }, storedAtMs: 0 })

/** A read that may fail: what matters is what comes in the end. */
const orNothing = (read: ReturnType<Streams["Service"]["read"]>) => Effect.orElseSucceed(read, () => [])

describe("Redis behind a path that goes dead", () => {
  const proxied = (body: (streams: Opened, proxy: MuteProxy) => Promise<void>) => async () => {
    const proxy = await new MuteProxy(environment.redisUrl).open()
    const streams = await openStreams(environment.redisUrl, proxy.url)
    try {
      await body(streams, proxy)
    } finally {
      proxy.close()
      await streams.close()
    }
  }

  it("fails reads while nothing comes through, and gives all of it once the path is well", proxied(async ({ add, streams }, proxy) => {
    await add("start", { game_id: "g0" })
    const first = await run(streams.read(10))
    const waiting = outcome(streams.read(10))
    await until("it waits", () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 300)))
    proxy.mute()
    // Delivered, and swallowed on the way.
    await add("start", { game_id: "g1" })
    assert.strictEqual(await waiting, "Timeout")
    assert.notStrictEqual(await outcome(streams.read(10)), "well")
    await add("stop", { game_id: "g1" })
    proxy.well()
    const startedMs = Date.now()
    const seen = new Set<string>()
    await until("everything", async () => {
      for (const { entryId } of await run(orNothing(streams.read(10)))) seen.add(entryId)
      return seen.size === 3
    })
    assert.isBelow(Date.now() - startedMs, 2000)
    assert.isTrue(seen.has(first[0]!.entryId))
  }))

  it("loses no answer that comes later than Redis promised", proxied(async ({ add, streams }, proxy) => {
    await outcome(streams.read(10))
    proxy.delayMs = 500
    const reading = Effect.runFork(streams.read(10))
    await new Promise((resolve) => setTimeout(resolve, 1800))
    await add("start", { game_id: "g1" })
    const found = [...await run(Fiber.join(reading))]
    if (found.length === 0) found.push(...await run(streams.read(10)))
    assert.deepStrictEqual(found.map(({ fields }) => fields?.game_id), ["g1"])
  }))

  it("replaces the commands' connection too", proxied(async ({ streams, told }, proxy) => {
    await run(streams.append([result(1)]))
    proxy.mute()
    assert.strictEqual(await outcome(streams.append([result(2)])), "Timeout")
    // As readiness asks: with less patience than the connection has.
    await run(Effect.timeoutOption(streams.ping, 500))
    proxy.well()
    await run(streams.ping)
    await run(streams.append([result(3)]))
    assert.deepStrictEqual((await told("job_results")).map(({ event_id }) => event_id), ["e1", "e3"])
  }))
})

describe("a Redis that is ill-treated", () => {
  const illTreated = (body: (streams: Opened, own: OwnRedis) => Promise<void>) => async () => {
    const own = await ownRedis()
    const streams = await openStreams(own.url)
    try {
      await body(streams, own)
    } finally {
      await streams.close()
      await own.close()
    }
  }

  it("is not ready as a replica, which blames no topic, and is found well again as a master", illTreated(async ({ streams }, { redis }) => {
    await run(streams.ping)
    await redis.replicaof("127.0.0.1", "1")
    const error = await run(Effect.flip(streams.ping))
    assert.match(error.message, /READONLY/)
    assert.strictEqual(await outcome(streams.append([result(1)])), "Unavailable")
    const before = (await redis.info("stats")).match(/total_connections_received:(\d+)/)![1]
    assert.notStrictEqual(await outcome(streams.ping), "well")
    assert.notStrictEqual((await redis.info("stats")).match(/total_connections_received:(\d+)/)![1], before)
    await redis.replicaof("NO", "ONE")
    await run(streams.ping)
    await run(streams.append([result(1)]))
  }))

  it("is read by a new connection though it is out of memory, and appends all or nothing", illTreated(async ({ add, redis, streams, told }) => {
    await add("start", { game_id: "g1" })
    await run(streams.read(10))
    await add("start", { game_id: "g2" })
    await redis.config("SET", "maxmemory", "1")
    await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert.strictEqual(await outcome(streams.append([result(1), result(2)])), "Refused")
    const seen = new Set<string | undefined>()
    await until("both", async () => {
      for (const { fields } of await run(orNothing(streams.read(10)))) seen.add(fields?.game_id)
      return seen.size === 2
    }, 10_000)
    await redis.config("SET", "maxmemory", "0")
    assert.deepStrictEqual(await told("job_results"), [])
    await run(streams.append([result(1), result(2)]))
    assert.lengthOf(await told("job_results"), 2)
  }))

  it("gives 40 entries of 5 MB without a read that fails, a few at a time", illTreated(async ({ redis, name, streams }) => {
    const large = "x".repeat(5_000_000)
    for (let index = 0; index < 40; index++) await redis.xadd(`${name}:${index % 3 === 0 ? "stop" : "start"}`, "*", "game_id", `g${index}`, "spec", large)
    const seen: Array<string | undefined> = []
    while (seen.length < 40) {
      const found = await run(streams.read(256))
      assert.isAtMost(found.length, 8)
      seen.push(...found.map(({ fields }) => fields?.game_id))
      await run(streams.acknowledge(found))
    }
    assert.deepStrictEqual(seen, Array.from({ length: 40 }, (_, index) => `g${index}`))
  }))
})
