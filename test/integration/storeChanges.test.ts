/** The cursor over changes on a real PostgreSQL, where transactions overlap and commit in any order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { migrate } from "../../src/store/migrate.ts"
import { fromTheStart } from "../../src/store/GameReader.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { game } from "../contract/store/OpenStore.ts"
import { holding, type Opened, withOpenStore as opened } from "../support/openStore.ts"
import { until } from "../support/until.ts"

const run = <A>(effect: Effect.Effect<A, StoreError>): Promise<A> => Effect.runPromise(effect)

/** A reader that goes on from its cursor each time. */
const follower = ({ reader }: Opened, limit = 100) => {
  let cursor = fromTheStart
  return async (): Promise<ReadonlyArray<string>> => {
    const page = await run(reader.changesSince(cursor, limit))
    cursor = page.cursor
    return page.changes.map(({ gameId, kind }) => `${kind} ${gameId}`)
  }
}

describe("changes, on PostgreSQL", () => {
  it("loses nothing of a transaction that began first and commits last", opened(async (store) => {
    const next = follower(store)
    await store.insert("before", "a:1")
    await until("what was before", async () => (await next()).length > 0)
    const commit = await holding(store.sql, "INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('late', 'a:1')")
    await store.insert("early", "a:1")
    const meanwhile = await next()
    await commit()
    const seen = [...meanwhile]
    await until("both", async () => {
      seen.push(...await next())
      return seen.length >= 2
    })
    assert.deepStrictEqual(meanwhile, [])
    assert.deepStrictEqual(seen, ["row late", "row early"])
  }))

  it("tells nothing of a transaction that came to nothing", opened(async (store) => {
    const next = follower(store)
    await store.sql.begin(async (sql) => {
      await sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('no', 'a:1')`
      throw new Error("never mind")
    }).catch(() => {})
    await store.insert("yes", "a:1")
    const seen: Array<string> = []
    await until("the other", async () => seen.push(...await next()) > 0)
    assert.deepStrictEqual(seen, ["row yes"])
  }))

  it("keeps a mirror equal to the table, whatever many writers do at once", opened(async (store) => {
    const { reader, sql } = store
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'g' || n, 'a:1' FROM generate_series(0, 19) n`
    const next = follower(store, 7)
    const mirror = new Map<string, number>()
    let writing = true
    const reading = (async () => {
      for (let quiet = false; writing || !quiet;) {
        const words = await next()
        quiet = words.length === 0
        for (const id of words.map((word) => word.slice("row ".length))) mirror.set(id, (await run(reader.load(game(id)))).game!.generation)
      }
    })()
    await Promise.all([1, 2, 3].map(async (writer) => {
      for (let round = 0; round < 60; round++) {
        const ids = [`g${round * writer % 20}`, `g${(round * 7 + writer) % 20}`].sort()
        await sql`UPDATE rtmanager.games SET image_ref = ${`a:${writer}-${round}`} FROM pg_sleep(${(round % 3) / 1000}) WHERE game_id = ANY(${ids})`.catch(() => {})
      }
    }))
    const table = await sql<Array<{ game_id: string; generation: number }>>`SELECT game_id, generation::int FROM rtmanager.games`
    await until("nothing is under way any more", async () => {
      const [row] = await sql<[{ over: boolean }]>`SELECT max(xid) < pg_snapshot_xmin(pg_current_snapshot()) AS over FROM rtmanager.changes`
      return row.over
    })
    writing = false
    await reading
    assert.sameDeepMembers([...mirror], table.map(({ game_id, generation }) => [game_id, generation]))
  }))

  it("tells of what somebody deleted, and of every record when they are all forgotten", opened(async (store) => {
    const { sql } = store
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status) VALUES ('g1', 'running'), ('g2', 'running')`
    const next = follower(store)
    const seen: Array<string> = []
    const more = (count: number) => until(`${count} changes`, async () => seen.push(...await next()) >= count)
    await more(2)
    await sql`DELETE FROM rtmanager.runtime_records WHERE game_id = 'g1'`
    await more(3)
    await sql`TRUNCATE rtmanager.runtime_records`
    await more(5)
    assert.deepStrictEqual(seen, ["record g1", "record g2", "record g1", "record g1", "record g2"])
  }))

  it("tells of everything in a database that was restored into another server, whose transactions are younger", opened(async (store) => {
    const { insert, sql, url } = store
    await insert("g1", "a:1")
    await sql`UPDATE rtmanager.changes SET xid = '4611686018427387904'`
    await migrate(url)
    const next = follower(store)
    const seen: Array<string> = []
    await until("g1", async () => seen.push(...await next()) > 0)
    assert.deepStrictEqual(seen, ["row g1"])
  }))

  it("finds its place without a look at all that is there", opened(async ({ sql }) => {
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'g' || n, 'a:1' FROM generate_series(1, 5000) n`
    await sql`VACUUM ANALYZE rtmanager.changes`
    const plan = await sql`EXPLAIN SELECT * FROM rtmanager.changes c WHERE c.xid < pg_snapshot_xmin(pg_current_snapshot())
      AND (c.xid, c.game_id, c.kind) > ('5'::xid8, 'g', 'row') ORDER BY c.xid, c.game_id, c.kind LIMIT 10`
    const text = plan.map((row) => row["QUERY PLAN"] as string).join("\n")
    assert.match(text, /Index (Only )?Scan using changes_order/)
    assert.notMatch(text, /Sort|Seq Scan/)
  }))

  it("needs no right but to the games, of who writes a game", opened(async ({ sql }) => {
    const role = `role_${Math.random().toString(36).slice(2)}`
    await sql.unsafe(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA rtmanager TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON rtmanager.games TO ${role}`)
    try {
      await sql.begin(async (as) => {
        await as.unsafe(`SET LOCAL ROLE ${role}`)
        await as`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g1', 'a:1')`
        await as`DELETE FROM rtmanager.games`
      })
      assert.deepStrictEqual([...await sql`SELECT game_id, state FROM rtmanager.games`], [{ game_id: "g1", state: "removed" }])
    } finally {
      await sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  }))
})
