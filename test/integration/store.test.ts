import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import postgres from "postgres"
import type { JobIntake } from "../../src/domain/Job.ts"
import { migrate } from "../../src/store/migrate.ts"
import { surveySql } from "../../src/store/postgres/survey.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { decodeJob } from "../../src/streams/decodeJob.ts"
import { leaseContract } from "../contract/lease.contract.ts"
import { storeContract } from "../contract/store.contract.ts"
import { answerOf, commitOf, g1, game, reason, recordOf, surveyAll } from "../contract/store/OpenStore.ts"
import { holding, openStore, withLease, withOpenStore as opened } from "../support/openStore.ts"
import { until } from "../support/until.ts"

storeContract("PostgreSQL", openStore)

leaseContract("PostgreSQL", (body) => opened(async ({ sql, url }) => {
  await sql`UPDATE rtmanager.lease SET holder = '', epoch = 0`
  await withLease(url, (lease) => body(lease, {
    remove: () => sql`DELETE FROM rtmanager.lease`,
    ahead: (ms, whole) => sql`UPDATE rtmanager.lease SET expires_at = expires_at + ${ms} * interval '1 millisecond',
      renewed_at = renewed_at + ${whole ? ms : 0} * interval '1 millisecond'`
  }))
})())

const run = <A>(effect: Effect.Effect<A, StoreError>): Promise<A> => Effect.runPromise(effect)
const startJob = (gameId: string, entryId: string, more: Readonly<Record<string, string>> = {}): JobIntake =>
  decodeJob({ stream: "s", kind: "start", life: "", entryId, deliveries: 1, fields: { game_id: gameId, image_ref: "galaxy/engine:1.4.2", ...more } })

