import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { mkdtempSync, readFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { privateEngine, removeFolder, stopEngine } from "../../scripts/lib/engines.ts"
import { buildEngineImage, dockerAt } from "../../scripts/lib/images.ts"
import { type Call, EngineProxy } from "../support/engineProxy.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const resyncs = (controller: ControllerProcess): number => controller.log().match(/"message":"resync"/g)?.length ?? 0
const isCreate = ({ method, path }: Call) => method === "POST" && path.includes("/containers/create")
const isStart = ({ method, path }: Call) => method === "POST" && path.endsWith("/start")

describe.each(environment.engines)("faults before $name", (engine) => {
  const world = new World(engine.host)
  const proxy = new EngineProxy(engine.host)
  let controller: ControllerProcess
  const start = (env: Record<string, string> = {}, ready = true) => world.start({ DOCKER_HOST: proxy.host, ...env }, ready)
  const restart = async (env: Record<string, string> = {}) => {
    await controller.kill("SIGKILL")
    controller = await start({ RTM_LEASE: "1500ms", ...env })
  }
  beforeAll(async () => {
    await world.open()
    await proxy.open()
    controller = await start({ RTM_LEASE: "1500ms" })
  })
  afterAll(async () => {
    await world.close()
    proxy.close()
  })
  beforeEach(() => {
    proxy.fault = () => "pass"
  })
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-60).join("\n"))
  })

  /** One container, one result, one create and one start event, one line in the log: whatever went wrong on the way. */
  const startedOnce = async (gameId: string, job: string) => {
    const result = await world.result(job)
    assert.strictEqual(result.outcome, "success")
    await world.status(gameId, "running")
    const containers = await world.containers(gameId)
    assert.deepStrictEqual(containers.map(({ Id }) => Id), [result.container_id!])
    const seen = await world.docker.getContainer(result.container_id!).inspect()
    assert.isTrue(seen.State.Running)
    const events = await eventsOf(gameId)
    assert.deepStrictEqual(events, ["create", "start"])
    assert.lengthOf(await world.results(job), 1)
    assert.deepStrictEqual((await world.operations(gameId)).map(({ op_kind, outcome }) => `${op_kind} ${outcome}`), ["start success"])
    await until("the event", async () => (await world.health(gameId, "container_started")).length === 1)
  }

  const eventsOf = async (gameId: string): Promise<ReadonlyArray<string>> => {
    const stream = await world.docker.getEvents({
      since: Math.trunc(Date.now() / 1000) - 120, until: Math.trunc(Date.now() / 1000) + 1,
      filters: { type: ["container"], label: [`com.galaxy.game_id=${gameId}`], event: ["create", "start"] }
    }) as unknown as AsyncIterable<Uint8Array>
    let text = ""
    for await (const chunk of stream) text += Buffer.from(chunk).toString()
    return text.trim().split("\n").filter(Boolean).map((line) => (JSON.parse(line) as { Action: string }).Action)
  }

  it.each([["create", isCreate], ["start", isStart]] as const)("starts once when the answer of %s is lost", async (name, matches) => {
    let lost = 0
    proxy.fault = (call) => matches(call) && lost++ === 0 ? "lose" : "pass"
    const job = await world.startJob(`lost-${name}`)
    await startedOnce(`lost-${name}`, job)
    assert.isAtLeast(lost, 1)
  })

  it.each([["create", isCreate], ["start", isStart]] as const)("starts once when the controller is killed right after %s", async (name, matches) => {
    let killed: Promise<void> | undefined
    proxy.fault = (call) => matches(call) && killed === undefined
      ? () => { killed = controller.kill("SIGKILL"); return killed }
      : "pass"
    const job = await world.startJob(`kill-${name}`)
    await until("the kill", () => killed !== undefined)
    await restart()
    await startedOnce(`kill-${name}`, job)
  })

  it("starts once when the controller is killed right after a commit of the start", async () => {
    const listener = postgres(world.databaseUrl, { max: 1, onnotice: () => {} })
    await world.sql.unsafe(`
      CREATE FUNCTION probe() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('probe', TG_TABLE_NAME); RETURN NULL; END $$;
      CREATE TRIGGER probe AFTER INSERT OR UPDATE ON rtmanager.runtime_records FOR EACH STATEMENT EXECUTE FUNCTION probe();
      CREATE TRIGGER probe AFTER INSERT ON rtmanager.jobs FOR EACH STATEMENT EXECUTE FUNCTION probe();
      CREATE TRIGGER probe AFTER DELETE ON rtmanager.outbox FOR EACH STATEMENT EXECUTE FUNCTION probe();`)
    for (const table of ["jobs", "runtime_records", "outbox"]) {
      let killed: Promise<void> | undefined
      const heard = await listener.listen("probe", (found) => {
        if (found === table) killed ??= controller.kill("SIGKILL")
      })
      const gameId = `commit-${table.replace("_", "-")}`
      const job = await world.startJob(gameId)
      await until(`a commit to ${table}`, () => killed !== undefined)
      await killed
      await heard.unlisten()
      await restart()
      // A message that was sent and not struck out comes again, with the same event_id.
      const result = await world.result(job)
      await world.status(gameId, "running")
      assert.strictEqual(result.outcome, "success")
      assert.lengthOf(new Set((await world.results(job)).map(({ event_id }) => event_id)), 1)
      assert.lengthOf(await world.containers(gameId), 1)
      assert.deepStrictEqual(await eventsOf(gameId), ["create", "start"])
      assert.lengthOf(await world.operations(gameId), 1)
    }
    await world.sql.unsafe("DROP FUNCTION probe() CASCADE")
    await listener.end()
  })

  it("disposes nothing when a list wrongly answers []", async () => {
    const job = await world.result(await world.startJob("list1"))
    proxy.fault = ({ path }) => /\/containers\/json/.test(path) ? "empty" : "pass"
    const seen = resyncs(controller)
    await until("three resyncs", () => resyncs(controller) >= seen + 3)
    assert.deepInclude(await world.record("list1"), { status: "running", current_container_id: job.container_id })
    assert.lengthOf(await world.health("list1", "container_disappeared"), 0)
  })

  it.each(["refuse", "hang"] as const)("declares nothing gone while the engine is away (%s), and says so in /readyz", async (fault) => {
    const gameId = `away-${fault}`
    const started = await world.result(await world.startJob(gameId))
    const told = (await world.entries("health_events")).length
    const operations = (await world.operations(gameId)).length
    proxy.fault = () => fault
    proxy.cut()
    const down = await until("not ready", async () => {
      const { body, status } = await controller.readyz()
      return status === 503 && !body.checks.engine!.ok ? body : undefined
    })
    assert.isTrue(down.checks.postgres!.ok)
    const late = await world.startJob(`${gameId}-late`)
    const awayMs = Date.now()
    await until("some time away", () => Date.now() - awayMs > 6000)
    assert.lengthOf(await world.entries("health_events"), told)
    assert.lengthOf(await world.operations(gameId), operations)
    assert.lengthOf(await world.results(late), 0)
    assert.strictEqual((await world.record(gameId))?.current_container_id, started.container_id)
    proxy.fault = () => "pass"
    proxy.cut()
    assert.strictEqual((await world.result(late)).outcome, "success")
    await until("ready again", async () => (await controller.readyz()).status === 200)
    assert.lengthOf(await world.operations(gameId), operations)
  })

  it.each(["refuse", "hang"] as const)("keeps every promise within one resync when the event stream is off (%s)", async (fault) => {
    proxy.fault = ({ path }) => path.includes("/events") ? fault : "pass"
    proxy.cut()
    const gameId = `mute-${fault}`
    const started = await world.result(await world.startJob(gameId))
    await world.docker.getContainer(started.container_id!).remove({ force: true })
    await world.status(gameId, "removed", 5000)
    await until("the event", async () => (await world.health(gameId, "container_disappeared")).length === 1)
    const stop = await world.result(await world.startJob(`${gameId}-2`)).then(() => world.stopJob(`${gameId}-2`))
    assert.strictEqual((await world.result(stop)).outcome, "success")
    proxy.fault = () => "pass"
    proxy.cut()
  })

  it("keeps the pace of the others while one container's every call hangs, and names it in its condition", async () => {
    const stuck = await world.result(await world.startJob("stuck1"))
    proxy.fault = ({ path }) => path.includes(stuck.container_id!) ? "hang" : "pass"
    await world.stopJob("stuck1")
    const startedMs = Date.now()
    const jobs = await Promise.all(Array.from({ length: 8 }, (_, index) => world.startJob(`pace${index}`)))
    for (const job of jobs) assert.strictEqual((await world.result(job)).outcome, "success")
    assert.isBelow(Date.now() - startedMs, 10_000)
    await until("the condition", async () => {
      const record = await world.record("stuck1")
      return record?.conditions.some(({ reason }: { reason: string }) => reason === "ContainerUnresponsive")
    })
    proxy.fault = () => "pass"
    proxy.cut()
  })
})

