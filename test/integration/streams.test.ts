import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Redis } from "ioredis"
import type { Streams } from "../../src/streams/Streams.ts"
import { streamsContract } from "../contract/streams.contract.ts"
import { type Opened, openStreams } from "../support/openStreams.ts"
import { until } from "../support/until.ts"

streamsContract("Redis", openStreams)

/** The reader's own connection, as Redis lists it. */
const blockedReader = async ({ name, redis }: { readonly name: string; readonly redis: Redis }): Promise<string | undefined> =>
  (await redis.client("LIST") as string).split("\n").find((line) => line.includes(`name=${name}-reader`) && line.includes("cmd=xreadgroup"))
const idOf = (line: string): string => /id=(\d+)/.exec(line)![1]!

/** A read that may fail: what matters is what comes in the end. */
const orNothing = (read: ReturnType<Streams["Service"]["read"]>) => Effect.orElseSucceed(read, () => [])

describe("Redis itself", () => {
  const opened = (body: (streams: Opened) => Promise<void>) => async () => {
    const streams = await openStreams()
    try {
      await body(streams)
    } finally {
      await streams.close()
    }
  }

  it("hears of an entry while it waits for one", opened(async (own) => {
    const reading = Effect.runFork(own.streams.read(10))
    await until("the reader waits", () => blockedReader(own))
    await own.add("start", { game_id: "g1" })
    assert.strictEqual((await Effect.runPromise(Fiber.join(reading)))[0]?.fields?.game_id, "g1")
  }))

  it("ends a wait without entries after a while, empty-handed", opened(async ({ streams }) => {
    assert.deepStrictEqual(await Effect.runPromise(streams.read(10)), [])
  }))

  const large = "x".repeat(64 * 1024 * 1024)
  /** Delivered so often to somebody who died over it. */
  const died = async ({ name, options, redis }: Opened, ids: ReadonlyArray<string>, times: number) => {
    await redis.xgroup("CREATE", `${name}:start`, options.group, "0", "MKSTREAM").catch(() => {})
    await redis.xreadgroup("GROUP", options.group, "dead", "COUNT", 0, "STREAMS", `${name}:start`, ">")
    for (const id of ids) await redis.call("XCLAIM", `${name}:start`, options.group, options.consumer, "0", id, "RETRYCOUNT", String(times), "JUSTID")
  }

  it("asks for no entry that five deliveries did not take, and gives those beside it", opened(async (own) => {
    const ids = [await own.add("start", { game_id: "g1" }), await own.add("start", { game_id: "g2", spec: large }), await own.add("start", { game_id: "g3" })]
    await died(own, ids, 1)
    await died(own, ids.slice(1, 2), 5)
    await own.redis.config("RESETSTAT")
    const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(await own.redis.info("stats"))![1])
    const seen: Array<readonly [string, string | undefined, boolean | undefined]> = []
    for (let reads = 0; seen.length < 3 && reads < 9; reads++) {
      const found = await Effect.runPromise(own.streams.read(10))
      seen.push(...found.map(({ entryId, fields, isUnread }) => [entryId, fields?.game_id, isUnread] as const))
      await Effect.runPromise(own.streams.acknowledge(found))
    }
    assert.deepStrictEqual(seen, [[ids[1]!, undefined, true], [ids[0]!, "g1", undefined], [ids[2]!, "g3", undefined]])
    assert.isBelow(await sent(), 1024 * 1024, "its body never left Redis")
    assert.deepStrictEqual(await own.pending("start"), [])
  }), 30_000)

  it("takes over no such entry from a controller that died of it", opened(async (own) => {
    await Effect.runPromise(own.streams.read(10))
    const ids = [await own.add("start", { game_id: "g1", spec: large })]
    await died(own, ids, 5)
    await own.redis.config("RESETSTAT")
    const [found] = await Effect.runPromise(own.streams.reclaim(0, 10))
    assert.deepInclude(found, { entryId: ids[0]!, fields: null, isUnread: true })
    assert.isBelow(Number(/total_net_output_bytes:(\d+)/.exec(await own.redis.info("stats"))![1]), 1024 * 1024)
  }), 30_000)

  it("gives up no small entry unread, however often an outage had it delivered", opened(async (own) => {
    const id = await own.add("start", { game_id: "g1" })
    await died(own, [id], 50)
    assert.deepStrictEqual((await Effect.runPromise(own.streams.read(10))).map(({ fields }) => fields?.game_id), ["g1"])
  }))

  it("gives again, on a new connection, what an old one was given when it broke", opened(async (own) => {
    const { add, redis, streams } = own
    await add("start", { game_id: "g1" })
    await Effect.runPromise(streams.read(10))
    const reading = Effect.runFork(Effect.result(streams.read(10)))
    const line = await until("the reader waits", () => blockedReader(own))
    await redis.client("KILL", "ID", idOf(line))
    assert.strictEqual((await Effect.runPromise(Fiber.join(reading)))._tag, "Failure")
    assert.strictEqual((await Effect.runPromise(streams.read(10)))[0]?.fields?.game_id, "g1")
  }))

  it("keeps the order when a connection breaks that had given an entry too early, held back until then", opened(async ({ add, name, redis, streams }) => {
    const wanted: Array<string> = []
    const send = async (kind: "start" | "stop", count: number) => {
      for (let index = 0; index < count; index++) wanted.push(await add(kind, { game_id: `g${index}` }))
      await until("the next millisecond", () => Date.now() > Number(wanted.at(-1)!.split("-")[0]))
    }
    await send("start", 9)
    await send("stop", 1)
    await send("start", 3)
    const seen = (await Effect.runPromise(streams.read(3))).map(({ entryId }) => entryId)
    // The stop was delivered with the first starts, and was not handed out.
    assert.strictEqual((await redis.xpending(`${name}:stop`, "rtmanager", "-", "+", 10)).length, 1)
    await redis.xack(`${name}:start`, "rtmanager", ...seen)
    const readers = (await redis.client("LIST") as string).split("\n").filter((line) => line.includes(`name=${name}-reader`))
    await redis.client("KILL", "ID", idOf(readers[0]!))
    while (seen.length < wanted.length) {
      const found = await Effect.runPromise(orNothing(streams.read(3)))
      await Effect.runPromise(streams.acknowledge(found))
      seen.push(...found.map(({ entryId }) => entryId))
    }
    assert.deepStrictEqual(seen, wanted)
  }))

  it("fails a read when the group is wiped under it, and makes the group anew", opened(async (own) => {
    const reading = Effect.runFork(Effect.result(own.streams.read(10)))
    await until("the reader waits", () => blockedReader(own))
    await own.wipe()
    await Effect.runPromise(Fiber.join(reading))
    await own.add("stop", { game_id: "g9" })
    const found = await until("it is delivered", async () => (await Effect.runPromise(own.streams.read(10)))[0])
    assert.strictEqual(found.fields?.game_id, "g9")
  }))

  it("says that a write was refused, and not that Redis is away; nothing of that topic is there then", opened(async ({ name, redis, streams }) => {
    await redis.set(`${name}:results`, "not a stream")
    const error = await Effect.runPromise(Effect.flip(streams.append([1, 2].map((id) =>
      ({ id, eventId: `e${id}`, topic: "job_results", gameId: "g1", fields: { outcome: "success" }, storedAtMs: 0 })))))
    assert.strictEqual(error.reason, "Refused")
    assert.match(error.message, /WRONGTYPE/)
  }))

  /** Entries of another consumer that died. */
  const abandoned = async ({ add, name, redis }: Opened, count: number): Promise<ReadonlyArray<string>> => {
    const ids: Array<string> = []
    for (let index = 0; index < count; index++) ids.push(await add("start", { game_id: `g${index}` }))
    await redis.xgroup("CREATE", `${name}:start`, "rtmanager", "0")
    await redis.xgroup("CREATE", `${name}:stop`, "rtmanager", "0", "MKSTREAM")
    await redis.xreadgroup("GROUP", "rtmanager", "another", "COUNT", count, "STREAMS", `${name}:start`, ">")
    return ids
  }
  const caughtUp = async ({ streams }: Opened) => assert.deepStrictEqual(await Effect.runPromise(streams.read(10)), [])

  it("finds what is stale behind any number of entries that are not", opened(async (own) => {
    const ids = await abandoned(own, 300)
    const stale = ids.slice(-4)
    for (const id of stale) await own.redis.xclaim(`${own.name}:start`, "rtmanager", "another", 0, id, "IDLE", 60_000, "JUSTID")
    await caughtUp(own)
    const found = await Effect.runPromise(own.streams.reclaim(10_000, 16))
    assert.deepStrictEqual(found.map(({ entryId }) => entryId), stale)
    assert.deepStrictEqual(await Effect.runPromise(own.streams.reclaim(10_000, 16)), [])
  }))

  it("takes over from a consumer that died in small batches, and forgets nothing that was trimmed under it", opened(async (own) => {
    const ids = await abandoned(own, 40)
    await own.redis.xtrim(`${own.name}:start`, "MINID", ids[20]!)
    await caughtUp(own)
    const found: Array<readonly [string, boolean]> = []
    for (let more = true; more;) {
      const batch = await Effect.runPromise(own.streams.reclaim(0, 16))
      assert.isAtMost(batch.length, 16)
      found.push(...batch.map(({ entryId, fields }) => [entryId, fields === null] as const))
      await Effect.runPromise(own.streams.acknowledge(batch))
      more = batch.length > 0
    }
    assert.deepStrictEqual(found, ids.map((id, index) => [id, index < 20]))
    assert.deepStrictEqual(await own.pending("start"), [])
  }))
})
