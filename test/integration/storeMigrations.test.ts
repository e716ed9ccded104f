/** What becomes of a database of an older version, and of its functions. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import postgres from "postgres"
import { decodeRow } from "../../src/domain/Row.ts"
import { isNewTo } from "../../src/domain/RuntimeRecord.ts"
import { migrate } from "../../src/store/migrate.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { acquireDatabase } from "../../src/store/postgres/client.ts"
import { fromCommit } from "../../src/store/postgres/documents.ts"
import { makePostgresReader } from "../../src/store/postgres/PostgresReader.ts"
import { commitOf, game, recordOf } from "../contract/store/OpenStore.ts"
import { environment } from "../support/environment.ts"
import { openDatabase, withOpenStore as opened } from "../support/openStore.ts"

const run = <A>(effect: Effect.Effect<A, StoreError>): Promise<A> => Effect.runPromise(effect)
const folder = new URL("../../migrations/", import.meta.url)

/** A database as a version left it whose last migration begins with `last`. */
const migratedTo = (last: string) => async (url: string): Promise<void> => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.unsafe("CREATE SCHEMA rtmanager; CREATE TABLE rtmanager.schema_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")
  for (const name of (await readdir(folder)).filter((each) => /^\d{4}_/.test(each) && each.slice(0, 4) <= last).sort()) {
    const text = await readFile(new URL(name, folder), "utf8")
    await sql.unsafe(text)
    await sql`INSERT INTO rtmanager.schema_migrations (name, checksum) VALUES (${name}, ${createHash("sha256").update(text).digest("hex")})`
  }
  await sql.end()
}

const withOld = (last: string, body: (sql: postgres.Sql, url: string) => Promise<void>) => async () => {
  const { drop, sql, url } = await openDatabase(migratedTo(last))
  try {
    await body(sql, url)
  } finally {
    await drop()
  }
}

const load = (url: string, gameId: string) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(acquireDatabase(url, { max: 1, name: "old", deadlineMs: 5000 }),
    (database) => makePostgresReader(database, { url }).load(game(gameId)))))

describe("a database of an older version", () => {
  it("keeps its stops and its exchanges under way, and tells of all it holds", withOld("0003", async (sql, url) => {
    const replacing = JSON.stringify([{ type: "Progressing", status: "True", reason: "Replacing", message: "", last_transition_at: "2026-01-01T00:00:00Z" }])
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status, spec_hash, stopping_since, conditions) VALUES
      ('quiet', 'running', 'v1:a', NULL, '[]'),
      ('stopping', 'running', 'v1:a', '2026-01-01T00:00:01.5Z', '[]'),
      ('exchanged', 'running', 'v1:a', '2026-01-01T00:00:01.5Z', ${replacing}::text::jsonb),
      ('starting', 'stopped', NULL, NULL, ${replacing}::text::jsonb)`
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('quiet', 'a:1')`
    await migrate(url)
    const sinceMs = Date.parse("2026-01-01T00:00:01.5Z")
    const fields = async (gameId: string) => {
      const { record } = await load(url, gameId)
      return { stopping: record?.stopping, rollout: record?.rollout }
    }
    assert.deepStrictEqual(await fields("quiet"), { stopping: null, rollout: null })
    assert.deepStrictEqual(await fields("stopping"), { stopping: { sinceMs, because: "row", signalledAtMs: sinceMs }, rollout: null })
    assert.deepStrictEqual(await fields("exchanged"), {
      stopping: { sinceMs, because: "exchange", signalledAtMs: sinceMs }, rollout: { from: "v1:a", to: "unknown", sinceMs, phase: "stopping" }
    })
    assert.deepInclude((await fields("starting")).rollout, { from: null, to: "unknown", phase: "starting" })
    const changes = await sql<Array<{ word: string }>>`SELECT kind || ' ' || game_id AS word FROM rtmanager.changes`
    assert.sameMembers(changes.map(({ word }) => word), ["row quiet", "record quiet", "record stopping", "record exchanged", "record starting"])
  }))
})

