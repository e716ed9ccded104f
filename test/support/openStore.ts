/** A store on a real PostgreSQL with a database of its own, and the hands of a user on its rows. */
import { Effect, Exit, Scope } from "effect"
import { randomBytes } from "node:crypto"
import postgres from "postgres"
import { CurrentTerm, Lease, type Term } from "../../src/store/Lease.ts"
import { migrate } from "../../src/store/migrate.ts"
import { layer as leaseLayer } from "../../src/store/postgres/PostgresLease.ts"
import { makePostgresStore, type PostgresOptions } from "../../src/store/postgres/PostgresStore.ts"
import type { StoreError } from "../../src/store/Store.ts"
import type { OpenStore } from "../contract/store.contract.ts"
import { environment } from "./environment.ts"

export interface Opened extends OpenStore {
  readonly sql: postgres.Sql
  readonly url: string
  /** How often the store ended its term. */
  readonly ended: () => number
}

/** `reach`: where the store finds the database, when it is not the database's own address. */
export const openStore = async (reach: (url: string) => string = (url) => url, options: Omit<PostgresOptions, "url"> = {}): Promise<Opened> => {
  const name = `s${randomBytes(4).toString("hex")}`
  const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(environment.databaseUrl), { pathname: `/${name}` }).href
  await migrate(url)
  const sql = postgres(url, { max: 3, onnotice: () => {} })
  await sql`UPDATE rtmanager.lease SET holder = 'test', epoch = 1, expires_at = now() + interval '1 hour'`
  let ended = 0
  const term: Term = { epoch: 1, remainingMs: Effect.succeed(60_000), lost: Effect.never, end: Effect.sync(() => void ended++) }
  const scope = await Effect.runPromise(Scope.make())
  const store = await Effect.runPromise(makePostgresStore({ url: reach(url), ...options }).pipe(
    Effect.provideService(CurrentTerm, term), Effect.provideService(Scope.Scope, scope)
  ))
  return {
    store, sql, url,
    ended: () => ended,
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
