/** A store on a real PostgreSQL with a database of its own, and the hands of a user on its rows. */
import { Effect, Exit, Scope } from "effect"
import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { Lease, type Term } from "../../src/store/Lease.ts"
import { migrate } from "../../src/store/migrate.ts"
import { acquireDatabase, type Database, type DatabaseOptions } from "../../src/store/postgres/client.ts"
import { layer as leaseLayer } from "../../src/store/postgres/PostgresLease.ts"
import { makePostgresReader, type ReaderOptions } from "../../src/store/postgres/PostgresReader.ts"
import { makePostgresWriter } from "../../src/store/postgres/PostgresWriter.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import type { OpenStore, UserRow } from "../contract/store/OpenStore.ts"
import { environment } from "./environment.ts"
import { addressAs, makeRoles, type RoleName } from "./roles.ts"

export interface Opened extends OpenStore {
  /** As the owner of the schema. */
  readonly sql: postgres.Sql
  readonly url: string
  /** The address for each role of deploy/roles.sql. The store itself is the controller's. */
  readonly as: Readonly<Record<RoleName, string>>
}

export type OpenOptions = Omit<ReaderOptions, "url"> & Partial<Pick<DatabaseOptions, "deadlineMs">> & {
  /** Connections of the store. */
  readonly connections?: number
}

/** A database of its own, migrated, and how to be rid of it. */
export const openDatabase = async (prepare: (url: string) => Promise<unknown> = migrate) => {
  const name = `s${randomBytes(4).toString("hex")}`
  const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(environment.databaseUrl), { pathname: `/${name}` }).href
  await prepare(url)
  const sql = postgres(url, { max: 3, onnotice: () => {} })
  const drop = async () => {
    await sql.end({ timeout: 1 })
    await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end({ timeout: 1 })
  }
  return { drop, sql, url }
}

/** What others do to the rows. */
const hands = (sql: postgres.Sql) => ({
  insert: async (gameId: string, imageRef: string, more: UserRow = {}) =>
    void await sql`INSERT INTO rtmanager.games ${sql({ game_id: gameId, image_ref: imageRef, ...columnsOf(sql, more) })}`,
  update: async (gameId: string, change: UserRow) =>
    void await sql`UPDATE rtmanager.games SET ${sql(columnsOf(sql, change))} WHERE game_id = ${gameId}`,
  restore: (gameId: string, imageRef: string, more: UserRow & { readonly generation?: number } = {}) =>
    sql.begin(async (open) => {
      await open`SET LOCAL session_replication_role = replica`
      await open`DELETE FROM rtmanager.games WHERE game_id = ${gameId}`
      await open`INSERT INTO rtmanager.games ${open({ game_id: gameId, image_ref: imageRef, ...columnsOf(sql, more) })}`
    }).then(() => {}),
  remove: async (gameId: string) => void await sql`DELETE FROM rtmanager.games WHERE game_id = ${gameId}`,
  truncate: async () => void await sql`TRUNCATE rtmanager.games`,
  hold: (gameId: string) => holding(sql, `SELECT 1 FROM rtmanager.games WHERE game_id = '${gameId}' FOR UPDATE`),
  spoil: async (gameId: string) =>
    void await sql`UPDATE rtmanager.runtime_records SET stopping = '{"since": "2026-01-01T00:00:00Z", "because": "whim", "signalled_at": null}' WHERE game_id = ${gameId}`,
  operations: async (gameId: string) =>
    (await sql<Array<{ word: string }>>`SELECT op_kind || ' ' || outcome AS word FROM rtmanager.operation_log WHERE game_id = ${gameId} ORDER BY id`).map(({ word }) => word),
  health: async (gameId: string) =>
    (await sql<Array<{ event_type: string }>>`SELECT event_type FROM rtmanager.health_snapshots WHERE game_id = ${gameId}`)[0]?.event_type,
  agePorts: async (ms: number) =>
    void await sql`UPDATE rtmanager.port_claims SET freed_at = freed_at - ${ms} * interval '1 ms', quarantined_until = quarantined_until - ${ms} * interval '1 ms'`,
  breakConnections: async () =>
    void await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('rtmanager store', 'rtmanager listen') AND datname = current_database()`
})

const columnsOf = (sql: postgres.Sql, { spec, ...row }: UserRow) => ({ ...row, ...(spec === undefined ? {} : { spec: sql.json(spec) }) })

const termOf = (epoch: number, end: () => void = () => {}): Term =>
  ({ epoch, remainingMs: Effect.succeed(60_000), lost: Effect.never, end: Effect.sync(end) })

/** `reach`: where the store finds the database, when it is not the database's own address. */
export const openStore = async (reach: (url: string) => string = (url) => url, options: OpenOptions = {}): Promise<Opened> => {
  const { drop, sql, url } = await openDatabase()
  const as = await makeRoles(url)
  await sql`UPDATE rtmanager.lease SET holder = 'test', epoch = 1, expires_at = now() + interval '1 hour'`
  const scope = await Effect.runPromise(Scope.make())
  const database = await Effect.runPromise(acquireDatabase(reach(as.controller), {
    max: options.connections ?? 10, name: "store", deadlineMs: options.deadlineMs ?? 10_000
  }).pipe(Effect.provideService(Scope.Scope, scope)))
  let ended = 0
  return {
    reader: makePostgresReader(database, { ...options, url: reach(as.controller) }),
    writer: makePostgresWriter(database, termOf(1, () => void ended++)),
    sql, url, as, ...hands(sql),
    ended: () => ended,
    takeOver: async () => {
      const [lease] = await sql<[{ epoch: string }]>`UPDATE rtmanager.lease SET epoch = epoch + 1, holder = 'other' RETURNING epoch`
      return makePostgresWriter(database, termOf(Number(lease.epoch)))
    },
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await drop()
    }
  }
}

export const withOpenStore = (body: (opened: Opened) => Promise<void>, ...how: Parameters<typeof openStore>) => async (): Promise<void> => {
  const opened = await openStore(...how)
  try {
    await body(opened)
  } finally {
    await opened.close()
  }
}

/** What somebody else's open transaction holds until it is let go. */
export const holding = async (sql: postgres.Sql, statement: string): Promise<() => Promise<void>> => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => { letGo = resolve })
  let transaction = Promise.resolve<unknown>(undefined)
  await new Promise<void>((resolve, reject) => {
    transaction = sql.begin(async (open) => {
      await open.unsafe(statement)
      resolve()
      await held
    }).catch(reject)
  })
  return async () => {
    letGo()
    await transaction
  }
}

export const withLease = <A>(url: string, body: (lease: Lease["Service"]) => Effect.Effect<A, StoreError>): Promise<A> =>
  Effect.runPromise(Effect.flatMap(Lease, body).pipe(Effect.provide(leaseLayer(url))))

/** On connections of its own. */
export const withDatabase = <A, E>(url: string, body: (database: Database) => Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(acquireDatabase(url, { max: 1, name: "test", deadlineMs: 5000 }), body)))

/** A database, and a login without any right that is not given to it. */
export const withStranger = (body: (found: Awaited<ReturnType<typeof openDatabase>> & { readonly stranger: string }) => Promise<void>) => async () => {
  const database = await openDatabase(async () => {})
  try {
    await database.sql.unsafe(`DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rtm_test_owner') THEN CREATE ROLE rtm_test_owner LOGIN PASSWORD 'test'; END IF;
    END $$`)
    await body({ ...database, stranger: addressAs(database.url, "rtm_test_owner") })
  } finally {
    await database.drop()
  }
}
