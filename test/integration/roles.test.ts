/** Who may do what: the roles of deploy/roles.sql with exactly these rights, and what somebody cannot have done in another's name. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import postgres from "postgres"
import { migrate, upgrade } from "../../src/store/migrate.ts"
import { settleInstance } from "../../src/store/postgres/instance.ts"
import { commitOf, g1, image, recordOf, startJob } from "../contract/store/OpenStore.ts"
import { withDatabase, withLease, withOpenStore as opened, withStranger } from "../support/openStore.ts"
import { makeRoles, type RoleName } from "../support/roles.ts"

/** SQLSTATE of what was refused, undefined: it was done. */
const asked = async (url: string, statement: string): Promise<string | undefined> => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await sql.unsafe(statement).then(() => undefined, (error: { code: string }) => error.code)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
const noRight = "42501"

describe("a role", () => {
  const may: ReadonlyArray<readonly [RoleName, string]> = [
    ["writer", "INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g2', 'a:1') RETURNING *"],
    ["writer", "UPDATE rtmanager.games SET state = 'stopped', spec = '{\"args\": []}' WHERE game_id = 'g1'"],
    ["writer", "DELETE FROM rtmanager.games WHERE game_id = 'g1'"],
    ["reader", "SELECT game_id, state, image_ref, generation FROM rtmanager.games"],
    ["reader", "SELECT * FROM rtmanager.runtime_records, rtmanager.operation_log, rtmanager.health_snapshots, rtmanager.changes, rtmanager.lease, rtmanager.instance"],
    ["reader", "SELECT job.game_id, job.outcome FROM rtmanager.jobs job"]
  ]
  const mayNot: ReadonlyArray<readonly [RoleName, string, string]> = [
    ["writer", "SELECT 1 FROM rtmanager.runtime_records", "status is not its business"],
    ["writer", "SELECT 1 FROM rtmanager.jobs", "other senders' jobs"],
    ["writer", "INSERT INTO rtmanager.outbox (topic, game_id, fields) VALUES ('job_results', 'g1', '{}')", "a message in the controller's name"],
    ["writer", "DELETE FROM rtmanager.unsettled", "a list that triggers keep"],
    ["writer", "SELECT rtmanager.commit_step(1, '{}')", "the controller's"],
    ["writer", "SELECT rtmanager.take_jobs(1, '[]')", "the controller's"],
    ["writer", "SELECT rtmanager.mend_changes()", "the controller's"],
    ["writer", "SELECT rtmanager.look_at_instance('x')", "the controller's"],
    ["writer", "SELECT rtmanager.keep_instance('x', NULL, NULL, NULL)", "the games of this installation would be nobody's"],
    ["writer", "UPDATE rtmanager.lease SET expires_at = 'infinity'", "nobody would act"],
    ["writer", "TRUNCATE rtmanager.games", "absence is no order"],
    ["writer", "ALTER TABLE rtmanager.games DISABLE TRIGGER ALL", "it does not own it"],
    ["writer", "CREATE FUNCTION rtmanager.mine() RETURNS void LANGUAGE sql AS ''", "nothing of its own among the controller's"],
    ["reader", "SELECT spec FROM rtmanager.games", "a spec may hold secrets"],
    ["reader", "SELECT payload FROM rtmanager.jobs", "so may a job"],
    ["reader", "SELECT fields FROM rtmanager.outbox", "and a message"],
    ["reader", "UPDATE rtmanager.games SET state = 'removed'", "it reads"],
    ["reader", "DELETE FROM rtmanager.games", "it reads"],
    ["reader", "SELECT rtmanager.take_jobs(1, '[]')", "the controller's"],
    ["reader", "SELECT rtmanager.halt_instance(1, 'x')", "nobody would act"],
    ["reader", "UPDATE rtmanager.instance SET halted = 'x'", "it reads"],
    ["controller", "UPDATE rtmanager.instance SET id = 'x'", "only by what settles whose database this is"],
    ["controller", "INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g3', 'a:1')", "only by a job or an adoption, under the lease"],
    ["controller", "UPDATE rtmanager.runtime_records SET status = 'removed'", "only under the lease"],
    ["controller", "DELETE FROM rtmanager.operation_log", "a log is kept"],
    ["controller", "SELECT rtmanager.write_record('{}', 0)", "a part of a step"],
    ["controller", "CREATE TABLE rtmanager.mine ()", "no DDL"],
    ["controller", "ALTER TABLE rtmanager.games ADD COLUMN mine text", "no ownership"],
    ["controller", "CREATE SCHEMA mine", "no DDL"]
  ]

  it("does all that it is for", opened(async ({ as, insert, sql }) => {
    await insert("g1", "a:1")
    for (const [role, statement] of may) assert.isUndefined(await asked(as[role], statement), statement)
    assert.deepStrictEqual([...await sql`SELECT game_id, state FROM rtmanager.games ORDER BY game_id`], [{ game_id: "g1", state: "removed" }, { game_id: "g2", state: "running" }])
    assert.deepStrictEqual([...await sql`SELECT game_id FROM rtmanager.unsettled ORDER BY game_id`], [{ game_id: "g1" }, { game_id: "g2" }])
  }))

  it("is refused all else", opened(async ({ as, insert }) => {
    await insert("g1", "a:1")
    for (const [role, statement, because] of mayNot) assert.strictEqual(await asked(as[role], statement), noRight, `${role}: ${statement}: ${because}`)
  }))

  it("may be given its rights again and again", opened(async ({ url }) => {
    await makeRoles(url)
    await makeRoles(url)
  }))

  it("that has DELETE alone deletes", opened(async ({ as, insert, sql }) => {
    await insert("g1", "a:1")
    await sql`REVOKE SELECT, INSERT, UPDATE ON rtmanager.games FROM rtm_writer`
    assert.isUndefined(await asked(as.writer, "DELETE FROM rtmanager.games"))
    assert.strictEqual((await sql`SELECT state FROM rtmanager.games`)[0]!.state, "removed")
  }))

  it("of a controller takes the lease, and gives it back", opened(async ({ as, sql }) => {
    await sql`UPDATE rtmanager.lease SET holder = ''`
    await withLease(as.controller, Effect.fnUntraced(function*(lease) {
      const taken = yield* lease.acquire("a", 5000)
      const epoch = taken._tag === "Taken" ? taken.epoch : 0
      assert.isTrue(yield* lease.renew("a", epoch, 5000))
      yield* lease.release("a", epoch)
    }))
  }))
})