describe("faults around the controller", () => {
  const engine = environment.engines[0]!
  const world = new World(engine.host)
  const controllers: Array<ControllerProcess> = []
  beforeAll(() => world.open())
  afterAll(() => world.close())
  afterEach(async (context) => {
    if (context.task.result?.state === "fail") console.error(controllers.at(-1)?.log().split("\n").slice(-60).join("\n"))
    for (const controller of controllers.splice(0)) await controller.kill("SIGKILL")
    await world.removeContainers()
  })
  const start = async (env: Record<string, string> = {}) => {
    const controller = await world.start(env)
    controllers.push(controller)
    return controller
  }
  /** One that acts: a killed one before it may still hold its lease for a while. */
  const leading = async (env: Record<string, string> = {}) => {
    const controller = await start(env)
    await until("it acts", async () => (await role(controller)).startsWith("leader"))
    return controller
  }
  const role = async (controller: ControllerProcess) => (await controller.readyz()).body.checks.role!.message

  it("lets others start while eight pulls wait for a registry that never answers, and gives up for lack of progress", async () => {
    const silent: Server = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const { port } = silent.address() as { port: number }
    await start({ RTM_PULL_STALL: "4s", RTM_LEASE: "1500ms" })
    const stuck = await Promise.all(Array.from({ length: 8 }, (_, index) => world.startJob(`pull${index}`, `127.0.0.1:${port}/x${index}:1`)))
    const good = await world.result(await world.startJob("beside1"))
    assert.deepInclude(good, { outcome: "success", error_message: "" })
    assert.lengthOf(await world.results(stuck[0]!), 0)
    for (const job of stuck) assert.deepInclude(await world.result(job), { outcome: "failure", error_code: "image_pull_failed" })
    silent.close()
  })

  it("makes no registry call for an image that is on the host", async () => {
    const { logFile } = environment.registry!
    await start({ RTM_LEASE: "1500ms" })
    const before = readFileSync(logFile, "utf8").length
    await world.result(await world.startJob("local1"))
    assert.strictEqual(readFileSync(logFile, "utf8").length, before)
  })

  it("keeps its pace beside 40 crash-looping games", async () => {
    await start({ RTM_LEASE: "1500ms" })
    for (let index = 0; index < 40; index++) await world.insertGame(`loop${index}`, { spec: { command: ["/bin/false"] } })
    await until("all have crashed", async () => {
      const [row] = await world.sql`SELECT count(DISTINCT game_id)::int AS n FROM rtmanager.operation_log WHERE game_id LIKE 'loop%' AND op_kind = 'reconcile_restart'`
      return row?.n === 40
    }, 60_000)
    const startedMs = Date.now()
    assert.strictEqual((await world.result(await world.startJob("beside2"))).outcome, "success")
    assert.isBelow(Date.now() - startedMs, 5000)
    await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id LIKE 'loop%'`
    await until("all are removed", async () => {
      const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE 'loop%' AND status = 'removed'`
      return row?.n === 40
    }, 90_000)
  })

  it.each([["killed", 10_000], ["stopped in order", 1500]] as const)("hands over to a standby when it is %s", async (how, withinMs) => {
    const first = await leading()
    const second = await start()
    assert.strictEqual(await role(second), "standby")
    const running = await world.result(await world.startJob(`hand-${withinMs}`))
    await first.kill(how === "killed" ? "SIGKILL" : "SIGTERM")
    const sinceMs = Date.now()
    await until("the takeover", async () => (await role(second)).startsWith("leader"), withinMs)
    assert.isBelow(Date.now() - sinceMs, withinMs)
    assert.strictEqual((await world.result(await world.startJob(`hand-${withinMs}-2`))).outcome, "success")
    assert.lengthOf(await world.health(`hand-${withinMs}`), 1)
    assert.isTrue((await world.docker.getContainer(running.container_id!).inspect()).State.Running)
  })

  it("touches nothing any more once it thaws after a takeover", async () => {
    const proxy = new EngineProxy(engine.host)
    await proxy.open()
    const frozen = await leading({ DOCKER_HOST: proxy.host, RTM_LEASE: "2s" })
    await world.result(await world.startJob("thaw1"))
    frozen.process.kill("SIGSTOP")
    const second = await start({ RTM_LEASE: "2s" })
    await until("the takeover", async () => (await role(second)).startsWith("leader"), 10_000)
    for (let index = 2; index < 6; index++) await world.insertGame(`thaw${index}`)
    const before = proxy.calls.filter(({ mutates }) => mutates).length
    frozen.process.kill("SIGCONT")
    for (let index = 2; index < 6; index++) await world.status(`thaw${index}`, "running")
    await until("it knows that it stands by", async () => (await role(frozen)) === "standby")
    assert.strictEqual(proxy.calls.filter(({ mutates }) => mutates).length, before)
    for (let index = 1; index < 6; index++) assert.lengthOf(await world.operations(`thaw${index}`), 1)
    await frozen.kill("SIGKILL")
    proxy.close()
  })

  it.each([["PostgreSQL", environment.postgresContainer], ["Redis", environment.redisContainer]] as const)("resumes by itself within 10 s after %s was killed and started again", async (name, container) => {
    const controller = await leading()
    const gameId = `again-${name.toLowerCase()}`
    const running = await world.result(await world.startJob(gameId))
    await world.docker.getContainer(container).kill()
    await until("not ready", async () => (await controller.readyz()).status === 503)
    await world.docker.getContainer(running.container_id!).kill()
    await world.docker.getContainer(container).start()
    const backMs = Date.now()
    await until("ready again", async () => (await controller.readyz()).status === 200, 10_000)
    await world.status(gameId, "stopped", 10_000)
    const result = await until("a new job", async () => world.result(await world.startJob(`${gameId}-2`), 10_000), 15_000)
    assert.strictEqual(result.outcome, "success")
    assert.isBelow(Date.now() - backMs, 15_000)
    assert.strictEqual(controller.process.exitCode, null)
  })

  it("has all games running again after the engine itself was killed and restarted, nothing told twice", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rtm-engine-"))
    const own = await privateEngine(folder, "docker-own")
    const other = new World(own.host)
    try {
      await buildEngineImage(own.host, [environment.images.game])
      await other.open()
      const controller = await other.start()
      for (let index = 0; index < 5; index++) await other.insertGame(`boot${index}`)
      for (let index = 0; index < 5; index++) await other.status(`boot${index}`, "running")
      await stopEngine(own.pidFile, "SIGKILL")
      await until("not ready", async () => (await controller.readyz()).status === 503)
      await privateEngine(folder, "docker-own")
      for (let index = 0; index < 5; index++) {
        await until(`boot${index} runs again`, async () => {
          const record = await other.record(`boot${index}`)
          if (record?.status !== "running") return false
          const seen = await dockerAt(own.host).getContainer(record.current_container_id).inspect()
          return seen.State.Running && (await other.containers(`boot${index}`)).length === 1
        }, 60_000)
        const events = (await other.health(`boot${index}`)).map(({ container_id, event_type, occurred_at_ms }) => `${event_type} ${container_id} ${occurred_at_ms}`)
        assert.lengthOf(new Set(events), events.length)
      }
      assert.strictEqual(controller.process.exitCode, null)
    } finally {
      await other.close()
      await stopEngine(own.pidFile)
      removeFolder(folder)
    }
  })
})
