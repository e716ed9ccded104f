/** Lease on one row of PostgreSQL, over a connection of its own, so that no load on the store delays a renewal. */
import { Effect, Layer } from "effect"
import { Lease } from "../Lease.ts"
import { acquireDatabase } from "./client.ts"

const deadlineMs = 2000

export const layer = (url: string): Layer.Layer<Lease> =>
  Layer.effect(Lease, Effect.gen(function*() {
    const { query } = yield* acquireDatabase(url, { max: 2, name: "lease", deadlineMs })
    return {
      // FOR UPDATE is had only when no write of the old epoch is under way; after it none can pass the fence.
      acquire: (holder, ttlMs) =>
        query("acquire", (sql) => sql<Array<{ epoch: string }>>`
          WITH held AS (
            SELECT name FROM rtmanager.lease
            WHERE name = 'controller' AND (holder IN ('', ${holder}) OR expires_at < clock_timestamp()) FOR UPDATE SKIP LOCKED
          )
          UPDATE rtmanager.lease l SET holder = ${holder}, epoch = l.epoch + 1, renewed_at = clock_timestamp(),
            expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
          FROM held WHERE l.name = held.name RETURNING l.epoch`).pipe(
          Effect.map(([row]) => row === undefined ? undefined : Number(row.epoch))
        ),
      renew: (holder, epoch, ttlMs) =>
        query("renew", (sql) => sql`
          UPDATE rtmanager.lease SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + ${ttlMs} * interval '1 millisecond'
          WHERE name = 'controller' AND holder = ${holder} AND epoch = ${epoch} RETURNING 1`).pipe(
          Effect.map((rows) => rows.length === 1)
        ),
      release: (holder, epoch) =>
        Effect.asVoid(query("release", (sql) => sql`
          UPDATE rtmanager.lease SET holder = '', expires_at = clock_timestamp()
          WHERE name = 'controller' AND holder = ${holder} AND epoch = ${epoch}`))
    }
  }))
