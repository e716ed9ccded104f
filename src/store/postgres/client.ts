/** Connections to Postgres: bounded, with a deadline on each query, made anew when they are dead, and errors typed by their code. */
import { Effect, Result, type Scope, Semaphore } from "effect"
import postgres from "postgres"
import { askNextHost, reach, readAddress } from "../address.ts"
import { StoreError, type StoreReason } from "../StoreError.ts"

export type Sql = postgres.Sql

/** Never longer than a second between tries, so that a restarted database is found again at once. */
const backoff = (tries: number): number => Math.min(1, 0.05 * 2 ** tries)

export interface ConnectOptions {
  readonly max: number
  /** Seen in pg_stat_activity. */
  readonly name: string
  /** The server gives a statement up after this long, 0: never. */
  readonly statementTimeoutMs: number
  /** By way of a pooler, which gives each transaction any of its connections: nothing of a session lasts. Default: no. */
  readonly pooled?: boolean
}

/** Throws where `addressProblem` finds something. */
export const connect = (url: string, { max, name, pooled = false, statementTimeoutMs }: ConnectOptions): Sql => {
  const address = Result.getOrThrowWith(readAddress(url), (problem) => new Error(`the address of PostgreSQL ${problem}`))
  return postgres(address.url, {
    ...reach(url, address),
    max,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: 5,
    backoff: backoff as unknown as boolean,
    onnotice: () => {},
    ...(pooled ? { prepare: false } : {}),
    connection: {
      application_name: `rtmanager ${name}`,
      // A pooler refuses these at the start of a connection: there they are the role's (deploy/roles.sql).
      ...(pooled ? {} : { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: 5000, search_path: safeSearchPath })
    }
  })
}

/** Nobody's functions and operators but the system's: whoever may create in `public` must not have his called by us. */
export const safeSearchPath = "pg_catalog, pg_temp"

/** What of others' making this role's statements would call by way of a pooler, which cannot be told to look nowhere else. */
export const searchedSchemas = (database: Database): Effect.Effect<ReadonlyArray<string>, StoreError> =>
  Effect.map(database.query("search_path", (sql) => sql<Array<{ name: string }>>`
    SELECT s.name FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS s(name) WHERE s.name <> 'pg_catalog'`),
  (rows) => rows.map(({ name }) => name))

/** What is wrong with an address, by this client's own rule; nothing of it that may be secret is in the answer. */
export const addressProblem = (url: string): string | undefined => {
  const address = readAddress(url)
  if (Result.isFailure(address)) return address.failure
  try {
    connect(url, { max: 1, name: "check", statementTimeoutMs: 0 })
    return undefined
  } catch {
    return "is no address that the client can read"
  }
}

export interface DatabaseOptions {
  /** Connections, and queries at once. */
  readonly max: number
  readonly name: string
  /** For a query as a whole, the wait for a connection included. */
  readonly deadlineMs: number
  /** See `ConnectOptions`. */
  readonly pooled?: boolean
}

export interface Database {
  /** The one way to ask; a query that was given up may still have been carried out. */
  readonly query: <A>(operation: string, send: (sql: Sql) => PromiseLike<A>) => Effect.Effect<A, StoreError>
  /** Whether it answers, and takes writes. */
  readonly ping: Effect.Effect<void, StoreError>
}

/**
 * The client has no bound on waiting for a connection and keeps a dead one, so both are here. The server ends a statement
 * before its answer is overdue: an overdue answer means a dead link, and the client is thrown away with all its connections.
 */
export const acquireDatabase = Effect.fnUntraced(function*(
  url: string,
  { deadlineMs, max, name, pooled = false }: DatabaseOptions
): Effect.fn.Return<Database, never, Scope.Scope> {
  const places = Semaphore.makeUnsafe(max)
  const fresh = () => connect(url, { max, name, pooled, statementTimeoutMs: Math.ceil(deadlineMs * 0.75) })
  let current = fresh()
  const replace = (used: Sql) =>
    Effect.sync(() => {
      if (used === current) current = fresh()
      void used.end({ timeout: 0 }).catch(() => {})
    })
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.tryPromise(() => current.end({ timeout: 0.2 }))))

  const send = <A>(operation: string, statement: (sql: Sql) => PromiseLike<A>) =>
    Effect.suspend(() => {
      const used = current
      return Effect.tryPromise({ try: async () => await statement(used), catch: (cause) => cause }).pipe(
        Effect.timeoutOrElse({ duration: deadlineMs * 0.9, orElse: () => Effect.andThen(replace(used), Effect.fail(late(operation, deadlineMs))) }),
        Effect.tapError((cause) => isReadOnly(cause) ? Effect.andThen(Effect.sync(() => askNextHost(url)), replace(used)) : Effect.void),
        Effect.mapError((cause) => cause instanceof StoreError ? cause : storeError(operation, cause))
      )
    })
  const query: Database["query"] = (operation, statement) =>
    places.withPermits(1)(send(operation, statement)).pipe(
      Effect.timeoutOrElse({ duration: deadlineMs, orElse: () => Effect.fail(late(operation, deadlineMs)) })
    )
  return { query, ping: Effect.asVoid(query("ping", (sql) => sql.unsafe(pingSql))) }
})

const pingSql = `DO $$ BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN RAISE 'it takes no writes' USING ERRCODE = 'read_only_sql_transaction'; END IF;
END $$`

const late = (operation: string, deadlineMs: number): StoreError =>
  new StoreError({ operation, reason: "Timeout", message: `the database did not answer ${operation} within ${deadlineMs} ms` })

const codeOf = (cause: unknown): unknown => (cause as { code?: unknown } | undefined)?.code

/** A failover left this connection with a server that takes no writes; the address may lead to another one by now. */
export const isReadOnly = (cause: unknown): boolean => codeOf(cause) === "25006"

/** SQLSTATE of `rtmanager.fence`. */
const fenced = "RTM01"
/** SQLSTATE of `rtmanager.same_history`. */
const otherHistory = "RTM03"
/** The record was written by somebody else meanwhile, a serialization failure, a deadlock, a lock that was not had in time. */
const conflicts: ReadonlySet<unknown> = new Set(["RTM02", "40001", "40P01", "55P03"])

const storeError = (operation: string, cause: unknown): StoreError =>
  new StoreError({ operation, reason: reasonOf(codeOf(cause)), message: cause instanceof Error ? cause.message : String(cause) })

/**
 * Values and rules that the database refuses, and values that are too big for it, are Invalid; all else says that it is not
 * well or not there, a missing right or function too: that is nothing a job can be blamed for.
 */
const reasonOf = (code: unknown): StoreReason => {
  if (code === fenced) return "Fenced"
  if (code === otherHistory) return "HistoryChanged"
  if (conflicts.has(code)) return "Conflict"
  if (code === "57014") return "Timeout"
  return typeof code === "string" && /^(22|23|54|P0)/.test(code) ? "Invalid" : "Unavailable"
}
