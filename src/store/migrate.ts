/**
 * Brings the database up to date, under a lock: first the numbered files of `migrations/`, forward only and never changed once
 * applied, then the functions of `migrations/functions/`, which are replaced whenever their file changes. Each file is a
 * transaction of its own.
 */
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import postgres from "postgres"

/** Keeps two controllers that start at once from migrating at once. */
const lockKey = 7_261_640_127

const migrationsFolder = new URL("../../migrations/", import.meta.url)
const functionsFolder = new URL("functions/", migrationsFolder)

interface SqlFile {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const readFiles = async (folder: URL, pattern: RegExp): Promise<ReadonlyArray<SqlFile>> => {
  const names = (await readdir(folder)).filter((name) => pattern.test(name)).sort()
  return Promise.all(names.map(async (name) => {
    const sql = await readFile(new URL(name, folder), "utf8")
    return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") }
  }))
}

/** Nobody waits for a lock longer than this; who waits for an exclusive one makes all others wait behind him. */
const lockTimeoutMs = 5000

/** Answers the files it applied. Throws where an applied migration was changed since. */
export const migrate = async (url: string, lockMs = lockTimeoutMs): Promise<ReadonlyArray<string>> => {
  const migrations = await readFiles(migrationsFolder, /^\d{4}_.*\.sql$/)
  const functions = await readFiles(functionsFolder, /\.sql$/)
  const sql = postgres(url, {
    max: 1, max_lifetime: null, onnotice: () => {}, connect_timeout: 10,
    connection: { application_name: "rtmanager migrate", lock_timeout: lockMs }
  })
  try {
    await sql`SELECT pg_advisory_lock(${lockKey})`.catch(explain(sql, "the migrations' lock"))
    await sql.unsafe(bookkeeping)
    const done = await applied(sql, "schema_migrations")
    const fresh = migrations.filter((migration) => isFresh(migration, done.get(migration.name)))
    for (const migration of fresh) await apply(sql, "schema_migrations", migration)
    // A newer controller's functions are in place: this one's older ones may not fit the tables.
    const isAhead = [...done.keys()].some((name) => !migrations.some((migration) => migration.name === name))
    const stale = isAhead ? [] : await staleFunctions(sql, functions, fresh.length > 0)
    for (const file of stale) await apply(sql, "schema_functions", file)
    await sql`SELECT rtmanager.mend_changes()`.catch(explain(sql, "a lock of the changes"))
    return [...fresh.map(({ name }) => name), ...stale.map(({ name }) => `functions/${name}`)]
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const bookkeeping = `CREATE SCHEMA IF NOT EXISTS rtmanager;
  CREATE TABLE IF NOT EXISTS rtmanager.schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS rtmanager.schema_functions (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`

type Book = "schema_migrations" | "schema_functions"

/** Checksums by file name. */
const applied = async (sql: postgres.Sql, book: Book): Promise<ReadonlyMap<string, string>> => {
  const rows = await sql<Array<{ name: string; checksum: string }>>`SELECT name, checksum FROM rtmanager.${sql(book)}`
  return new Map(rows.map((row) => [row.name, row.checksum]))
}

/** All of them when tables have changed, because some are made from a table's columns. */
const staleFunctions = async (sql: postgres.Sql, functions: ReadonlyArray<SqlFile>, all: boolean): Promise<ReadonlyArray<SqlFile>> => {
  const done = await applied(sql, "schema_functions")
  return functions.filter(({ checksum, name }) => all || done.get(name) !== checksum)
}

const apply = (sql: postgres.Sql, book: Book, { checksum, name, sql: text }: SqlFile) =>
  sql.begin(async (transaction) => {
    await transaction.unsafe(text)
    await transaction`INSERT INTO rtmanager.${sql(book)} (name, checksum) VALUES (${name}, ${checksum})
      ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()`
  }).catch(explain(sql, `a lock of ${book === "schema_migrations" ? "migration" : "function file"} ${name}`))

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

const isFresh = (migration: SqlFile, applied: string | undefined): boolean => {
  if (applied !== undefined && applied !== migration.checksum) {
    throw new Error(`migration ${migration.name} was changed after it was applied; add a new file instead`)
  }
  return applied === undefined
}