describe("what somebody makes in a schema of his own", () => {
  /** Each would be called instead of the system's by whoever looks into `public`: its arguments fit better. */
  const traps = [
    "CREATE FUNCTION public.jsonb_populate_record(a rtmanager.runtime_records, b jsonb) RETURNS rtmanager.runtime_records LANGUAGE sql AS 'SELECT public.caught(''record''); SELECT a'",
    "CREATE FUNCTION public.jsonb_populate_record(a rtmanager.health_snapshots, b jsonb) RETURNS rtmanager.health_snapshots LANGUAGE sql AS 'SELECT public.caught(''health''); SELECT a'",
    "CREATE FUNCTION public.jsonb_populate_recordset(a rtmanager.operation_log, b jsonb) RETURNS SETOF rtmanager.operation_log LANGUAGE sql AS 'SELECT public.caught(''operations''); SELECT a'",
    "CREATE FUNCTION public.to_json(a rtmanager.games) RETURNS json LANGUAGE sql AS 'SELECT public.caught(''row''); SELECT ''null''::json'",
    "CREATE FUNCTION public.to_json(a rtmanager.runtime_records) RETURNS json LANGUAGE sql AS 'SELECT public.caught(''to_json''); SELECT ''null''::json'",
    "CREATE FUNCTION public.arrow(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT public.caught(''arrow''); SELECT a'",
    "CREATE OPERATOR public.-> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = public.arrow)",
    "CREATE OPERATOR public.->> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = public.arrow)",
    "CREATE FUNCTION public.times(a interval, b interval) RETURNS interval LANGUAGE sql AS 'SELECT public.caught(''times''); SELECT a'",
    "CREATE OPERATOR public.* (LEFTARG = interval, RIGHTARG = interval, FUNCTION = public.times)"
  ]

  it("is never called by the controller, by a trigger or by a migration", opened(async ({ as, reader, sql, url, writer }) => {
    await sql.unsafe("GRANT CREATE ON SCHEMA public TO rtm_writer")
    const attacker = postgres(as.writer, { max: 1, onnotice: () => {} })
    await attacker.unsafe(`CREATE TABLE public.loot (who text, what text); GRANT INSERT ON public.loot TO PUBLIC;
      CREATE FUNCTION public.caught(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.loot VALUES (current_user, what)'`)
    for (const trap of traps) await attacker.unsafe(trap)
    await attacker`INSERT INTO rtmanager.games (game_id, image_ref, spec) VALUES ('g1', ${image}, '{"args": []}')`
    await Effect.runPromise(Effect.gen(function*() {
      const at = { startedAtMs: 1, finishedAtMs: 2 }
      yield* writer.commit(commitOf({
        record: recordOf(),
        operations: [{ kind: "start", source: "desired_state", sourceRef: "", imageRef: image, containerId: null, outcome: "success", failure: null, ...at } as never],
        health: [{ type: "container_started", containerId: "c", occurredAtMs: 1, details: {} } as never]
      }))
      yield* writer.takeJobs([startJob("1-0")])
      yield* reader.load(g1)
      yield* reader.survey("open", "")
      yield* writer.settle([])
      yield* reader.changesSince("0", 10)
    }))
    await sql`UPDATE rtmanager.lease SET holder = '', epoch = 0`
    await withLease(as.controller, (lease) => lease.acquire("a", 5000))
    await withDatabase(as.controller, (database) => settleInstance(database, undefined))
    await sql`UPDATE rtmanager.schema_functions SET checksum = 'older'`
    await migrate(url)
    await attacker`DELETE FROM rtmanager.games`
    assert.deepStrictEqual([...await sql`SELECT * FROM public.loot`], [])
    assert.lengthOf(await sql`SELECT 1 FROM rtmanager.runtime_records`, 1)
    // The traps do work on who looks there.
    await attacker`SELECT to_json(g) FROM rtmanager.games g`
    assert.deepStrictEqual([...await sql`SELECT * FROM public.loot`], [{ who: "rtm_test_writer", what: "row" }])
    await attacker.end()
  }))

  it("is not seen by any function that others may have run: each has a search path of its own, or is called by one that has", opened(async ({ sql }) => {
    const open = await sql`
      SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'rtmanager' AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
        AND (p.prosecdef OR p.prorettype = 'trigger'::regtype OR has_function_privilege('rtm_writer', p.oid, 'EXECUTE'))`
    assert.deepStrictEqual([...open], [])
    const forAll = await sql`SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'rtmanager' AND has_function_privilege('rtm_writer', p.oid, 'EXECUTE')`
    assert.deepStrictEqual([...forAll], [])
  }))
})