describe("PostgreSQL itself", () => {
  const words = (query: PromiseLike<unknown>) => Promise.resolve(query).then(() => "", (error: Error) => error.message)

  it("refuses a spec that is no object, and to forget what was done", opened(async ({ sql }) => {
    assert.include(await words(sql`INSERT INTO rtmanager.games (game_id, image_ref, spec) VALUES ('g', 'a:1', '[]')`), "spec takes a JSON object")
    await sql`INSERT INTO rtmanager.operation_log (game_id, op_kind, op_source, outcome, started_at, finished_at) VALUES ('g', 'start', 'api', 'success', now(), now())`
    assert.include(await words(sql`DELETE FROM rtmanager.operation_log`), "DELETE of operation_log is refused")
  }))

  it("answers DELETE with the rows it took, and keeps each as its mark", opened(async ({ insert, reader, sql, url }) => {
    for (const id of ["g1", "g2", "g3"]) await insert(id, "a:1")
    await sql`UPDATE rtmanager.games SET image_ref = 'a:2' WHERE game_id = 'g1'`
    const [before] = await sql`SELECT created_at FROM rtmanager.games WHERE game_id = 'g1'`
    const taken = await sql`DELETE FROM rtmanager.games WHERE game_id = 'g1' RETURNING game_id, state, generation::int`
    assert.deepStrictEqual([taken.command, taken.count, [...taken]], ["DELETE", 1, [{ game_id: "g1", state: "running", generation: 2 }]])
    const [after] = await sql`SELECT state, image_ref, restart_policy, generation::int, created_at FROM rtmanager.games WHERE game_id = 'g1'`
    assert.deepStrictEqual(after, { state: "removed", image_ref: "a:2", restart_policy: "always", generation: 3, created_at: before!.created_at })
    assert.strictEqual((await sql`DELETE FROM rtmanager.games WHERE game_id = 'g1'`).count, 1)
    assert.strictEqual((await run(reader.load(g1))).game?.generation, 3, "once removed it is removed")
    assert.strictEqual((await sql`DELETE FROM rtmanager.games WHERE game_id = 'nobody'`).count, 0)
    assert.strictEqual((await sql`DELETE FROM rtmanager.games`).count, 3)
    assert.strictEqual((await sql`SELECT 1 FROM rtmanager.games WHERE state = 'removed'`).length, 3)
    // As libraries do it: a transaction, a prepared statement, and a look at the count.
    const client = postgres(url, { max: 1 })
    await client.begin(async (transaction) => {
      await transaction`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g4', 'a:1')`
      assert.strictEqual((await transaction`DELETE FROM rtmanager.games WHERE game_id = ${"g4"}`).count, 1)
      assert.strictEqual((await transaction`SELECT state FROM rtmanager.games WHERE game_id = 'g4'`)[0]?.state, "removed")
    })
    await client.end()
  }))

  it("lets a role that may only delete remove a game, and a table that refers to games keep its lines", opened(async ({ insert, sql }) => {
    await insert("g1", "a:1")
    const role = `deleter_${Date.now()}`
    await sql.unsafe(`CREATE TABLE public.matches (game_id text REFERENCES rtmanager.games); INSERT INTO public.matches VALUES ('g1');
      CREATE ROLE ${role}; GRANT USAGE ON SCHEMA rtmanager TO ${role}; GRANT SELECT, DELETE ON rtmanager.games TO ${role}`)
    await sql.begin(async (transaction) => {
      await transaction.unsafe(`SET LOCAL ROLE ${role}`)
      assert.strictEqual((await transaction`DELETE FROM rtmanager.games WHERE game_id = 'g1'`).count, 1)
    })
    await sql.unsafe(`REVOKE ALL ON rtmanager.games FROM ${role}; REVOKE ALL ON SCHEMA rtmanager FROM ${role}; DROP ROLE ${role}`)
    assert.deepStrictEqual([...await sql`SELECT state FROM rtmanager.games JOIN public.matches USING (game_id)`], [{ state: "removed" }])
  }))

  it("takes a start job for a game that is deleted meanwhile, and writes no wish", opened(async ({ insert, reader, sql, writer }) => {
    await insert("g1", "a:1")
    const commit = await holding(sql, "DELETE FROM rtmanager.games WHERE game_id = 'g1'")
    const taking = run(Effect.retry(writer.takeJobs([startJob("g1", "1-0")]), { while: ({ reason: why }) => why === "Conflict" }))
    await until("it waits", async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).length > 0)
    await commit()
    await taking
    const { game: row, jobs } = await run(reader.load(g1))
    assert.deepInclude(row, { state: "removed", imageRef: "a:1", generation: 2 })
    assert.lengthOf(jobs, 1)
  }))

  it("ignores what users write into generation", opened(async ({ insert, sql }) => {
    await insert("g1", "a:1")
    await sql`UPDATE rtmanager.games SET generation = 99 WHERE game_id = 'g1'`
    assert.deepStrictEqual([...await sql`SELECT generation::int FROM rtmanager.games`], [{ generation: 1 }])
  }))

  it("migrates once when two controllers start at once, and refuses an edited migration", opened(async ({ sql, url }) => {
    assert.deepStrictEqual(await Promise.all([migrate(url), migrate(url)]), [[], []])
    await sql`UPDATE rtmanager.schema_migrations SET checksum = 'x' WHERE name LIKE '0001%'`
    assert.include(await migrate(url).then(() => "", String), "was changed after it was applied")
  }))

  it("commits a step whole or not at all when its connection is killed in the middle", opened(async ({ reader, sql, writer }) => {
    await sql.unsafe(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT ON rtmanager.outbox FOR EACH ROW EXECUTE FUNCTION slow()`)
    const running = reason(writer.commit(commitOf({ record: recordOf(), messages: [{ topic: "dead_jobs", fields: {} }] })))
    await until("it is in the trigger", async () =>
      (await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`).length > 0)
    assert.strictEqual(await running, "Unavailable")
    assert.deepStrictEqual(await run(reader.load(g1)), { game: null, record: null, jobs: [], lastHealth: null, claims: [] })
  }))

  it("takes jobs whose fields have names that a database has no word for, beside good ones", opened(async ({ reader, writer }) => {
    const bad = [{ "x\0y": "1" }, { "\ud800": "1" }, { ["n".repeat(254) + "\u{1f3ae}"]: "1" }, { x: "v".repeat(4095) + "\u{1f3ae}" }]
    const jobs = [startJob("g1", "1-0"), ...bad.map((fields, index) => startJob("g2", `2-${index}`, fields)), startJob("g3", "3-0")]
    assert.sameMembers<string>([...await run(writer.takeJobs(jobs))], ["g1", "g2", "g3"])
    assert.lengthOf((await run(reader.load(game("g2")))).jobs, 4)
  }))

  it.each([
    ["a row that somebody holds locked", "UPDATE rtmanager.games SET image_ref = 'a:2' WHERE game_id = 'held'"],
    ["a row that somebody has not committed yet", "INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('new', 'a:1')"]
  ])("does not wait long for %s, and takes nothing of that batch", (_what, statement) => opened(async ({ insert, sql, writer }) => {
    await insert("held", "a:1")
    const letGo = await holding(sql, statement)
    const startedMs = Date.now()
    const batch = writer.takeJobs([startJob("g1", "1-0"), startJob("held", "2-0"), startJob("new", "3-0")])
    assert.strictEqual(await reason(batch), "Conflict")
    assert.isBelow(Date.now() - startedMs, 2000)
    assert.deepStrictEqual<ReadonlyArray<string>>(await run(writer.takeJobs([startJob("g1", "1-0")])), ["g1"])
    await letGo()
    assert.sameMembers<string>([...await run(batch)], ["held", "new"])
  })())

  it("surveys without a look at the games that are removed or settled, however many they are", opened(async ({ insert, reader, sql, writer }) => {
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'gone' || n, 'a:1' FROM generate_series(1, 5000) n`
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status) SELECT game_id, 'stopped' FROM rtmanager.games`
    await sql`UPDATE rtmanager.runtime_records SET status = 'removed'`
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'rests' || n, 'a:1' FROM generate_series(1, 5000) n`
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status) SELECT game_id, 'stopped' FROM rtmanager.games WHERE game_id LIKE 'rests%'`
    const rests = Array.from({ length: 5000 }, (_, index) => ({ gameId: game(`rests${index + 1}`), version: 1, generation: 1 }))
    await run(writer.settle(rests))
    await sql`INSERT INTO rtmanager.jobs (stream, entry_id, kind, game_id, payload, outcome) SELECT 's', n || '-0', 'start', 'gone' || n, '{}', 'success' FROM generate_series(1, 5000) n`
    await insert("new", "a:1")
    await insert("live", "a:1")
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status) VALUES ('live', 'running'), ('gameless', 'running')`
    await run(writer.takeJobs([startJob("live", "j-0"), startJob("gone7", "j-1")]))
    await sql`VACUUM ANALYZE`
    const survey = await surveyAll({ reader })
    assert.sameDeepMembers(survey.map(({ game, gameId, pendingJobs, record }) => [gameId, game?.state, record?.status, pendingJobs]), [
      ["new", "running", undefined, 0], ["live", "running", "running", 1], ["gameless", undefined, "running", 0], ["gone7", "running", "removed", 1]
    ])
    const plan = (await sql.unsafe(`EXPLAIN (ANALYZE, TIMING OFF) ${surveySql.open.replaceAll("$1", "''").replaceAll("$2", "1000")}`)).map((row) => row["QUERY PLAN"] as string).join("\n")
    assert.notMatch(plan, /Seq Scan on (games|runtime_records|jobs)/)
    const touched = [...plan.matchAll(/Rows Removed by Filter: (\d+)|rows=(\d+) loops=(\d+)\)/g)].map(([, removed, rows, loops]) => Number(removed ?? Number(rows) * Number(loops)))
    assert.isBelow(Math.max(...touched), 20, plan)
    const planned = await sql.begin(async (open) => {
      await open`SET LOCAL plan_cache_mode = force_generic_plan`
      for (const part of ["settled", "unnoted"] as const) await open.unsafe(`PREPARE page_${part} (text, bigint) AS ${surveySql[part]}`)
      return [await open`EXPLAIN EXECUTE page_settled ('', 500)`, await open`EXPLAIN EXECUTE page_unnoted ('', 500)`]
    })
    for (const lines of planned) assert.notMatch(lines.map((row) => row["QUERY PLAN"] as string).join("\n"), /Seq Scan on (games|runtime_records)/)
  }))

  it("loads and answers a game with a hundred thousand jobs in far less than a second a bit", opened(async ({ insert, reader, sql, writer }) => {
    await insert("g1", "a:1")
    await sql`INSERT INTO rtmanager.jobs (stream, entry_id, kind, game_id, payload, generation)
      SELECT 's', n || '-0', 'start', 'g1', '{}', 1 FROM generate_series(1, 107000) n`
    await sql`ANALYZE rtmanager.jobs`
    for (let round = 0; round < 3; round++) {
      const startedMs = Date.now()
      const { jobs } = await run(reader.load(g1))
      await run(writer.commit(commitOf({ answers: jobs.map((job) => answerOf(job)) })))
      assert.isBelow(Date.now() - startedMs, 3000)
      assert.lengthOf(jobs, 1000)
    }
    assert.strictEqual((await sql`SELECT 1 FROM rtmanager.jobs WHERE outcome IS NOT NULL`).length, 3000)
  }))

  it("surveys a game whose record somebody deleted, as one that has none yet", opened(async ({ insert, reader, sql }) => {
    await insert("g1", "a:1")
    await insert("g2", "a:1")
    await sql`INSERT INTO rtmanager.runtime_records (game_id, status) VALUES ('g1', 'running'), ('g2', 'running')`
    const unrecorded = async () => (await surveyAll({ reader })).flatMap(({ gameId, record }) => record === null ? [gameId] : [])
    assert.deepStrictEqual(await unrecorded(), [])
    await sql`DELETE FROM rtmanager.runtime_records WHERE game_id = 'g1'`
    assert.deepStrictEqual(await unrecorded(), ["g1"])
    await sql`TRUNCATE rtmanager.runtime_records`
    assert.sameMembers(await unrecorded(), ["g1", "g2"])
  }))

  it("says who holds what a migration waits for, and waits for it only so long", opened(async ({ sql, url }) => {
    const said = () => migrate(url, 200).then(() => "", String)
    await sql`DELETE FROM rtmanager.schema_migrations WHERE name LIKE '0003%'`
    const unlock = await holding(sql, "SET LOCAL application_name = 'somebody'; SELECT pg_advisory_xact_lock(7261640127)")
    assert.match(await said(), /the migrations' lock was not had in time; held by pid \d+ \(somebody from 127\.0\.0\.1, idle in transaction since /)
    await unlock()
    await sql`DELETE FROM rtmanager.schema_migrations WHERE name LIKE '0003%'`
    const letGo = await holding(sql, "SET LOCAL application_name = 'psql'; UPDATE rtmanager.runtime_records SET version = 1")
    assert.match(await said(), /a lock of migration 0003.* held by pid \d+ \(psql from /)
    await letGo()
    assert.deepStrictEqual((await migrate(url)).filter((name) => !name.startsWith("functions/")), ["0003_survey_and_locks.sql"])
  }))

  it("gives the lease to nobody while a write of the old epoch is under way", opened(async ({ sql, url }) => {
    await sql`UPDATE rtmanager.lease SET expires_at = now()`
    const commit = await holding(sql, "SELECT rtmanager.fence(1)")
    await withLease(url, Effect.fnUntraced(function*(lease) {
      assert.deepInclude(yield* lease.acquire("b", 60_000), { _tag: "Held", holder: "test" })
      yield* Effect.promise(commit)
      assert.deepStrictEqual(yield* lease.acquire("b", 60_000), { _tag: "Taken", epoch: 2 })
    }))
    assert.include(await words(sql`SELECT rtmanager.fence(1)`), "epoch 1 is over")
  }))
})
