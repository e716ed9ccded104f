/** PostgreSQL behind pgbouncer, and PostgreSQL of several hosts: what works, and what is refused by name instead of waited for. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { spawnSync } from "node:child_process"
import { type Pgbouncer, startPgbouncer } from "../../scripts/lib/pgbouncer.ts"
import { freePort } from "../../scripts/lib/run.ts"
import { cache } from "../../scripts/lib/testEnvironment.ts"
import { migrate } from "../../src/store/migrate.ts"
import { acquireDatabase, searchedSchemas } from "../../src/store/postgres/client.ts"
import { makePostgresReader } from "../../src/store/postgres/PostgresReader.ts"
import { makePostgresWriter } from "../../src/store/postgres/PostgresWriter.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { commitOf, g1, recordOf } from "../contract/store/OpenStore.ts"
import { environment } from "../support/environment.ts"
import { type Opened, withLease, withOpenStore as opened } from "../support/openStore.ts"
import { until } from "../support/until.ts"

const command = (databaseUrl: string) => {
  const { status, stderr } = spawnSync(process.execPath, ["src/main.ts", "migrate"], { env: { DATABASE_URL: databaseUrl }, encoding: "utf8" })
  return { status, stderr }
}

/** The store's work: a look, a step, jobs' and messages' reading, from several places at once. */
const work = (from: Opened, url: string, pooled: boolean): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const database = yield* acquireDatabase(url, { max: 4, name: "pooled", deadlineMs: 5000, pooled })
    const reader = makePostgresReader(database, { url, directUrl: from.url })
    const writer = makePostgresWriter(database, { epoch: 1, remainingMs: Effect.succeed(60_000), lost: Effect.never, end: Effect.void })
    yield* Effect.promise(() => from.insert("g1", "a:1"))
    yield* writer.commit(commitOf({ record: recordOf() }))
    yield* Effect.forEach(Array.from({ length: 60 }, (_, index) => index), (index) =>
      Effect.asVoid<unknown, StoreError, never>(index % 3 === 0 ? reader.survey("open", "") : index % 3 === 1 ? reader.load(g1) : writer.unsent(10)), { concurrency: 12 })
    assert.strictEqual((yield* reader.load(g1)).record?.version, 1)
    yield* reader.ping
    const seen: Array<string> = []
    const listening = yield* Effect.forkChild(Stream.runForEach(reader.changes, (change) => Effect.sync(() => seen.push(change._tag === "Opened" ? "opened" : change.gameId))))
    yield* Effect.promise(() => until("it listens", () => seen.includes("opened")))
    yield* Effect.promise(() => from.insert("g2", "a:1"))
    yield* Effect.promise(() => until("it hears", () => seen.includes("g2")))
    yield* Fiber.interrupt(listening)
  })))

