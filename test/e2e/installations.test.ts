/** Several installations on one engine: each is blind for the others' games, whatever its rows say. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { setTimeout as sleep } from "node:timers/promises"
import postgres from "postgres"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const databaseOf = ({ databaseUrl }: World) => new URL(databaseUrl).pathname.slice(1)

/** `to` gets what is in the database of `from`, whose controllers have ended. */
const copyDatabase = async (from: World, to: World) => {
  const admin = postgres(environment.databaseUrl, { max: 1, onnotice: () => {} })
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${databaseOf(from)}, ${databaseOf(to)})`
  await admin.unsafe(`DROP DATABASE IF EXISTS ${databaseOf(to)} WITH (FORCE)`)
  await admin.unsafe(`CREATE DATABASE ${databaseOf(to)} TEMPLATE ${databaseOf(from)}`)
  await admin.end()
}

describe.each(environment.engines)("two installations on $name", (engine) => {
  const production = new World(engine.host)
  const staging = new World(engine.host)
  const controllers: Array<ControllerProcess> = []
  beforeAll(async () => {
    await production.open()
    await staging.open()
  })
  afterEach(async (context) => {
    for (const controller of controllers.splice(0)) {
      if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-40).join("\n"))
      await controller.kill("SIGKILL")
    }
    await production.removeContainers()
  })
  afterAll(async () => {
    await staging.close()
    await production.close()
  })
  const start = async (world: World, env: Record<string, string> = {}, ready = true) => {
    const controller = await world.start(env, ready)
    controllers.push(controller)
    return controller
  }
  const runs = async (gameId: string) => {
    const containers = await production.containers(gameId)
    assert.lengthOf(containers, 1)
    const { Id, State } = await production.docker.getContainer(containers[0]!.Id).inspect()
    return `${Id} ${State.Running} ${State.StartedAt}`
  }
  const instanceOf = async ({ sql }: World): Promise<string> => (await sql`SELECT id FROM rtmanager.instance`)[0]!.id
  /** A game of production, and a copy of the database that says that it runs. */
  const copied = async (gameId: string) => {
    const first = await start(production)
    await production.insertGame(gameId)
    await production.status(gameId, "running")
    await first.kill("SIGTERM")
    await copyDatabase(production, staging)
    return runs(gameId)
  }

  it("touch none of each other's games in 15 seconds, whatever the rows of either say, and say what they leave alone", async () => {
    await start(production)
    for (const gameId of ["own1", "both1"]) await production.insertGame(gameId)
    for (const gameId of ["own1", "both1"]) await production.status(gameId, "running")
    const before = [await runs("own1"), await runs("both1")]
    const second = await start(staging)
    const sinceMs = Date.now()
    await staging.insertGame("own2")
    await staging.insertGame("both1")
    const refused = await until("the held name is told", async () => {
      const record = await staging.record("both1")
      return record?.last_error_code ? record : undefined
    })
    const id = await instanceOf(production)
    assert.match(refused.last_error_message, new RegExp(`the name galaxy-game-both1 is held by container \\w+ \\(running, of another installation, ${id}\\)`))
    await staging.status("own2", "running")
    await staging.sql`DELETE FROM rtmanager.games WHERE game_id = 'both1'`
    await staging.status("both1", "removed")
    await until("15 seconds have passed", () => Date.now() - sinceMs > 15_000)
    assert.deepStrictEqual([await runs("own1"), await runs("both1")], before)
    for (const gameId of ["own1", "both1"]) assert.lengthOf(await production.operations(gameId), 1)
    assert.isUndefined(await staging.record("own1"))
    assert.isUndefined(await production.record("own2"))
    assert.lengthOf(second.log().match(/2 containers of other installations are on this engine: galaxy-game-both1/g) ?? [], 1)
  })

  it("a copy of the database acts on nothing and says why on /readyz, until a person's word lets it go on", async () => {
    const before = await copied("copied1")
    const copy = await start(staging, {}, false)
    const { body, status } = await until("it says why", async () => {
      const answer = await copy.readyz()
      return answer.body.checks.instance!.message.includes("copy") ? answer : undefined
    })
    assert.deepStrictEqual({ status, ok: body.checks.instance!.ok }, { status: 503, ok: false })
    await staging.sql`DELETE FROM rtmanager.games WHERE game_id = 'copied1'`
    await sleep(3000)
    assert.strictEqual(await runs("copied1"), before)
    assert.deepInclude(await staging.record("copied1"), { status: "running" })
    assert.strictEqual((await staging.sql`SELECT holder FROM rtmanager.lease`)[0]!.holder, "")
    await staging.sql`UPDATE rtmanager.instance SET system_identifier = NULL, database_oid = NULL, timeline = NULL, halted = NULL`
    await staging.status("copied1", "removed")
    assert.lengthOf(await production.containers("copied1"), 0)
    assert.strictEqual(await instanceOf(staging), await instanceOf(production))
    await until("it is ready", async () => (await copy.readyz()).status === 200)
  })

  it("a copy of the database that is an installation of its own by a person's word leaves the original's games alone", async () => {
    const before = await copied("copied2")
    await start(production)
    await start(staging, { RTM_INSTANCE: "new" })
    assert.notStrictEqual(await instanceOf(staging), await instanceOf(production))
    await until("it says that nothing is known of the game", async () => (await staging.record("copied2"))?.conditions
      .some(({ reason, status }: { reason: string; status: string }) => status === "Unknown" && reason === "AnotherInstance"))
    await staging.sql`DELETE FROM rtmanager.games WHERE game_id = 'copied2'`
    await staging.status("copied2", "removed")
    await sleep(2000)
    assert.strictEqual(await runs("copied2"), before)
    assert.deepInclude(await production.record("copied2"), { status: "running" })
    assert.lengthOf(await production.operations("copied2"), 1)
  })

  it("a promoted replica acts until the engine shows that the former primary's controller is alive, then on nothing, until a person's word", async () => {
    const controller = await start(production)
    const instance = async () => (await controller.readyz()).body.checks.instance!
    // As if what is here was a replica of what there was.
    await production.sql`UPDATE rtmanager.instance SET timeline = 0`
    await production.insertGame("promoted1")
    await production.status("promoted1", "running")
    const [before, id] = [await runs("promoted1"), await instanceOf(production)]
    await production.runByHand("rival1", {
      labels: {
        "com.galaxy.owner": "rtmanager", "com.galaxy.kind": "game-engine", "com.galaxy.game_id": "rival1", "com.galaxy.started_at_ms": String(Date.now()),
        "com.galaxy.engine_image_ref": environment.images.game, "com.galaxy.instance": id, "com.galaxy.epoch": "1000000"
      }
    })
    const told = await until("it says why", async () => ((found) => found.ok ? undefined : found)(await instance()))
    assert.match(told.message, /^another controller of this installation is alive: container galaxy-game-rival1-manual \(\w+\) was made in epoch 1000000/)
    await production.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id = 'promoted1'`
    await sleep(3000)
    assert.strictEqual(await runs("promoted1"), before)
    await production.sql`UPDATE rtmanager.instance SET timeline = NULL, halted = NULL`
    await production.status("promoted1", "removed")
    const beside = await until("it acts beside the other one, and says so", async () => ((found) => found.message.includes("copy") ? found : undefined)(await instance()))
    assert.deepStrictEqual([beside.ok, beside.message.split(":")[0]], [true, `${id}; a controller acts with a copy of this database`])
  })
})
