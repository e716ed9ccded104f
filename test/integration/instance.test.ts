/** Which installation a database belongs to, on the real thing: made once, and not taken along by a copy. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { migrate } from "../../src/store/migrate.ts"
import type { Standing } from "../../src/store/Instance.ts"
import { haltInstance, settleInstance } from "../../src/store/postgres/instance.ts"
import { environment } from "../support/environment.ts"
import { openDatabase, withDatabase, withStranger } from "../support/openStore.ts"
import { startPair } from "../support/postgresPair.ts"
import { makeRoles } from "../support/roles.ts"
import { until } from "../support/until.ts"

const settle = (url: string, asked?: string): Promise<Standing> => withDatabase(url, (database) => settleInstance(database, asked))

const idOf = (standing: Standing): string => standing._tag === "Acts" ? standing.kept.id : `halted: ${standing.why}`

const migrated = (body: (url: string, sql: postgres.Sql) => Promise<void>) => async () => {
  const { drop, sql, url } = await openDatabase()
  try {
    await body(url, sql)
  } finally {
    await drop()
  }
}

/** A copy of the database as `createdb --template` makes it. */
const copied = async (url: string, body: (url: string, sql: postgres.Sql) => Promise<void>) => {
  const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
  const [from, to] = [new URL(url).pathname.slice(1), `s${randomBytes(4).toString("hex")}`]
  const copy = Object.assign(new URL(url), { pathname: `/${to}` }).href
  const sql = postgres(copy, { max: 1, onnotice: () => {} })
  try {
    await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${from}`
    await admin.unsafe(`CREATE DATABASE ${to} TEMPLATE ${from}`)
    await body(copy, sql)
  } finally {
    await sql.end({ timeout: 1 })
    await admin.unsafe(`DROP DATABASE IF EXISTS ${to} WITH (FORCE)`)
    await admin.end()
  }
}

describe("an installation", () => {
  it("is made once, by whoever comes first, and stays", migrated(async (url, sql) => {
    const ids = new Set((await Promise.all([settle(url), settle(url), settle(url)])).map(idOf))
    assert.lengthOf([...ids], 1)
    assert.match([...ids][0]!, /^[0-9a-f]{12}$/)
    assert.strictEqual(idOf(await settle(url)), [...ids][0])
    const [row] = await sql`SELECT * FROM rtmanager.instance`
    assert.match(row!.system_identifier, /^\d{15,}$/)
    assert.isAtLeast(row!.timeline, 1)
  }))

  it("is not taken along by a copy of its database, until a person says so", migrated(async (url) => {
    const id = idOf(await settle(url))
    await copied(url, async (copy) => {
      assert.match(idOf(await settle(copy)), new RegExp(`^halted: this database is a copy: installation ${id} was in database \\d+`))
      const fresh = idOf(await settle(copy, "new"))
      assert.match(fresh, /^[0-9a-f]{12}$/)
      assert.notStrictEqual(fresh, id)
      assert.strictEqual(idOf(await settle(copy)), fresh)
      assert.strictEqual(idOf(await settle(copy, "new")), fresh)
    })
    assert.strictEqual(idOf(await settle(url)), id)
  }))

  it("goes on in a copy when its row says so", migrated(async (url) => {
    const id = idOf(await settle(url))
    await copied(url, async (copy, sql) => {
      await sql`UPDATE rtmanager.instance SET system_identifier = NULL, database_oid = NULL`
      assert.strictEqual(idOf(await settle(copy)), id)
    })
  }))

  it("is halted for whoever comes, until the row is cleared, by who acts alone", migrated(async (url, sql) => {
    const id = idOf(await settle(url))
    await sql`UPDATE rtmanager.lease SET epoch = 5`
    const halt = (epoch: number, why: string) => withDatabase(url, (database) => Effect.result(haltInstance(database, epoch, why)))
    assert.deepInclude(await halt(4, "one whose term is over"), { _tag: "Failure" })
    assert.strictEqual(idOf(await settle(url)), id)
    assert.deepInclude(await halt(5, "two of them"), { _tag: "Success" })
    assert.strictEqual(idOf(await settle(url)), "halted: two of them")
    await sql`UPDATE rtmanager.instance SET halted = NULL`
    assert.strictEqual(idOf(await settle(url)), id)
  }))

  it("is known to the controller's role, which owns nothing", migrated(async (url) => {
    const { controller } = await makeRoles(url)
    const standing = await settle(controller)
    assert.deepInclude(standing, { _tag: "Acts", isToldApart: true })
    assert.strictEqual(idOf(await settle(url)), idOf(standing))
  }))

  it("is known where the schema's owner may not ask for the system identifier, which is made up for later", withStranger(async ({ sql, stranger, url }) => {
    await sql.unsafe("CREATE SCHEMA rtmanager AUTHORIZATION rtm_test_owner; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    await migrate(stranger)
    const standing = await settle(stranger)
    assert.deepInclude(standing, { _tag: "Acts", isToldApart: false })
    assert.isNull((await sql`SELECT system_identifier FROM rtmanager.instance`)[0]!.system_identifier)
    await sql.unsafe("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
    assert.strictEqual(idOf(await settle(url)), idOf(standing))
    assert.match((await sql`SELECT system_identifier FROM rtmanager.instance`)[0]!.system_identifier, /^\d{15,}$/)
  }))
})

describe("a replica that is promoted", () => {
  it("acts on as the same installation, knows that it is one, and stays so until a person clears it", { timeout: 120_000 }, async () => {
    const pair = await startPair()
    try {
      await migrate(pair.primary)
      const standing = await settle(pair.primary)
      assert.deepInclude(standing, { _tag: "Acts", isPromoted: false })
      const replica = postgres(pair.replica, { max: 1, onnotice: () => {} })
      await until("the replica has the id", async () => (await replica`SELECT 1 FROM rtmanager.instance`).length === 1)
      await pair.failOver()
      for (const time of ["at first", "and again"]) {
        const after = await settle(pair.replica)
        assert.deepInclude(after, { _tag: "Acts", isPromoted: true }, time)
        assert.strictEqual(idOf(after), idOf(standing), time)
      }
      await replica`UPDATE rtmanager.instance SET timeline = NULL`
      assert.deepInclude(await settle(pair.replica), { _tag: "Acts", isPromoted: false })
      await replica.end()
    } finally {
      await pair.close()
    }
  })
})

describe("a dump that is restored on another server", () => {
  it("does not act, until it is named", { timeout: 120_000 }, migrated(async (url, sql) => {
    const id = idOf(await settle(url))
    const pair = await startPair()
    try {
      await migrate(pair.primary)
      const elsewhere = postgres(pair.primary, { max: 1, onnotice: () => {} })
      await elsewhere`INSERT INTO rtmanager.instance ${elsewhere((await sql`SELECT * FROM rtmanager.instance`)[0]!)}`
      await elsewhere.end()
      assert.match(idOf(await settle(pair.primary)), new RegExp(`^halted: this database is a copy on another server: installation ${id} was on PostgreSQL system \\d+`))
      assert.strictEqual(idOf(await settle(pair.primary, id)), id)
      assert.strictEqual(idOf(await settle(pair.primary)), id)
    } finally {
      await pair.close()
    }
  }))
})
