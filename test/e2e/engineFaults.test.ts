import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import postgres from "postgres"
import { type Call, EngineProxy } from "../support/engineProxy.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const resyncs = (controller: ControllerProcess): number => controller.log().match(/"message":"resync"/g)?.length ?? 0
const isCreate = ({ method, path }: Call) => method === "POST" && path.includes("/containers/create")
const isStart = ({ method, path }: Call) => method === "POST" && path.endsWith("/start")
const isNetwork = ({ method, path }: Call) => method === "POST" && path.includes("/networks/create")
const isPull = ({ method, path }: Call) => method === "POST" && path.includes("/images/create")

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

  const image = environment.images.gameNext
  const networks = async () => (await world.docker.listNetworks()).filter(({ Name }) => Name === world.network)
  /** Each mutating call of a start, and what it takes for a start to need it. */
  const calls = [
    ["network create", isNetwork, async () => {
      await world.removeContainers()
      for (const { Id } of await networks()) await world.docker.getNetwork(Id).remove()
      // It remembers its network.
      await restart()
    }],
    ["pull", isPull, async () => {
      await world.removeContainers()
      await world.docker.getImage(image).remove({ force: true })
    }],
    ["create", isCreate, async () => {}],
    ["start", isStart, async () => {}]
  ] as const

  it.each(calls)("starts once when the answer of %s is lost", async (name, matches, prepare) => {
    await prepare()
    let lost = 0
    proxy.fault = (call) => matches(call) && lost++ === 0 ? "lose" : "pass"
    const gameId = `lost-${name.replace(" ", "-")}`
    await startedOnce(gameId, await world.startJob(gameId, image))
    assert.isAtLeast(lost, 1)
    assert.lengthOf(await networks(), 1)
  })

  it.each(calls)("starts once when the controller is killed right after %s", async (name, matches, prepare) => {
    await prepare()
    let killed: Promise<void> | undefined
    proxy.fault = (call) => matches(call) && killed === undefined
      ? () => { killed = controller.kill("SIGKILL"); return killed }
      : "pass"
    const gameId = `kill-${name.replace(" ", "-")}`
    const job = await world.startJob(gameId, image)
    await until("the kill", () => killed !== undefined)
    await restart()
    await startedOnce(gameId, job)
    assert.lengthOf(await networks(), 1)
  })

  it.each([
    ["pruned", async () => { await world.docker.pruneNetworks() }],
    ["removed", async () => { await world.docker.getNetwork(world.network).remove() }],
    ["made anew by somebody", async () => {
      await world.docker.getNetwork(world.network).remove()
      await world.docker.createNetwork({ Name: world.network })
    }]
  ] as const)("starts a new game at once when its network was %s between two games", async (name, change) => {
    await world.sql`UPDATE rtmanager.games SET state = 'stopped' WHERE state = 'running'`
    await until("nothing runs", async () => (await world.sql`SELECT 1 FROM rtmanager.runtime_records WHERE status = 'running'`).length === 0)
    const gameId = `net-${name.split(" ")[0]}`
    assert.deepInclude(await world.result(await world.startJob(`${gameId}-before`)), { outcome: "success" })
    await world.result(await world.stopJob(`${gameId}-before`))
    await change()
    const job = await world.startJob(gameId)
    assert.deepInclude(await world.result(job), { outcome: "success", error_message: "" })
    assert.deepStrictEqual((await world.operations(gameId)).map(({ op_kind, outcome }) => `${op_kind} ${outcome}`), ["start success"])
    assert.lengthOf(await networks(), 1)
    assert.lengthOf(await world.containers(gameId), 1)
  })

  /** Three games by row that cannot start, and one by job: all are told the engine's own words, and all start when it lets them. */
  const refusesStarts = async (name: string, words: RegExp, end: () => Promise<void>) => {
    const games = [1, 2, 3].map((index) => `${name}${index}`)
    for (const gameId of games) await world.insertGame(gameId)
    const result = await world.result(await world.startJob(`${name}4`))
    assert.deepInclude(result, { outcome: "failure", error_code: "container_start_failed", container_id: "" })
    assert.match(result.error_message!, words)
    for (const gameId of games) {
      const record = await until(`${gameId} says why`, async () => {
        const found = await world.record(gameId)
        return found?.last_error_message ? found : undefined
      })
      assert.match(record.conditions.find(({ type }: { type: string }) => type === "Ready").message, words)
    }
    const { body } = await until("it is not ready", async () => {
      const answer = await controller.readyz()
      return answer.status === 503 ? answer : undefined
    })
    assert.match(body.checks.engine_changes!.message, words)
    await end()
    for (const gameId of games) await world.status(gameId, "running", 60_000)
    await until("it is ready", async () => (await controller.readyz()).status === 200)
    await world.sql`UPDATE rtmanager.games SET state = 'stopped' WHERE state = 'running'`
  }

  it("tells a refusal of changes by a proxy where people look, and goes on", () => {
    proxy.fault = ({ mutates }) => mutates ? "forbid" : "pass"
    return refusesStarts("forbid", /only reads are permitted/, async () => {
      proxy.fault = () => "pass"
    })
  })

  /** Takes all that the engine gives networks from, in pieces as large as what is in use lets them be. */
  const takeAddressPools = async () => {
    const taken: Array<{ remove: () => Promise<unknown> }> = []
    const take = async (address: number, prefix: number, smallest: number): Promise<void> => {
      const octets = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")
      const made = await world.docker.createNetwork({
        Name: `${world.name}-pool${taken.length}`, IPAM: { Config: [{ Subnet: `${octets}/${prefix}` }] }
      } as never).catch(() => undefined)
      if (made !== undefined) taken.push(made)
      else if (prefix < smallest) {
        await take(address, prefix + 1, smallest)
        await take(address + 2 ** (31 - prefix), prefix + 1, smallest)
      }
    }
    const { DefaultAddressPools } = await world.docker.info() as { DefaultAddressPools: ReadonlyArray<{ Base: string; Size: number }> }
    for (const { Base, Size } of DefaultAddressPools) {
      const [base, prefix] = Base.split("/") as [string, string]
      await take(base.split(".").reduce((value, octet) => value * 256 + Number(octet), 0), Number(prefix), Size)
    }
    return taken
  }

  it("tells that no address is left for its network where people look, and goes on", async () => {
    await world.removeContainers()
    for (const { Id } of await networks()) await world.docker.getNetwork(Id).remove()
    await restart()
    const taken = await takeAddressPools()
    await refusesStarts("pool", /address pool/, async () => {
      for (const network of taken) await network.remove()
    })
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

  it.each(["refuse", "hang", "mute"] as const)("keeps every promise within one resync when the event stream is off, or open and silent (%s)", async (fault) => {
    proxy.fault = ({ path }) => path.includes("/events") ? fault : "pass"
    proxy.cut()
    const gone = await world.result(await world.startJob(`${fault}-gone`))
    await world.docker.getContainer(gone.container_id!).remove({ force: true })
    await world.status(`${fault}-gone`, "removed", 5000)
    await until("it is told", async () => (await world.health(`${fault}-gone`, "container_disappeared")).length === 1)

    await world.insertGame(`${fault}-dies`)
    const dies = await world.status(`${fault}-dies`, "running")
    await world.docker.getContainer(dies.current_container_id).kill()
    await until("its end is told", async () => (await world.health(`${fault}-dies`, "container_exited")).length === 1, 5000)
    await until("it is restarted", async () => (await world.operations(`${fault}-dies`, "reconcile_restart")).length === 1, 5000)

    const id = await world.runByHand(`${fault}-hand`)
    assert.strictEqual((await world.status(`${fault}-hand`, "running", 5000)).current_container_id, id)
    const stop = await world.stopJob(`${fault}-hand`)
    assert.deepInclude(await world.result(stop), { outcome: "success", error_code: "" })
    await world.status(`${fault}-hand`, "stopped")
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
