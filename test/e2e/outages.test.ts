/** The controller's own death and its services' outages. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { EngineProxy } from "../support/engineProxy.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

describe.each(environment.engines)("on $name", (engine) => {
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
  const role = async (controller: ControllerProcess) => (await controller.readyz()).body.checks.role!.message
  const acts = (controller: ControllerProcess, withinMs = 30_000) =>
    until("it acts", async () => (await role(controller)).startsWith("leader"), withinMs)
  /** One that acts: a killed one before it may still hold its lease for a while. */
  const leading = async (env: Record<string, string> = {}) => {
    const controller = await start(env)
    await acts(controller)
    return controller
  }

  it.each([["killed", "SIGKILL", 10_000], ["stopped in order", "SIGTERM", 1000]] as const)("a standby takes over when the acting controller is %s, and touches no running game", async (name, signal, withinMs) => {
    const first = await leading()
    const second = await start()
    await until("it stands by", async () => /^standby of \S+, renewed \d+ s ago$/.test(await role(second)))
    assert.strictEqual((await second.readyz()).status, 200)
    assert.strictEqual((await fetch(`http://127.0.0.1:${second.httpPort}/healthz`)).status, 200)
    const gameId = `hand-${name.replaceAll(" ", "-")}`
    const running = await world.result(await world.startJob(gameId))
    await first.kill(signal)
    const sinceMs = Date.now()
    await acts(second, withinMs)
    assert.isBelow(Date.now() - sinceMs, withinMs)
    assert.strictEqual((await world.result(await world.startJob(`${gameId}-2`))).outcome, "success")
    assert.lengthOf(await world.health(gameId), 1)
    assert.isTrue((await world.docker.getContainer(running.container_id!).inspect()).State.Running)
  })

  it("a frozen controller touches nothing any more once it thaws after a takeover", async () => {
    const proxy = new EngineProxy(engine.host)
    await proxy.open()
    const frozen = await leading({ DOCKER_HOST: proxy.host })
    await world.result(await world.startJob("thaw1"))
    const second = await start()
    frozen.process.kill("SIGSTOP")
    await acts(second, 10_000)
    for (let index = 2; index < 6; index++) await world.insertGame(`thaw${index}`)
    const before = proxy.calls.filter(({ mutates }) => mutates).length
    frozen.process.kill("SIGCONT")
    for (let index = 2; index < 6; index++) await world.status(`thaw${index}`, "running")
    await until("it knows that it stands by", async () => (await role(frozen)).startsWith("standby of"))
    assert.strictEqual(proxy.calls.filter(({ mutates }) => mutates).length, before)
    for (let index = 1; index < 6; index++) assert.lengthOf(await world.operations(`thaw${index}`), 1)
    await frozen.kill("SIGKILL")
    proxy.close()
  })

  it.each([["PostgreSQL", environment.postgresContainer], ["Redis", environment.redisContainer]] as const)("it resumes by itself within 10 s after %s was killed and started again", async (name, container) => {
    const controller = await leading()
    const services = new World(environment.engines[0]!.host).docker.getContainer(container)
    const gameId = `again-${name.toLowerCase()}`
    const running = await world.result(await world.startJob(gameId))
    await services.kill()
    await until("not ready", async () => (await controller.readyz()).status === 503)
    await world.docker.getContainer(running.container_id!).kill()
    await services.start()
    const backMs = Date.now()
    const job = await until("a new job", () => world.startJob(`${gameId}-2`).catch(() => undefined), 10_000)
    assert.strictEqual((await world.result(job)).outcome, "success")
    await world.status(gameId, "stopped")
    await until("ready again", async () => (await controller.readyz()).status === 200)
    assert.isBelow(Date.now() - backMs, 10_000)
    assert.strictEqual(controller.process.exitCode, null)
  })
})
