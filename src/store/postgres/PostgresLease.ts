/** Lease on one row of PostgreSQL, over a connection of its own, so that no load on the store delays a renewal. */
import { Effect, Layer } from "effect"
import { type Acquired, Lease } from "../Lease.ts"
import { acquireDatabase } from "./client.ts"

const deadlineMs = 2000

interface AcquireRow {
  readonly taken: string | null
  readonly held_by: string
  readonly held_epoch: string
  readonly held_ms: string
  readonly renewed_ago_ms: string
}

const acquired = (row: AcquireRow): Acquired =>
  row.taken !== null ? { _tag: "Taken", epoch: Number(row.taken) } : {
    _tag: "Held", holder: row.held_by, epoch: Number(row.held_epoch), ttlMs: Number(row.held_ms), renewedAgoMs: Number(row.renewed_ago_ms)
  }

export const layer = (url: string): Layer.Layer<Lease> =>
  Layer.effect(Lease, Effect.gen(function*() {
    const { query } = yield* acquireDatabase(url, { max: 2, name: "lease", deadlineMs })
    return {
      acquire: (holder, ttlMs) =>
        query("acquire", (sql) => sql<[AcquireRow]>`SELECT * FROM rtmanager.acquire_lease(${holder}, ${ttlMs})`).pipe(
          Effect.map(([row]) => acquired(row))
        ),
      renew: (holder, epoch, ttlMs) =>
        query("renew", (sql) => sql`
          UPDATE rtmanager.lease SET renewed_at = clock_timestamp(), ttl_ms = ${ttlMs},
            expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
          WHERE name = 'controller' AND holder = ${holder} AND epoch = ${epoch} RETURNING 1`).pipe(
          Effect.map((rows) => rows.length === 1)
        ),
      release: (holder, epoch) =>
        Effect.asVoid(query("release", (sql) => sql`
          UPDATE rtmanager.lease SET holder = '', expires_at = clock_timestamp()
          WHERE name = 'controller' AND holder = ${holder} AND epoch = ${epoch}`))
    }
  }))
