/** Connections to Postgres: bounded, with a deadline on each query, and errors typed by their code. */
import { Effect, Semaphore } from "effect"
import postgres from "postgres"
import { StoreError, type StoreReason } from "../Store.ts"

export type Sql = postgres.Sql

const statementTimeoutMs = 10_000

/** Never longer than a second between tries, so that a restarted database is found again at once. */
const backoff = (tries: number): number => Math.min(1, 0.05 * 2 ** tries)

export const connect = (url: string, options: { readonly max: number; readonly name: string }): Sql =>
  postgres(url, {
    max: options.max,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: 5,
    backoff: backoff as unknown as boolean,
    onnotice: () => {},
    connection: {
      application_name: `rtmanager ${options.name}`,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 5000
    }
  })

/**
 * The one way to ask the database. The client has no bound on waiting for a connection, so the bound is here; a query
 * that was given up may still have been carried out.
 */
export const makeQuery = (places: number, deadlineMs: number) => {
  const semaphore = Semaphore.makeUnsafe(places)
  return <A>(operation: string, send: () => PromiseLike<A>): Effect.Effect<A, StoreError> =>
    semaphore.withPermits(1)(Effect.tryPromise({ try: async () => await send(), catch: (cause) => storeError(operation, cause) })).pipe(
      Effect.timeoutOrElse({
        duration: deadlineMs,
        orElse: () => Effect.fail(new StoreError({
          operation,
          reason: "Timeout",
          message: `the database did not answer ${operation} within ${deadlineMs} ms`
        }))
      })
    )
}

/** SQLSTATE of `rtmanager.fence`. */
const fenced = "RTM01"
/** SQLSTATE that the commit raises when the record was written by somebody else meanwhile. */
export const conflict = "RTM02"

const storeError = (operation: string, cause: unknown): StoreError => {
  const code = (cause as { code?: unknown })?.code
  return new StoreError({ operation, reason: reasonOf(code), message: cause instanceof Error ? cause.message : String(cause) })
}

/** Values and rules that the database refuses are Invalid; all else says that it is not well or not there. */
const reasonOf = (code: unknown): StoreReason => {
  if (code === fenced) return "Fenced"
  if (code === conflict || code === "40001" || code === "40P01") return "Conflict"
  if (code === "57014") return "Timeout"
  return typeof code === "string" && /^(22|23|42|P0)/.test(code) ? "Invalid" : "Unavailable"
}