describe("a database of before rows were told apart by what they say", () => {
  it("has its records know what was carried out, restarts nothing, and keeps what is settled", withOld("0008", async (sql, url) => {
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('done', 'a:1'), ('changed', 'a:1'), ('again', 'a:1'), ('new', 'a:1')`
    await sql`UPDATE rtmanager.games SET image_ref = 'a:2' WHERE game_id = 'changed'`
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status, observed_generation) VALUES ('done', 'stopped', 1), ('changed', 'stopped', 1), ('again', 'stopped', 7), ('rowless', 'running', 1)`
    await sql`UPDATE rtmanager.runtime_records SET settled = true`
    const before = await sql`SELECT game_id, settled, version, updated_at FROM rtmanager.runtime_records ORDER BY game_id`
    const changes = await sql`SELECT * FROM rtmanager.changes ORDER BY game_id, kind`
    await migrate(url)
    assert.deepStrictEqual([...await sql`SELECT game_id, settled, version, updated_at FROM rtmanager.runtime_records ORDER BY game_id`], [...before])
    assert.deepStrictEqual([...await sql`SELECT * FROM rtmanager.changes ORDER BY game_id, kind`], [...changes])
    const isNew = async (gameId: string) => {
      const { game, record } = await load(url, gameId)
      return [record?.observedHash === game!.desiredHash, isNewTo(record, game!)]
    }
    assert.deepStrictEqual(await isNew("done"), [true, false])
    assert.deepStrictEqual(await isNew("changed"), [false, true])
    assert.deepStrictEqual(await isNew("again"), [false, false], "of a row that was made again before, nothing is known but its number")
    assert.deepStrictEqual(await isNew("new"), [false, true])
    assert.isNull((await load(url, "rowless")).record?.observedHash)
    await sql`UPDATE rtmanager.runtime_records SET exit_code = 3 WHERE game_id = 'done'`
    assert.deepStrictEqual([...await sql`SELECT settled FROM rtmanager.runtime_records WHERE game_id = 'done'`], [{ settled: false }], "the triggers are at work again")
  }))
})

describe("rows of a size that no controller can hold", () => {
  const megabytes = (count: number) => JSON.stringify({ env: { A: "x".repeat(count * 1024 * 1024) } })

  it("from before there was a limit stop no migration, are told as unusable, and can be stopped and removed", withOld("0004", async (sql, url) => {
    for (const id of ["a", "b"]) await sql`INSERT INTO rtmanager.games (game_id, image_ref, spec) VALUES (${id}, 'a:1', ${megabytes(30)}::text::jsonb)`
    await migrate(url)
    const { game } = await load(url, "a")
    assert.deepInclude(game, { state: "running", spec: {} })
    assert.match(decodeRow(game!).problem?.message ?? "", /^has \d+ bytes or more; it takes at most 262144$/)
    assert.match(await sql`UPDATE rtmanager.games SET restart_policy = 'never' WHERE game_id = 'a'`.then(() => "", String), /spec of a game to run takes at most 262144 bytes/)
    await sql`UPDATE rtmanager.games SET state = 'stopped' WHERE game_id = 'a'`
    await sql`DELETE FROM rtmanager.games WHERE game_id IN ('a', 'b')`
    assert.deepInclude((await load(url, "a")).game, { state: "removed", generation: 3 })
    assert.deepInclude((await load(url, "b")).game, { state: "removed", generation: 2 })
  }), 60_000)
})

