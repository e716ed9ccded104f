/** The files of `migrations/`, and what of them a database has not had yet. */
import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"

const migrationsFolder = new URL("../../migrations/", import.meta.url)
const functionsFolder = new URL("functions/", migrationsFolder)

/** Where applied files are written down. */
export type Book = "schema_migrations" | "schema_functions"

export interface SqlFile {
  readonly book: Book
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

export interface SqlFiles {
  readonly migrations: ReadonlyArray<SqlFile>
  readonly functions: ReadonlyArray<SqlFile>
}

export const readSqlFiles = async (): Promise<SqlFiles> => ({
  migrations: await readFolder("schema_migrations", migrationsFolder, /^\d{4}_.*\.sql$/),
  functions: await readFolder("schema_functions", functionsFolder, /\.sql$/)
})

const readFolder = async (book: Book, folder: URL, pattern: RegExp): Promise<ReadonlyArray<SqlFile>> => {
  const names = (await readdir(folder)).filter((name) => pattern.test(name)).sort()
  return Promise.all(names.map(async (name) => {
    const sql = await readFile(new URL(name, folder), "utf8")
    return { book, name, sql, checksum: createHash("sha256").update(sql).digest("hex") }
  }))
}

/** Checksums by file name, as the database has them. */
export type Applied = Readonly<Record<Book, ReadonlyMap<string, string>>>

export interface Due {
  /** To be applied, in order. */
  readonly files: ReadonlyArray<SqlFile>
  /** Migrations of the database that this version does not know: a newer one has been here. */
  readonly unknown: ReadonlyArray<string>
}

/** Throws where an applied migration was changed since. */
export const dueFiles = ({ functions, migrations }: SqlFiles, applied: Applied): Due => {
  const fresh = migrations.filter((migration) => isFresh(migration, applied.schema_migrations.get(migration.name)))
  const unknown = [...applied.schema_migrations.keys()].filter((name) => !migrations.some((migration) => migration.name === name)).sort()
  // All functions when tables have changed, because some are made from a table's columns.
  const stale = functions.filter(({ checksum, name }) => fresh.length > 0 || applied.schema_functions.get(name) !== checksum)
  // A newer controller's functions are in place: this one's older ones may not fit the tables.
  return { files: [...fresh, ...(unknown.length > 0 ? [] : stale)], unknown }
}

const isFresh = (migration: SqlFile, applied: string | undefined): boolean => {
  if (applied !== undefined && applied !== migration.checksum) {
    throw new Error(`migration ${migration.name} was changed after it was applied; add a new file instead`)
  }
  return applied === undefined
}
