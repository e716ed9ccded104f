/**
 * Brings the database up to date: first the numbered files of `migrations/`, forward only and never changed once applied, then
 * the functions of `migrations/functions/`, which are replaced whenever their file changes. Each file is a transaction of its
 * own.
 *
 * It looks before it takes the lock and before it creates anything: where all is done, no right to create is needed.
 */
import { Result } from "effect"
import postgres from "postgres"
import { askNextHost, reach, readAddress } from "./address.ts"
import { type Applied, type Book, type Due, dueFiles, readSqlFiles, type SqlFile, type SqlFiles } from "./sqlFiles.ts"

/** Keeps two controllers that start at once from migrating at once. */
const lockKey = 7_261_640_127

/** Nobody waits for a lock longer than this; who waits for an exclusive one makes all others wait behind him. */
const lockTimeoutMs = 5000

/** The address or the server at it will never do, however long it is waited for: settings have to change. */
export class AddressUnfit extends Error {}

export interface Upgrade {
  /** Files that were applied now. */
  readonly applied: ReadonlyArray<string>
  /** Migrations of the database that this version does not know: a newer one has been here. */
  readonly unknown: ReadonlyArray<string>
}

/** The names of what it applied. */
export const migrate = async (url: string, lockMs = lockTimeoutMs): Promise<ReadonlyArray<string>> => (await upgrade(url, lockMs)).applied

/** Throws where an applied migration was changed since, where the role may not do what is due, and `AddressUnfit`. */
export const upgrade = async (url: string, lockMs = lockTimeoutMs): Promise<Upgrade> => {
  const files = await readSqlFiles()
  const sql = open(url, { lock_timeout: lockMs, search_path: "pg_catalog, pg_temp" })
  try {
    await refusePooling(url)
    await assertUtf8(sql)
    const seen = dueFiles(files, await look(sql))
    const { due, unknown } = seen.files.length === 0 ? { due: [], unknown: seen.unknown } : await apply(sql, files)
    await sql`SELECT rtmanager.mend_changes()`.catch(explain(sql, "a lock of the changes"))
    return { applied: due.map(({ book, name }) => book === "schema_functions" ? `functions/${name}` : name), unknown }
  } catch (error) {
    throw inWords(url, error)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const open = (url: string, connection: Readonly<Record<string, string | number>> = {}): postgres.Sql => {
  const address = Result.getOrThrowWith(readAddress(url), (problem) => new AddressUnfit(problem))
  return postgres(address.url, {
    ...reach(url, address),
    max: 1, max_lifetime: null, onnotice: () => {}, connect_timeout: 10, connection: { application_name: "rtmanager migrate", ...connection }
  })
}

/** What the database has had; nothing where there is nothing yet. The catalog may be read by everybody. */
const look = async (sql: postgres.Sql): Promise<Applied> => {
  const books = await existing(sql)
  const read = async (book: Book) =>
    new Map(books.has(book) ? (await sql<Array<{ name: string; checksum: string }>>`SELECT name, checksum FROM rtmanager.${sql(book)}`).map((row) => [row.name, row.checksum] as const) : [])
  return { schema_migrations: await read("schema_migrations"), schema_functions: await read("schema_functions") }
}

/** Names of what is in the schema, and `rtmanager` for the schema itself. */
const existing = async (sql: postgres.Sql): Promise<ReadonlySet<string>> => {
  const rows = await sql<Array<{ name: string }>>`
    SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'rtmanager'
    UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = 'rtmanager'`
  return new Set(rows.map(({ name }) => name))
}

const apply = async (sql: postgres.Sql, files: SqlFiles): Promise<{ readonly due: ReadonlyArray<SqlFile>; readonly unknown: Due["unknown"] }> => {
  await sql`SELECT pg_advisory_lock(${lockKey})`.catch(explain(sql, "the migrations' lock"))
  // Somebody else may have done it meanwhile.
  const { files: due, unknown } = dueFiles(files, await look(sql))
  try {
    if (due.length > 0) await makeBooks(sql)
    for (const file of due) await applyOne(sql, file)
  } catch (error) {
    if ((error as { code?: unknown }).code !== "42501") throw error
    const [{ role }] = await sql<[{ role: string }]>`SELECT current_user::text AS role`
    throw new Error(`${due[0]!.name} is to be applied, which role ${role} may not do (${(error as Error).message}); the schema's owner can: rtmanager migrate`, { cause: error })
  }
  return { due, unknown }
}

/** Only what is missing: IF NOT EXISTS asks for the right to create before it looks. */
const makeBooks = async (sql: postgres.Sql): Promise<void> => {
  const found = await existing(sql)
  if (!found.has("rtmanager")) await sql`CREATE SCHEMA IF NOT EXISTS rtmanager`
  for (const book of ["schema_migrations", "schema_functions"]) {
    if (!found.has(book)) await sql`CREATE TABLE IF NOT EXISTS rtmanager.${sql(book)} (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`
  }
}

/** The first released migration makes the schema, which is there by now, and would need a right on the database for it. */
const withoutSchema = (text: string): string => text.replace(/^CREATE SCHEMA IF NOT EXISTS rtmanager;$/m, "")

const applyOne = (sql: postgres.Sql, { book, checksum, name, sql: text }: SqlFile) =>
  sql.begin(async (transaction) => {
    await transaction.unsafe(withoutSchema(text))
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

/**
 * Two sessions at one time have two server processes. A pooler in transaction mode gives the one that is free to both, and there
 * locks, notifications and settings of a session are lost without a word.
 */
const refusePooling = async (url: string): Promise<void> => {
  const [one, other] = [open(url), open(url)]
  const pid = async (sql: postgres.Sql) => (await sql.unsafe<[{ pid: number }]>("SELECT pg_backend_pid() AS pid", [], { prepare: false }))[0].pid
  try {
    for (let asked = 0; asked < 3; asked++) {
      if (await pid(one) === await pid(other)) throw new AddressUnfit("leads through a pooler in transaction mode: set DATABASE_DIRECT_URL to the server itself")
    }
  } finally {
    await Promise.all([one.end({ timeout: 1 }), other.end({ timeout: 1 })])
  }
}

/** Names, reasons and the engine's words are any text, and another encoding has no word for some. */
const assertUtf8 = async (sql: postgres.Sql): Promise<void> => {
  const [{ encoding, name }] = await sql<[{ encoding: string; name: string }]>`
    SELECT current_setting('server_encoding') AS encoding, current_database()::text AS name`
  if (encoding === "UTF8") return
  throw new AddressUnfit(`leads to database ${name}, which has the encoding ${encoding}, and takes UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`)
}

/** Refusals of a connection that are for ever: a setting that the server, or a pooler before it, does not know. */
const inWords = (url: string, error: unknown): unknown => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string }
  if (code === "25006") askNextHost(url)
  if (code === "08P01" && /startup parameter/.test(message ?? "")) {
    return new AddressUnfit(`leads to a pooler that refuses what a session needs (${message}): set DATABASE_DIRECT_URL to the server itself`)
  }
  if (code === "42704" && /configuration parameter/.test(message ?? "")) return new AddressUnfit(`has a setting that the server does not know (${message})`)
  if (code === "42501" && error instanceof Error) return new Error(`${message}: its role needs the rights of deploy/roles.sql`, { cause: error })
  return error
}