describe("a database of another encoding than UTF8", () => {
  it("is refused in plain words, and nothing is made in it", async () => {
    const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
    const name = `latin${Date.now()}`
    await admin.unsafe(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
    const url = Object.assign(new URL(environment.databaseUrl), { pathname: `/${name}` }).href
    try {
      assert.match(await migrate(url).then(() => "", String), /has the encoding LATIN1, and takes UTF8: CREATE DATABASE .* ENCODING 'UTF8' TEMPLATE template0/)
      const sql = postgres(url, { max: 1 })
      assert.deepStrictEqual([...await sql`SELECT 1 FROM pg_namespace WHERE nspname = 'rtmanager'`], [])
      await sql.end()
    } finally {
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end()
    }
  })
})

describe("the functions", () => {
  it("are replaced when their file changed, and only then", opened(async ({ sql, url }) => {
    assert.deepStrictEqual(await migrate(url), [])
    await sql.unsafe("CREATE OR REPLACE FUNCTION rtmanager.fence(epoch bigint) RETURNS void LANGUAGE sql AS ''")
    await sql`UPDATE rtmanager.schema_functions SET checksum = 'older' WHERE name = 'fence.sql'`
    assert.deepStrictEqual(await migrate(url), ["functions/fence.sql"])
    assert.match(await sql`SELECT rtmanager.fence(77)`.then(() => "", String), /epoch 77 is over/)
  }))

  it("stay as they are in a database that a newer version has migrated", opened(async ({ sql, url }) => {
    await sql`INSERT INTO rtmanager.schema_migrations (name, checksum) VALUES ('9999_newer.sql', 'x')`
    await sql`UPDATE rtmanager.schema_functions SET checksum = 'newer'`
    assert.deepStrictEqual(await migrate(url), [])
  }))

  it("take what a controller observed that knows no hashes as not known, and not for what was observed before", opened(async ({ insert, reader, sql, update, writer }) => {
    await insert("g1", "a:1")
    const { desiredHash } = (await run(reader.load(game("g1")))).game!
    await run(writer.commit(commitOf({ record: recordOf({ observedGeneration: 1, observedHash: desiredHash }) })))
    await update("g1", { image_ref: "a:2" })
    const { observed_hash: _, ...record } = fromCommit(commitOf({ record: recordOf({ observedGeneration: 2 }), expectedVersion: 1 })).record!
    const step = { game_id: "g1", record, expected_version: 1, operations: [], messages: [], answers: [] }
    await sql`SELECT rtmanager.commit_step(1, ${JSON.stringify(step)}::text::jsonb)`
    const after = await run(reader.load(game("g1")))
    assert.deepInclude(after.record, { observedGeneration: 2, observedHash: null })
    assert.isFalse(isNewTo(after.record, after.game!))
  }))

  it("keep the text of a spec whose numbers are only written otherwise", opened(async ({ insert, reader, sql }) => {
    await insert("g1", "a:1")
    const saw = async () => (await run(reader.load(game("g1")))).game
    await sql`UPDATE rtmanager.games SET spec = '{"resources": {"cpus": 1.0}}'`
    const before = await saw()
    await sql`UPDATE rtmanager.games SET spec = '{"resources": {"cpus": 1.00}}'`
    assert.deepStrictEqual(await saw(), before)
  }))

  it("write a column that an older controller knows nothing of as its default, and leave it as it is later", opened(async ({ sql, url, writer }) => {
    await sql`ALTER TABLE rtmanager.runtime_records ADD COLUMN mood text NOT NULL DEFAULT 'calm', ADD COLUMN seen integer`
    await sql`DELETE FROM rtmanager.schema_functions WHERE name = 'write_record.sql'`
    await migrate(url)
    const mood = async () => (await sql<[{ mood: string; seen: number | null }]>`SELECT mood, seen FROM rtmanager.runtime_records`)[0]
    await run(writer.commit(commitOf({ record: recordOf() })))
    assert.deepStrictEqual(await mood(), { mood: "calm", seen: null })
    await sql`UPDATE rtmanager.runtime_records SET mood = 'merry', seen = 7`
    await run(writer.commit(commitOf({ record: recordOf({ status: "running" }), expectedVersion: 1 })))
    assert.deepStrictEqual(await mood(), { mood: "merry", seen: 7 })
  }))
})
