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

/** Nobody waits for a lock longer than this; who waits for an exclusive one makes all others wait behind him. */
const lockTimeoutMs = 5000

/** Brings the database up to date; answers the files it applied. Throws where an applied file was changed since. */
export const migrate = async (url: string, lockMs = lockTimeoutMs): Promise<ReadonlyArray<string>> => {
  const migrations = await readMigrations()
  const sql = postgres(url, {
    max: 1, max_lifetime: null, onnotice: () => {}, connect_timeout: 10,
    connection: { application_name: "rtmanager migrate", lock_timeout: lockMs }
  })
  try {
    await sql`SELECT pg_advisory_lock(${lockKey})`.catch(explain(sql, "the migrations' lock"))
    await sql`CREATE SCHEMA IF NOT EXISTS rtmanager`
    await sql`CREATE TABLE IF NOT EXISTS rtmanager.schema_migrations (
      name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`
    const done = await sql<Array<{ name: string; checksum: string }>>`SELECT name, checksum FROM rtmanager.schema_migrations`
    const applied = new Map(done.map((row) => [row.name, row.checksum]))
    const fresh = migrations.filter((migration) => isFresh(migration, applied.get(migration.name)))
    for (const migration of fresh) await apply(sql, migration).catch(explain(sql, `a lock of migration ${migration.name}`))
    return fresh.map(({ name }) => name)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const apply = (sql: postgres.Sql, migration: Migration) =>
  sql.begin(async (transaction) => {
    await transaction.unsafe(migration.sql)
    await transaction`INSERT INTO rtmanager.schema_migrations (name, checksum) VALUES (${migration.name}, ${migration.checksum})`
  })

/** Says who is waited for. */
const explain = (sql: postgres.Sql, what: string) => async (error: unknown): Promise<never> => {
  if ((error as { code?: unknown }).code !== "55P03") throw error
  const holders = await sql<Array<{ who: string }>>`
    SELECT DISTINCT format('pid %s (%s from %s, %s since %s)', a.pid, coalesce(nullif(a.application_name, ''), '?'),
      coalesce(host(a.client_addr), 'this host'), a.state, date_trunc('second', a.xact_start)) AS who
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (
      (l.locktype = 'advisory' AND ((l.classid::bigint << 32) | l.objid::bigint) = ${lockKey})
      OR l.relation IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'rtmanager'))`
  throw new Error(`${what} was not had in time; held by ${holders.map(({ who }) => who).join(", ") || "somebody who is gone by now"}`, { cause: error })
}

const isFresh = (migration: Migration, applied: string | undefined): boolean => {
  if (applied !== undefined && applied !== migration.checksum) {
    throw new Error(`migration ${migration.name} was changed after it was applied; add a new file instead`)
  }
  return applied === undefined
}
