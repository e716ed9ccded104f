/** PostgreSQL that is slow, locked, read-only, or behind a path that goes dead. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { GameWriter } from "../../src/store/GameWriter.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { consumeJobs } from "../../src/streams/JobConsumer.ts"
import { g1, type OpenStore } from "../contract/store/OpenStore.ts"
import { environment } from "../support/environment.ts"
import { FakeStreams, layer as streamsLayer } from "../support/fakes/FakeStreams.ts"
import { MuteProxy } from "../support/muteProxy.ts"
import { holding, type Opened, openStore, withLease, withOpenStore } from "../support/openStore.ts"
import { until } from "../support/until.ts"

const outcome = <A>(effect: Effect.Effect<A, StoreError>) =>
  Effect.runPromise(Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "well" }))
const connections = async ({ sql }: Opened, name: string): Promise<number> =>
  (await sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = ${`rtmanager ${name}`}`).length
const seconds = async (body: () => Promise<unknown>): Promise<number> => {
  const startedMs = Date.now()
  await body()
  return (Date.now() - startedMs) / 1000
}

describe("PostgreSQL behind a path that goes dead", () => {
  const proxied = (body: (opened: Opened, proxy: MuteProxy) => Promise<void>, options: Parameters<typeof openStore>[1] = {}) => async () => {
    const proxy = await new MuteProxy(environment.databaseUrl).open()
    const opened = await openStore((url) => Object.assign(new URL(url), { port: new URL(proxy.url).port }).href, options)
    try {
      await body(opened, proxy)
    } finally {
      proxy.close()
      await opened.close()
    }
  }

  it("answers again within a second once the path is well, over no more connections than before", proxied(async (opened, proxy) => {
    const { reader } = opened
    await Effect.runPromise(Effect.all(Array.from({ length: 12 }, () => reader.load(g1)), { concurrency: "unbounded" }))
    proxy.mute()
    const lost = await Promise.all(Array.from({ length: 12 }, () => outcome(reader.load(g1))))
    assert.isTrue(lost.every((word) => word === "Timeout" || word === "Unavailable"), lost.join())
    proxy.well()
    assert.isBelow(await seconds(() => until("it answers", async () => (await outcome(reader.load(g1))) === "well")), 1)
    const before = proxy.opened
    await Effect.runPromise(Effect.all(Array.from({ length: 50 }, () => reader.load(g1)), { concurrency: "unbounded" }))
    assert.isAtMost(proxy.opened - before, 4)
  }, { connections: 4, deadlineMs: 1000 }))

  it("lets the lease be renewed again a moment after the path is well", proxied(async ({ sql, url }, proxy) => {
    await sql`UPDATE rtmanager.lease SET holder = '', epoch = 0`
    const through = Object.assign(new URL(url), { port: new URL(proxy.url).port }).href
    await withLease(through, Effect.fnUntraced(function*(lease) {
      assert.deepStrictEqual(yield* lease.acquire("a", 60_000), { _tag: "Taken", epoch: 1 })
      const renew = lease.renew("a", 1, 60_000)
      const twice = Effect.all([renew, renew], { concurrency: 2 })
      yield* twice
      proxy.mute()
      assert.strictEqual(yield* Effect.match(twice, { onFailure: ({ reason }) => reason, onSuccess: () => "well" }), "Timeout")
      proxy.well()
      assert.isTrue(yield* lease.renew("a", 1, 60_000))
    }))
  }))

  it("asks for a look at everything when the heartbeat of notifications does not come back", proxied(async ({ insert, reader }, proxy) => {
    const seen: Array<string> = []
    const listening = Effect.runFork(Stream.runForEach(reader.changes, (change) => Effect.sync(() => seen.push(change._tag === "Opened" ? "opened" : change.gameId))))
    await until("opened", () => seen.includes("opened"))
    await new Promise((resolve) => setTimeout(resolve, 700))
    assert.deepStrictEqual(seen, ["opened"])
    proxy.mute()
    await insert("g1", "a:1")
    proxy.well()
    await until("opened again", () => seen.length >= 2, 5000)
    assert.deepStrictEqual(seen, ["opened", "opened"])
    await insert("g2", "a:1")
    await until("g2", () => seen.includes("g2"))
    await Effect.runPromise(Fiber.interrupt(listening))
  }, { heartbeat: { everyMs: 200, echoMs: 300 } }))
})

describe("PostgreSQL that is slow or locked", () => {
  it("keeps to its connections and its deadline when a table is locked and 30 ask", withOpenStore(async (opened) => {
    await Effect.runPromise(Effect.all(Array.from({ length: 3 }, () => opened.reader.load(g1)), { concurrency: 3 }))
    const letGo = await holding(opened.sql, "LOCK TABLE rtmanager.games")
    const asking = Promise.all(Array.from({ length: 30 }, () => outcome(opened.reader.load(g1))))
    const took = await seconds(async () => {
      const words = await asking
      assert.isTrue(words.every((word) => word === "Timeout"), words.join())
    })
    assert.isBelow(took, 3)
    assert.isAtMost(await connections(opened, "store"), 3)
    await letGo()
    assert.strictEqual(await outcome(opened.reader.load(g1)), "well")
  }, undefined, { connections: 3, deadlineMs: 2000 }))

  it("lets the server end a statement before its answer is overdue, which costs no connection", withOpenStore(async (opened) => {
    await outcome(opened.reader.ping)
    const pids = async () => (await opened.sql`SELECT pid FROM pg_stat_activity WHERE application_name = 'rtmanager store' AND datname = current_database()`).map(({ pid }) => pid as number)
    const before = await pids()
    const letGo = await holding(opened.sql, "LOCK TABLE rtmanager.games")
    assert.strictEqual(await outcome(opened.reader.load(g1)), "Timeout")
    assert.deepStrictEqual(await pids(), before)
    assert.strictEqual((await opened.sql`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).length, 0)
    await letGo()
  }, undefined, { connections: 1, deadlineMs: 2000 }))

  it.each([
    ["a write", "read-only transaction", ({ writer }: OpenStore) => writer.markSent([1])],
    ["readiness", "it takes no writes", ({ reader }: OpenStore) => reader.ping]
  ] as const)("is not well on a server that takes no writes, and leaves it for the one that the address leads to now (%s)", (_who, said, ask) =>
    withOpenStore(async (opened) => {
      const { reader, sql } = opened
      await Effect.runPromise(reader.ping)
      const database = (await sql`SELECT current_database() AS name`)[0]!.name as string
      await sql.unsafe(`ALTER DATABASE ${database} SET default_transaction_read_only = on`)
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rtmanager store' AND datname = current_database()`
      const message = Effect.match(ask(opened), { onFailure: (error) => error.message, onSuccess: () => "" })
      await until("it is read-only", async () => (await Effect.runPromise(message)).includes(said))
      await sql.unsafe(`ALTER DATABASE ${database} RESET default_transaction_read_only`)
      await until("it writes", async () => (await outcome(ask(opened))) === "well", 2000)
    }, undefined, { connections: 1 })())

  it("takes the jobs of others while a row is held locked, and that game's in their order when it is let go", withOpenStore(async ({ insert, sql, writer }) => {
    await insert("held", "a:1")
    const letGo = await holding(sql, "UPDATE rtmanager.games SET image_ref = 'a:2' WHERE game_id = 'held'")
    const taken = async () => (await sql`SELECT kind || ' ' || game_id AS job FROM rtmanager.jobs ORDER BY id`).map(({ job }) => job as string)
    await Effect.runPromise(Effect.gen(function*() {
      const streams = yield* FakeStreams
      const consumer = yield* Effect.forkChild(Effect.provideService(consumeJobs({ enqueue: () => Effect.void }), GameWriter, writer))
      streams.startJob({ game_id: "held", image_ref: "a:3" })
      for (let index = 0; index < 20; index++) streams.startJob({ game_id: `g${index}`, image_ref: "a:1" })
      streams.stopJob({ game_id: "held", reason: "finished" })
      yield* Effect.promise(() => until("the others are taken", async () => (await taken()).length === 20, 3000))
      yield* Effect.sleep(600)
      yield* Effect.promise(letGo)
      yield* Effect.promise(() => until("all are taken", async () => (await taken()).length === 22, 10_000))
      yield* Fiber.interrupt(consumer)
    }).pipe(Effect.provide(streamsLayer)))
    assert.deepStrictEqual((await taken()).slice(20), ["start held", "stop held"])
    assert.deepStrictEqual([...await sql`SELECT state, image_ref FROM rtmanager.games WHERE game_id = 'held'`], [{ state: "stopped", image_ref: "a:3" }])
    assert.deepStrictEqual([...await sql`SELECT 1 FROM rtmanager.outbox`], [])
  }))
})