describe("pgbouncer", () => {
  const through = (bouncer: Pgbouncer, url: string): string => Object.assign(new URL(url), { host: new URL(bouncer.url).host }).href
  const ignored = "ignore_startup_parameters = statement_timeout, idle_in_transaction_session_timeout, lock_timeout, search_path"
  let transaction: Pgbouncer
  let lenient: Pgbouncer
  let session: Pgbouncer
  beforeAll(async () => {
    transaction = await startPgbouncer(cache, environment.databaseUrl, "transaction")
    lenient = await startPgbouncer(cache, environment.databaseUrl, "transaction", [ignored])
    session = await startPgbouncer(cache, environment.databaseUrl, "session", [ignored])
  }, 400_000)
  afterAll(() => Promise.all([transaction, lenient, session].map((one) => one.stop())))

  it("in transaction mode carries rows and records, when notifications, lease and migrations have a direct address", opened(async (from) => {
    await work(from, through(transaction, from.url), true)
  }))

  it("cannot be told where to look for functions: which schemas a role searches besides the system's is asked", opened(async ({ as, sql, url }) => {
    const searched = (role: string) => Effect.runPromise(Effect.scoped(Effect.flatMap(
      acquireDatabase(role, { max: 1, name: "pooled", deadlineMs: 5000, pooled: true }), searchedSchemas)))
    assert.include(await searched(through(transaction, url)), "public")
    await sql.unsafe(`ALTER ROLE rtm_test_controller IN DATABASE ${new URL(url).pathname.slice(1)} SET search_path = pg_catalog, pg_temp`)
    assert.deepStrictEqual(await searched(as.controller), [])
  }))

  it("in transaction mode without a direct address is refused by name, whatever settings it passes over", opened(async ({ url }) => {
    for (const bouncer of [transaction, lenient]) {
      assert.match(await migrate(through(bouncer, url)).then(() => "", String), /leads through a pooler in transaction mode: set DATABASE_DIRECT_URL to the server itself/)
    }
    const { status, stderr } = command(through(lenient, url))
    assert.strictEqual(status, 1)
    assert.match(stderr, /^DATABASE_URL leads through a pooler in transaction mode/)
  }))

  it("in session mode that passes over no settings is refused by name", opened(async ({ url }) => {
    const strict = await startPgbouncer(cache, url, "session")
    try {
      assert.match(await migrate(through(strict, url)).then(() => "", String), /refuses what a session needs .*: set DATABASE_DIRECT_URL to the server itself/)
    } finally {
      await strict.stop()
    }
  }))

  it("in session mode needs no direct address, when it passes over the settings of a session", opened(async (from) => {
    const url = through(session, from.url)
    assert.deepStrictEqual(await migrate(url), [])
    await from.sql`UPDATE rtmanager.lease SET holder = 'test', epoch = 1`
    await work({ ...from, url }, url, false)
  }))
})

describe("an address", () => {
  const withHosts = (url: string, hosts: string, query = "") => url.replace(/@[^/]*/, `@${hosts}`) + query

  it("of several hosts leads to the one that answers, without a storm of attempts while none does", opened(async ({ as, sql, url }) => {
    const dead = await freePort()
    const { host } = new URL(url)
    const both = withHosts(as.controller, `127.0.0.1:${dead},${host}`, "?target_session_attrs=read-write")
    assert.deepStrictEqual(await migrate(both), [])
    await sql`UPDATE rtmanager.lease SET holder = ''`
    await withLease(both, (lease) => Effect.map(lease.acquire("a", 5000), ({ _tag }) => assert.strictEqual(_tag, "Taken")))
    const none = withHosts(url, `127.0.0.1:${dead},localhost:${dead}`)
    const startedAt = process.cpuUsage()
    const scope = await Effect.runPromise(Scope.make())
    const database = await Effect.runPromise(Effect.provideService(acquireDatabase(none, { max: 4, name: "none", deadlineMs: 1500 }), Scope.Scope, scope))
    for (let asked = 0; asked < 3; asked++) {
      const { message, reason } = await Effect.runPromise(Effect.flip(database.ping))
      assert.deepStrictEqual([reason, /ECONNREFUSED/.test(message)], ["Unavailable", true], message)
    }
    assert.isBelow(process.cpuUsage(startedAt).user / 1e6, 1)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }))

  it("with a server that takes no writes among its hosts leads to the other one", opened(async ({ sql, url }) => {
    const { host, pathname } = new URL(url)
    const both = withHosts(url, `${host},localhost:${new URL(url).port}`)
    await sql.unsafe(`ALTER DATABASE ${pathname.slice(1)} SET default_transaction_read_only = on`)
    assert.include(await migrate(both).then(() => "", String), "read-only transaction")
    await sql.unsafe(`ALTER DATABASE ${pathname.slice(1)} RESET default_transaction_read_only`)
    assert.deepStrictEqual(await migrate(both), [])
  }))

  it("with a setting that the server does not know ends the start, and names the variable", opened(async ({ url }) => {
    const { status, stderr } = command(`${url}?no_such_setting=1`)
    assert.deepStrictEqual([status, stderr], [1, "DATABASE_URL has a setting that the server does not know (unrecognized configuration parameter \"no_such_setting\")\n"])
  }))
})
