/** What an engine cannot or will not do, and what is told when the controller dies right after a signal was sent. */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { type Call, EngineProxy, forbidden } from "../support/engineProxy.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, type Fields, World } from "../support/world.ts"

const isKill = ({ method, path }: Call) => method === "POST" && path.includes("/kill")
const command = (script: string) => ({ command: ["/bin/sh", "-c", script] })
/** Takes a second to end: whoever dies meanwhile cannot have heard of it. */
const slow = command("trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done")

describe.each(environment.engines)("refusals of $name", (engine) => {
  const world = new World(engine.host)
  const proxy = new EngineProxy(engine.host)
  let controller: ControllerProcess
  const start = (env: Record<string, string> = {}) => world.start({ DOCKER_HOST: proxy.host, RTM_LEASE: "1500ms", ...env })
  beforeAll(async () => {
    await world.open()
    await proxy.open()
    controller = await start()
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

  const intents = async (gameId: string) => (await world.told("intents")).filter(({ payload_json }) => payload_json!.includes(`"${gameId}"`))
  const log = async (gameId: string) => (await world.operations(gameId)).map(({ error_code, op_kind, outcome }) => [op_kind, outcome, error_code ?? ""].join(" ").trim())
  const progress = async (gameId: string) =>
    (await world.record(gameId))?.conditions.find(({ type }: { type: string }) => type === "Progressing") as Fields | undefined
  const resyncs = () => controller.log().match(/"message":"resync"/g)?.length ?? 0
  /** What one asks for is done by the next. */
  const twoResyncs = async () => {
    const seen = resyncs()
    await until("two more resyncs", () => resyncs() >= seen + 2)
  }
  const failedStart = { outcome: "failure", job_kind: "start", error_code: "container_start_failed", container_id: "", engine_endpoint: "" }

  describe.each([
    ["does not exist", "missing", "/no/such/program", 127], ["is not executable", "noexec", "/etc/hostname", 126]
  ] as const)("a program that %s", (_what, name, program, code) => {
    it("fails its start job once, under never", async () => {
      const gameId = `${name}-never`
      const job = await world.startJob(gameId, environment.images.game, { spec: JSON.stringify({ command: [program] }) })
      const result = await world.result(job)
      assert.deepInclude(result, failedStart)
      assert.include(result.error_message, String(code))
      assert.deepInclude(await world.record(gameId), { status: "stopped", last_error_code: "container_start_failed", next_restart_at: null })
      await until("nothing is left of it", async () => (await world.containers(gameId)).length === 0)
      await twoResyncs()
      assert.deepStrictEqual(await log(gameId), ["start failure container_start_failed"])
      assert.deepStrictEqual(await world.health(gameId), [])
      assert.lengthOf(await world.results(job), 1)
      const [intent, ...more] = await intents(gameId)
      assert.deepStrictEqual([intent?.notification_type, more], ["runtime.container_start_failed", []])
      assert.lengthOf(await world.containers(gameId), 0)
    })

    it("is tried again under always, with back-off, and told once", async () => {
      const gameId = `${name}-always`
      const job = await world.startJob(gameId, environment.images.game, { restart_policy: "always", spec: JSON.stringify({ command: [program] }) })
      assert.deepInclude(await world.result(job), failedStart)
      const tries = await until("three tries", async () => {
        const found = await world.operations(gameId)
        return found.length >= 3 ? found : undefined
      })
      for (const [index, waitMs] of [1000, 2000].entries()) {
        assert.isAtLeast(tries[index + 1]!.started_at - tries[index]!.finished_at, waitMs - 50)
      }
      assert.deepStrictEqual(new Set(await log(gameId)), new Set(["start failure container_start_failed"]))
      assert.lengthOf(await intents(gameId), 1)
      assert.lengthOf(await world.results(job), 1)
      assert.deepStrictEqual(await world.health(gameId), [])
      assert.strictEqual((await progress(gameId))?.reason, "CrashLoopBackOff")
      await world.sql`UPDATE rtmanager.games SET spec = '{}' WHERE game_id = ${gameId}`
      await world.status(gameId, "running")
      assert.lengthOf(await world.containers(gameId), 1)
    })
  })

  it("takes a program that ran and ended with 127 for one that was started", async () => {
    const job = await world.startJob("ran127", environment.images.game, { spec: JSON.stringify(command("sleep 2; exit 127")) })
    const result = await world.result(job)
    assert.deepInclude(result, { outcome: "success", error_code: "" })
    const exited = await until("its end", async () => (await world.health("ran127", "container_exited"))[0])
    assert.deepInclude(exited, { container_id: result.container_id! })
    assert.deepStrictEqual(JSON.parse(exited.details!), { exit_code: 127, expected: false })
    assert.deepInclude(await world.status("ran127", "stopped"), { exit_code: 127, last_error_code: null })
    assert.deepStrictEqual([await log("ran127"), await intents("ran127")], [["start success"], []])
  })

  it("tells a stop that the engine forbids, touches nothing, and stops the game when it may", async () => {
    // Each resync tries a pending job at once: what is told when counts tries, so they must come as they do by default.
    await controller.kill("SIGTERM")
    controller = await start({ RTM_RECONCILE_INTERVAL: "30s" })
    const running = await world.result(await world.startJob("forbid-stop"))
    proxy.fault = ({ mutates }) => mutates ? "forbid" : "pass"
    const sentMs = Date.now()
    const job = await world.stopJob("forbid-stop")
    const result = await world.result(job)
    assert.deepInclude(result, { outcome: "failure", error_code: "service_unavailable", container_id: "" })
    assert.include(result.error_message, forbidden)
    const tookMs = Date.now() - sentMs
    assert.isTrue(tookMs > 3000 && tookMs < 12_000, String(tookMs))
    assert.deepInclude(await progress("forbid-stop"), { status: "True", reason: "EngineRefuses", message: `Signal: ${forbidden}` })
    assert.strictEqual((await world.record("forbid-stop"))?.status, "running")
    assert.isTrue((await world.docker.getContainer(running.container_id!).inspect()).State.Running)
    proxy.fault = () => "pass"
    const record = await world.status("forbid-stop", "stopped", 40_000)
    assert.deepInclude(record, { refused: null, exit_code: 0 })
    assert.deepInclude(await progress("forbid-stop"), { status: "False", reason: "Settled" })
    assert.lengthOf(await world.results(job), 1)
    const [exited] = await until("its end is told", async () => {
      const found = await world.health("forbid-stop", "container_exited")
      return found.length > 0 ? found : undefined
    })
    assert.deepStrictEqual(JSON.parse(exited!.details!), { exit_code: 0, expected: true, because: "row" })
    await controller.kill("SIGTERM")
    controller = await start()
  })

  it("fails a start job that the engine forbids, and goes on trying as its policy says", async () => {
    proxy.fault = ({ mutates }) => mutates ? "forbid" : "pass"
    const job = await world.startJob("forbid-start", environment.images.game, { restart_policy: "always" })
    const result = await world.result(job)
    assert.deepInclude(result, failedStart)
    assert.include(result.error_message, forbidden)
    assert.strictEqual((await progress("forbid-start"))?.reason, "BackOff")
    assert.lengthOf(await world.containers("forbid-start"), 0)
    proxy.fault = () => "pass"
    const record = await world.status("forbid-start", "running", 40_000)
    assert.deepInclude(record, { last_error_code: null, refused: null })
    assert.lengthOf(await world.results(job), 1)
    assert.strictEqual((await log("forbid-start")).at(-1), "start success")
  })

  /** The engine has sent the signal, and nobody hears that it has. */
  const killedAtSignal = async (begin: () => Promise<unknown>) => {
    let killed: Promise<void> | undefined
    proxy.fault = (call) => isKill(call) ? () => (killed ??= controller.kill("SIGKILL")) : "pass"
    await begin()
    await until("the signal", () => killed !== undefined)
    await killed
    proxy.fault = () => "pass"
  }
  const endOf = async (gameId: string) => {
    const exited = await until("its end is told", async () => (await world.health(gameId, "container_exited"))[0])
    return JSON.parse(exited.details!) as unknown
  }

  it("tells a stop as asked for when the controller was killed right after its signal", async () => {
    await world.insertGame("intent-row", { spec: slow })
    const before = await world.status("intent-row", "running")
    await killedAtSignal(() => world.sql`UPDATE rtmanager.games SET state = 'stopped' WHERE game_id = 'intent-row'`)
    const meanwhile = await world.record("intent-row")
    assert.deepInclude(meanwhile, { status: "running", current_container_id: before.current_container_id, rollout: null })
    assert.deepInclude(meanwhile?.stopping, { because: "row", signalled_at: null })
    controller = await start()
    assert.deepStrictEqual(await endOf("intent-row"), { exit_code: 0, expected: true, because: "row" })
    assert.deepInclude(await world.status("intent-row", "stopped"), { next_restart_at: null, restart_count: 0, stopping: null })
    await twoResyncs()
    assert.lengthOf(await world.health("intent-row", "container_exited"), 1)
    assert.deepStrictEqual(await log("intent-row"), ["start success", "stop success"])
  })

  it("goes on with an exchange without a back-off when the controller was killed right after its signal", async () => {
    await world.insertGame("intent-swap", { spec: slow })
    const before = await world.status("intent-swap", "running")
    await killedAtSignal(() => world.sql`UPDATE rtmanager.games SET image_ref = ${environment.images.gameNext} WHERE game_id = 'intent-swap'`)
    const meanwhile = await world.record("intent-swap")
    assert.deepInclude(meanwhile?.stopping, { because: "exchange", signalled_at: null })
    assert.deepInclude(meanwhile?.rollout, { phase: "stopping" })
    controller = await start()
    assert.deepStrictEqual(await endOf("intent-swap"), { exit_code: 0, expected: true, because: "exchange" })
    const after = await until("the new image", async () => {
      const record = await world.record("intent-swap")
      return record?.status === "running" && record.current_image_ref === environment.images.gameNext ? record : undefined
    })
    assert.notStrictEqual(after.current_container_id, before.current_container_id)
    assert.deepInclude(after, { next_restart_at: null, restart_count: 0, stopping: null, rollout: null })
    assert.lengthOf(await world.health("intent-swap", "container_exited"), 1)
    assert.deepStrictEqual(await log("intent-swap"), ["start success", "reconcile_recreate success"])
    assert.lengthOf(await world.containers("intent-swap"), 1)
  })
})
