/** Redis Cluster and Sentinel, real ones: the same promises, and what becomes of them when a master is killed. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Cluster, Redis } from "ioredis"
import { freePort } from "../../scripts/lib/run.ts"
import { supervise } from "../../src/controller/supervise.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import { Outgoing, relayOutbox } from "../../src/streams/OutboxRelay.ts"
import type { RedisOptions } from "../../src/streams/redis/client.ts"
import { makeRedisStreams } from "../../src/streams/redis/RedisStreams.ts"
import { Streams } from "../../src/streams/Streams.ts"
import { streamsContract } from "../contract/streams.contract.ts"
import { type Hand, type OpenedOn, openOn, openStreams } from "../support/openStreams.ts"
import { standingStoreLayer } from "../support/fakes/FakeLease.ts"
import { type RedisCluster, type RedisSentinels, serverAt, startCluster, startSentinels } from "../support/redisNodes.ts"
import { until } from "../support/until.ts"

const run = Effect.runPromise
const streamsOf = (port: number): RedisOptions => ({
  url: `redis://127.0.0.1:${port}`, group: "rtmanager", consumer: "rtmanager", jobs: { start: "start", stop: "stop" },
  topics: { job_results: "results", health_events: "health", notification_intents: "intents", dead_jobs: "dead" }
})
const result = (id: number) => ({ id, eventId: `e${id}`, topic: "job_results" as const, gameId: "g1", fields: { outcome: "success" }, storedAtMs: 0 })

/** As the consumer does: reads, remembers, acknowledges; what fails is tried again. */
const taking = async ({ streams }: { readonly streams: Streams["Service"] }, seen: Map<string, number>): Promise<void> => {
  const found = await run(Effect.orElseSucceed(streams.read(100), () => []))
  for (const { entryId } of found) seen.set(entryId, (seen.get(entryId) ?? 0) + 1)
  await run(streams.acknowledge(found).pipe(Effect.catch(() => streams.rewind)))
}

/** Sends until it is taken: a sender of jobs does the same. */
const sent = (opened: OpenedOn<Hand>, kind: "start" | "stop", gameId: string) =>
  until("it is sent", () => opened.add(kind, { game_id: gameId }).catch(() => undefined))

/** The master of the start jobs dies in the middle of all this. */
const survives = async (opened: OpenedOn<Hand>, failOver: () => Promise<void>): Promise<void> => {
  const seen = new Map<string, number>()
  const wanted: Array<string> = []
  for (let index = 0; index < 5; index++) wanted.push(await sent(opened, "start", `g${index}`))
  await until("taken", async () => (await taking(opened, seen), wanted.every((id) => seen.has(id))))
  await run(opened.streams.append([result(1)]))
  await failOver()
  const after = await Promise.all([sent(opened, "start", "after"), sent(opened, "stop", "after")])
  await until("taken after it", async () => (await taking(opened, seen), after.every((id) => seen.has(id))))
  await until("told after it", () => run(Effect.match(opened.streams.append([result(2)]), { onFailure: () => false, onSuccess: () => true })))
  const told = await until("read back", () => opened.told("job_results").catch(() => undefined))
  assert.deepStrictEqual([...new Set(told.map(({ event_id }) => event_id))], ["e1", "e2"])
  await run(opened.streams.ping)
}

describe("Redis Cluster", () => {
  let cluster: RedisCluster
  let client: Cluster
  beforeAll(async () => {
    cluster = await startCluster()
    client = cluster.client()
  })
  afterAll(async () => {
    client.disconnect()
    await cluster.close()
  })
  // A hand of its own: the contract closes it.
  streamsContract("Redis Cluster, each stream in a place of its own", () => openOn(cluster.client(), cluster.url))

  const apart = async (body: (opened: OpenedOn<Cluster>) => Promise<void>) => {
    const opened = await openOn(cluster.client(), cluster.url)
    try {
      await body(opened)
    } finally {
      await opened.close()
    }
  }

  it("is noticed at the address of one of its nodes", async () => {
    const opened = await openOn(cluster.client(), `redis://127.0.0.1:${cluster.nodes[0]!.port}`)
    try {
      const seen = new Map<string, number>()
      const ids = [await sent(opened, "start", "g1"), await sent(opened, "stop", "g1")]
      await until("taken", async () => (await taking(opened, seen), ids.every((id) => seen.has(id))))
    } finally {
      await opened.close()
    }
  })

  it("goes on when a master was killed: no job and no result is lost", () =>
    apart((opened) =>
      survives(opened, async () => (await cluster.masterOf(opened.options.jobs.start)).kill())
    ))
})

