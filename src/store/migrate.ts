/** Applies the numbered files of `migrations/`: forward only, each in a transaction of its own, under a lock. */
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import postgres from "postgres"

/** Keeps two controllers that start at once from migrating at once. */
const lockKey = 7_261_640_127

const folder = new URL("../../migrations/", import.meta.url)

interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const readMigrations = async (): Promise<ReadonlyArray<Migration>> => {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort()
  return Promise.all(names.map(async (name) => {
    const sql = await readFile(new URL(name, folder), "utf8")
    return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") }
  }))
}

/** Brings the database up to date; answers the files it applied. Throws where an applied file was changed since. */
export const migrate = async (url: string): Promise<ReadonlyArray<string>> => {
  const migrations = await readMigrations()
  const sql = postgres(url, { max: 1, max_lifetime: null, onnotice: () => {}, connect_timeout: 10 })
  try {
    await sql`SELECT pg_advisory_lock(${lockKey})`
    await sql`CREATE SCHEMA IF NOT EXISTS rtmanager`
    await sql`CREATE TABLE IF NOT EXISTS rtmanager.schema_migrations (
      name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`
    const done = await sql<Array<{ name: string; checksum: string }>>`SELECT name, checksum FROM rtmanager.schema_migrations`
    const applied = new Map(done.map((row) => [row.name, row.checksum]))
    const fresh = migrations.filter((migration) => isFresh(migration, applied.get(migration.name)))
    for (const migration of fresh) {
      await sql.begin(async (transaction) => {
        await transaction.unsafe(migration.sql)
        await transaction`INSERT INTO rtmanager.schema_migrations (name, checksum) VALUES (${migration.name}, ${migration.checksum})`
      })
    }
    return fresh.map(({ name }) => name)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const isFresh = (migration: Migration, applied: string | undefined): boolean => {
  if (applied !== undefined && applied !== migration.checksum) {
    throw new Error(`migration ${migration.name} was changed after it was applied; add a new file instead`)
  }
  return applied === undefined
}
