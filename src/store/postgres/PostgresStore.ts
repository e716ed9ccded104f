/** GameReader and GameWriter on PostgreSQL, over the same few connections. */
import { Context, Effect, Layer, type Scope } from "effect"
import { GameReader } from "../GameReader.ts"
import { GameWriter } from "../GameWriter.ts"
import { CurrentTerm } from "../Lease.ts"
import { acquireDatabase, type Database } from "./client.ts"
import { makePostgresReader, type ReaderOptions } from "./PostgresReader.ts"
import { makePostgresWriter } from "./PostgresWriter.ts"

export interface PostgresOptions extends ReaderOptions {
  /** Connections, and queries at once. Default: 10. */
  readonly connections?: number
  /** Default: 10 s. */
  readonly deadlineMs?: number
  /** `url` leads to a pooler, `directUrl` to the server itself. */
  readonly pooled?: boolean
}

const acquire = (options: PostgresOptions): Effect.Effect<Database, never, Scope.Scope> =>
  acquireDatabase(options.url, { max: options.connections ?? 10, name: "store", deadlineMs: options.deadlineMs ?? 10_000, pooled: options.pooled ?? false })

/** For who only reads. */
export const readerLayer = (options: PostgresOptions): Layer.Layer<GameReader> =>
  Layer.effect(GameReader, Effect.map(acquire(options), (database) => makePostgresReader(database, options)))

/** For the acting controller, for the length of its term. */
export const layer = (options: PostgresOptions): Layer.Layer<GameReader | GameWriter, never, CurrentTerm> =>
  Layer.effectContext(Effect.gen(function*() {
    const term = yield* CurrentTerm
    const database = yield* acquire(options)
    return Context.make(GameReader, makePostgresReader(database, options)).pipe(Context.add(GameWriter, makePostgresWriter(database, term)))
  }))
