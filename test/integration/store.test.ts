import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { CurrentTerm, type Term } from "../../src/store/Lease.ts"
import { migrate } from "../../src/store/migrate.ts"
import { Lease } from "../../src/store/Lease.ts"
import { layer as leaseLayer } from "../../src/store/postgres/PostgresLease.ts"
import { makePostgresStore } from "../../src/store/postgres/PostgresStore.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { freshRecord } from "../../controllers/game/commit.ts"
import { type OpenStore, storeContract } from "../contract/store.contract.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"

interface Opened extends OpenStore {
  readonly sql: postgres.Sql
  readonly url: string
}

const open = async (): Promise<Opened> => {
  const name = `s${randomBytes(4).toString("hex")}`
  const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(environment.databaseUrl), { pathname: `/${name}` }).href
  await migrate(url)
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  await sql`UPDATE rtmanager.lease SET holder = 'test', epoch = 1, expires_at = now() + interval '1 hour'`
  const term: Term = { epoch: 1, remainingMs: Effect.succeed(60_000), lost: Effect.never }
  const scope = await Effect.runPromise(Scope.make())
  const store = await Effect.runPromise(makePostgresStore({ url }).pipe(Effect.provideService(CurrentTerm, term), Effect.provideService(Scope.Scope, scope)))
  return {
    store, sql, url,
    insert: async (gameId, imageRef) => void await sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES (${gameId}, ${imageRef})`,
    update: async (gameId, change) => void await sql`UPDATE rtmanager.games SET ${sql(change)} WHERE game_id = ${gameId}`,
    remove: async (gameId) => void await sql`DELETE FROM rtmanager.games WHERE game_id = ${gameId}`,
    takeOver: async () => void await sql`UPDATE rtmanager.lease SET epoch = epoch + 1, holder = 'other'`,
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await sql.end({ timeout: 1 })
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end({ timeout: 1 })
    }
  }
}

storeContract("PostgreSQL", open)

describe("PostgreSQL itself", () => {
  const opened = (body: (database: Opened) => Promise<void>) => async () => {
    const database = await open()
    try {
      await body(database)
    } finally {
      await database.close()
    }
  }
  const words = (query: PromiseLike<unknown>) => Promise.resolve(query).then(() => "", (error: Error) => error.message)

  it("refuses bad rows with words that say what they take", opened(async ({ sql }) => {
    assert.include(await words(sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('UPPER', 'a:1')`), "game_id takes 1 to 51 characters")
    assert.include(await words(sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g', 'untagged')`), "image_ref takes an image with a tag or digest")
    assert.include(await words(sql`INSERT INTO rtmanager.games (game_id, image_ref, state) VALUES ('g', 'a:1', 'on')`), "state takes running, stopped or removed")
    assert.include(await words(sql`INSERT INTO rtmanager.games (game_id, image_ref, spec) VALUES ('g', 'a:1', '[]')`), "spec takes a JSON object")
    assert.include(await words(sql`TRUNCATE rtmanager.games`), "TRUNCATE of games is refused")
    await sql`INSERT INTO rtmanager.operation_log (game_id, op_kind, op_source, outcome, started_at, finished_at) VALUES ('g', 'start', 'api', 'success', now(), now())`
    assert.include(await words(sql`DELETE FROM rtmanager.operation_log`), "DELETE of operation_log is refused")
  }))

  it("ignores what users write into generation", opened(async ({ insert, sql }) => {
    await insert("g1", "a:1")
    await sql`UPDATE rtmanager.games SET generation = 99 WHERE game_id = 'g1'`
    assert.deepStrictEqual([...await sql`SELECT generation::int FROM rtmanager.games`], [{ generation: 1 }])
  }))

  it("migrates once when two controllers start at once, and refuses an edited migration", opened(async ({ sql, url }) => {
    assert.deepStrictEqual(await Promise.all([migrate(url), migrate(url)]), [[], []])
    await sql`UPDATE rtmanager.schema_migrations SET checksum = 'x' WHERE name LIKE '0001%'`
    assert.include(await migrate(url).then(() => "", String), "was changed after it was applied")
  }))

  it("commits a step whole or not at all when its connection is killed in the middle", opened(async ({ sql, store }) => {
    await sql.unsafe(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT ON rtmanager.outbox FOR EACH ROW EXECUTE FUNCTION slow()`)
    const g1 = "g1" as GameId
    const commit = store.commit({
      gameId: g1, expectedVersion: 0, record: freshRecord(g1), adopt: null, operations: [], health: [], answers: [],
      messages: [{ topic: "dead_jobs", fields: {} }]
    })
    const running = Effect.runPromise(Effect.flip(commit))
    await until("it is in the trigger", async () =>
      (await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`).length > 0)
    assert.strictEqual((await running).reason, "Unavailable")
    assert.deepStrictEqual(await Effect.runPromise(store.load(g1)), { game: null, record: null, jobs: [] })
  }))

  it("lists everything anew when the listening connection was killed", opened(async ({ insert, sql, store }) => {
    const seen: Array<string> = []
    const fiber = Effect.runFork(Stream.runForEach(store.changes, (change) => Effect.sync(() => seen.push(change._tag === "Opened" ? "opened" : change.gameId))))
    await until("opened", () => seen.includes("opened"))
    await insert("g1", "a:1")
    await until("g1", () => seen.includes("g1"))
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%listen%' AND datname = current_database()`
    await until("opened again", () => seen.filter((word) => word === "opened").length >= 2)
    await insert("g2", "a:1")
    await until("g2", () => seen.includes("g2"))
    await Effect.runPromise(Fiber.interrupt(fiber))
  }))

  it("gives the lease to one, to another only when it ran out or was released, with a higher epoch each time", opened(async ({ sql, url }) => {
    await sql`UPDATE rtmanager.lease SET holder = '', epoch = 0`
    await Effect.runPromise(Effect.gen(function*() {
      const lease = yield* Lease
      assert.strictEqual(yield* lease.acquire("a", 60_000), 1)
      assert.isUndefined(yield* lease.acquire("b", 60_000))
      assert.isTrue(yield* lease.renew("a", 1, 1))
      yield* Effect.promise(() => until("it runs out", () => Effect.runPromise(lease.acquire("b", 60_000))))
      assert.isFalse(yield* lease.renew("a", 1, 60_000))
      yield* lease.release("b", 2)
      assert.strictEqual(yield* lease.acquire("a", 60_000), 3)
    }).pipe(Effect.provide(leaseLayer(url) as Layer.Layer<Lease>)))
  }))
})