const command = (databaseUrl: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["src/main.ts", ...args], { env: { DATABASE_URL: databaseUrl }, encoding: "utf8" })
  return { status, stdout, stderr }
}

describe("the owner", () => {
  it("of the schema migrates without a right to create anything in the database", withStranger(async ({ sql, stranger }) => {
    await sql.unsafe("CREATE SCHEMA rtmanager AUTHORIZATION rtm_test_owner")
    assert.include(await migrate(stranger), "0001_schema.sql")
    assert.deepStrictEqual(await migrate(stranger), [])
  }))

  it("migrates by a command that says in one line what it did, or what is in the way", withStranger(async ({ sql, stranger, url }) => {
    const refused = command(stranger, "migrate")
    assert.deepStrictEqual([refused.status, refused.stdout], [1, ""])
    assert.match(refused.stderr, /^the database at DATABASE_URL is not up to date: 0001_schema\.sql is to be applied, which role rtm_test_owner may not do \(permission denied for database .*\); the schema's owner can: rtmanager migrate\n$/)
    const done = command(url, "migrate")
    assert.deepStrictEqual([done.status, done.stderr], [0, ""])
    assert.match(done.stdout, /^the database is up to date: applied 0001_schema\.sql, .*functions\/write_record\.sql\n$/)
    assert.strictEqual(command(url, "migrate").stdout, "the database is up to date: nothing to apply\n")
    assert.match(command(stranger, "migrate").stderr, /permission denied for schema rtmanager: its role needs the rights of deploy\/roles\.sql\n$/)
    await sql`INSERT INTO rtmanager.schema_migrations (name, checksum) VALUES ('9999_newer.sql', 'x')`
    assert.strictEqual(command(url, "migrate").stdout, "the database is up to date: nothing to apply; this version is older than the database, which has had 9999_newer.sql\n")
  }))

  it("alone may migrate: the controller's role finds all done, or says who can", opened(async ({ as, sql }) => {
    assert.deepStrictEqual(await upgrade(as.controller), { applied: [], unknown: [] })
    await sql`DELETE FROM rtmanager.schema_functions WHERE name = 'fence.sql'`
    assert.match(await migrate(as.controller).then(() => "", String), /fence\.sql is to be applied, which role rtm_test_controller may not do \(permission denied/)
  }))
})
