/** Restores and failovers: Redis that was wiped, a group on a stream that is old, PostgreSQL without its last commits. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import postgres from "postgres"
import { supervise } from "../../src/controller/supervise.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import { migrate } from "../../src/store/migrate.ts"
import { acquireDatabase } from "../../src/store/postgres/client.ts"
import { makePostgresWriter } from "../../src/store/postgres/PostgresWriter.ts"
import { consumeJobs } from "../../src/streams/JobConsumer.ts"
import { Streams } from "../../src/streams/Streams.ts"
import { openDatabase } from "../support/openStore.ts"
import { type Opened, openStreams } from "../support/openStreams.ts"
import { startPair } from "../support/postgresPair.ts"
import { until } from "../support/until.ts"

const term = { epoch: 1, remainingMs: Effect.succeed(1_000_000), lost: Effect.never, end: Effect.void }
const image = "galaxy/engine:1.4.2"

/** A consumer as main.ts runs it; answers how to end it. */
const consuming = (url: string, { streams }: Opened, maxAgeMs = 3_600_000): (() => Promise<void>) => {
  const consumer = Effect.scoped(Effect.gen(function*() {
    const database = yield* acquireDatabase(url, { max: 2, name: "test", deadlineMs: 3000 })
    yield* supervise("job consumer", consumeJobs({ enqueue: () => Effect.void, maxAgeMs })).pipe(
      Effect.provideService(GameWriter, makePostgresWriter(database, term)), Effect.provideService(Streams, streams)
    )
  }))
  const fiber = Effect.runFork(consumer)
  return () => Effect.runPromise(Effect.asVoid(Fiber.interrupt(fiber)))
}

const taken = async (sql: postgres.Sql): Promise<ReadonlyArray<string>> =>
  (await sql`SELECT kind, game_id, coalesce(error_code, 'taken') AS how FROM rtmanager.jobs ORDER BY id`).map(({ game_id, how, kind }) => `${kind} ${game_id} ${how}`)
const takes = (sql: postgres.Sql, count: number) => until(`${count} jobs`, async () => {
  const found = await taken(sql)
  return found.length >= count && found
})
const answered = async ({ pending }: Opened) => until("all are acknowledged", async () => (await pending("start")).length + (await pending("stop")).length === 0)

const withBoth = (body: (opened: Opened, sql: postgres.Sql, url: string) => Promise<void>) => async () => {
  const { drop, sql, url } = await openDatabase()
  const opened = await openStreams()
  try {
    await sql`UPDATE rtmanager.lease SET epoch = 1`
    await body(opened, sql, url)
  } finally {
    await opened.close()
    await drop()
  }
}

describe("Redis that was wiped", () => {
  it("makes a new job of an entry id that its sender uses again", withBoth(async (opened, sql, url) => {
    const { name, redis, wipe } = opened
    const stop = consuming(url, opened)
    try {
      const send = (game: string) => redis.xadd(`${name}:start`, "1-0", "game_id", game, "image_ref", image)
      await send("g1")
      await takes(sql, 1)
      await answered(opened)
      await wipe()
      await send("g2")
      assert.deepStrictEqual(await takes(sql, 2), ["start g1 taken", "start g2 taken"])
      await answered(opened)
    } finally {
      await stop()
    }
  }))
})

describe("a group that is made on an old stream", () => {
  it("answers what is older than the greatest age as stale, once, and takes what is young", withBoth(async (opened, sql, url) => {
    const { name, redis } = opened
    await redis.xadd(`${name}:start`, `${Date.UTC(2023, 0, 1)}-0`, "game_id", "old", "image_ref", image)
    await redis.xadd(`${name}:stop`, `${Date.UTC(2023, 0, 2)}-0`, "game_id", "old", "reason", "finished")
    await opened.add("start", { game_id: "young", image_ref: image })
    const stop = consuming(url, opened)
    try {
      assert.deepStrictEqual(await takes(sql, 3), ["start old stale", "stop old stale", "start young taken"])
      assert.deepStrictEqual((await sql`SELECT game_id FROM rtmanager.games`).map(({ game_id }) => game_id), ["young"])
      const results = await sql`SELECT fields FROM rtmanager.outbox WHERE topic = 'job_results' ORDER BY id`
      assert.deepStrictEqual(results.map(({ fields }) => [fields.game_id, fields.outcome, fields.error_code]), [["old", "failure", "stale"], ["old", "failure", "stale"]])
      await answered(opened)
    } finally {
      await stop()
    }
  }))

  it("begins with what is sent from then on where the operator says so, and misses nothing after a wipe", withBoth(async (old, sql, url) => {
    const { add, name, options, redis, wipe } = old
    const late = await openStreams(undefined, undefined, { from: "$", jobs: options.jobs })
    await add("start", { game_id: "before", image_ref: image })
    const stop = consuming(url, late)
    try {
      await until("the groups are made", async () => (await Effect.runPromise(late.streams.state)).every(({ lastReadMs }) => lastReadMs !== undefined))
      await add("start", { game_id: "first", image_ref: image })
      assert.deepStrictEqual(await takes(sql, 1), ["start first taken"])
      assert.strictEqual(await redis.xlen(`${name}:start`), 2)
      await wipe()
      for (let index = 0; index < 3; index++) await add("start", { game_id: `after${index}`, image_ref: image })
      assert.deepStrictEqual(await takes(sql, 4), ["start first taken", ...[0, 1, 2].map((index) => `start after${index} taken`)])
    } finally {
      await stop()
      await late.close()
    }
  }))
})

describe("PostgreSQL that failed over to a replica without the last commits", () => {
  it("is given again the jobs that it lost, in their order, once, and before any newer one", async () => {
    const pair = await startPair()
    const opened = await openStreams()
    const clients = [pair.primary, pair.replica].map((url) => postgres(url, { max: 2, onnotice: () => {} })) as [postgres.Sql, postgres.Sql]
    const [before, after] = clients
    const start = (game: string) => opened.add("start", { game_id: game, image_ref: image })
    try {
      await migrate(pair.primary)
      await before`UPDATE rtmanager.lease SET epoch = 1`
      const end = consuming(pair.primary, opened)
      await start("kept")
      await takes(before, 1)
      await until("the replica has it", async () => (await taken(after)).length === 1)
      await pair.cut()
      for (const game of ["lost1", "lost2"]) await start(game)
      await takes(before, 3)
      await opened.add("stop", { game_id: "lost1", reason: "finished" })
      await takes(before, 4)
      await answered(opened)
      await end()
      await pair.failOver()
      assert.deepStrictEqual(await taken(after), ["start kept taken"])
      await start("newer")
      const endAgain = consuming(pair.replica, opened)
      try {
        assert.deepStrictEqual(await takes(after, 5), ["start kept taken", "start lost1 taken", "start lost2 taken", "stop lost1 taken", "start newer taken"])
        await answered(opened)
        const rows = await after`SELECT game_id, state FROM rtmanager.games ORDER BY game_id`
        assert.deepStrictEqual(rows.map(({ game_id, state }) => `${game_id} ${state}`), ["kept running", "lost1 stopped", "lost2 running", "newer running"])
        const [history] = await after`SELECT noted, rtmanager.current_history() AS current FROM rtmanager.history`
        assert.deepStrictEqual([history!.noted, history!.noted.split(" ")[1]], [history!.current, "2"])
      } finally {
        await endAgain()
      }
    } finally {
      for (const sql of clients) await sql.end({ timeout: 1 })
      await opened.close()
      await pair.close()
    }
  })
})