describe("Redis Sentinel", () => {
  let sentinels: RedisSentinels
  beforeAll(async () => {
    sentinels = await startSentinels()
  })
  afterAll(() => sentinels.close())

  it("names the master, and the next one when that was killed: no job and no result is lost", async () => {
    const first = await sentinels.master()
    // The sender's hand follows the master by itself.
    const hand = new Redis({ sentinels: [...sentinels.hosts], name: "games", retryStrategy: () => 100, maxRetriesPerRequest: 1 })
    hand.on("error", () => {})
    const opened = await openOn(hand, sentinels.url)
    try {
      const replica = sentinels.servers.find(({ port }) => port !== first.port)!
      await survives(opened, async () => {
        // What was appended has reached the replica when that is said.
        assert.strictEqual(await replica.redis.xlen(opened.options.topics.job_results), 1)
        await first.kill()
      })
      assert.notStrictEqual((await sentinels.master()).port, first.port)
    } finally {
      await opened.close()
    }
  })
})

describe("a Redis that comes back without the last messages", () => {
  it("is told them again, as what they were, though it had taken them", async () => {
    const port = await freePort()
    let server = await serverAt(port)
    const told = async () => (await server.redis.xrange(streamsOf(port).topics.job_results, "-", "+")).map(([, fields]) => fields[1])
    const relaying = Effect.scoped(Effect.gen(function*() {
      const writer = yield* GameWriter
      const streams = yield* makeRedisStreams(streamsOf(port))
      yield* Effect.forkChild(Effect.provideService(supervise("outbox relay", relayOutbox(new Outgoing())), Streams, streams))
      yield* writer.commit({
        gameId: "g1" as GameId, expectedVersion: 0, record: null, adopt: null, operations: [], health: [], answers: [],
        messages: [1, 2].map((n) => ({ topic: "job_results" as const, fields: { n: String(n) } }))
      })
      const first = yield* Effect.promise(() => until("told", async () => (await told()).length === 2 && told()))
      yield* Effect.promise(async () => {
        await server.close()
        server = await serverAt(port)
      })
      const again = yield* Effect.promise(() => until("told again", async () => (await told()).length === 2 && told()))
      assert.deepStrictEqual(again, first)
    }))
    try {
      await run(relaying.pipe(Effect.provide(standingStoreLayer)))
    } finally {
      await server.close()
    }
  })
})

describe("a job stream that cannot be read", () => {
  it("stops no other, is named, and is read again when it can be", async () => {
    const { add, name, redis, streams, close } = await openStreams()
    try {
      await redis.set(`${name}:stop`, "not a stream")
      const first = await add("start", { game_id: "g1" })
      assert.deepStrictEqual((await run(streams.read(10))).map(({ entryId }) => entryId), [first])
      const state = await run(streams.state)
      assert.deepStrictEqual(state.map(({ problem }) => problem === undefined), [true, false])
      assert.match(state[1]!.problem!, /WRONGTYPE/)
      assert.isDefined(state[0]!.lastReadMs)
      await run(streams.acknowledge([{ stream: `${name}:start`, entryId: first }]))
      await redis.del(`${name}:stop`)
      const second = await add("stop", { game_id: "g1", reason: "finished" })
      const found = await until("it is read again", async () => {
        const entries = await run(streams.read(10))
        return entries.length > 0 && entries
      })
      assert.deepStrictEqual(found.map(({ entryId }) => entryId), [second])
      assert.isUndefined((await run(streams.state))[1]!.problem)
    } finally {
      await close()
    }
  })
})
