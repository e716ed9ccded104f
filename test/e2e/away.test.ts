/** The engine away for a minute, by turns silent and refusing; both engines at once, for it is the same minute. */
import { assert, describe, it } from "@effect/vitest"
import { EngineProxy } from "../support/engineProxy.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const minuteMs = 60_000

const turnMs = 15_000

describe("an engine that is away for a minute", () => {
  it.concurrent.each(environment.engines)("has nothing declared gone and nothing told, and a full list decides on its return ($name)", async ({ host }) => {
    const world = new World(host)
    const proxy = new EngineProxy(host)
    await world.open()
    await proxy.open()
    try {
      const controller = await world.start({ DOCKER_HOST: proxy.host })
      await scene(world, proxy, controller)
    } finally {
      await world.close()
      proxy.close()
    }
  })
})

const scene = async (world: World, proxy: EngineProxy, controller: ControllerProcess): Promise<void> => {
  const stays = await world.result(await world.startJob("stays"))
  await world.insertGame("goes")
  const goes = await world.status("goes", "running")
  await until("all starts are told", async () => (await world.entries("health_events")).length === 2)
  const sinceMs = Date.now()
  const turn = () => Math.trunc((Date.now() - sinceMs) / turnMs)
  proxy.fault = () => turn() % 2 === 0 ? "hang" : "refuse"
  proxy.cut()
  const down = await until("not ready", async () => {
    const { body, status } = await controller.readyz()
    return status === 503 && !body.checks.engine!.ok ? body : undefined
  })
  assert.isTrue(down.checks.postgres!.ok && down.checks.redis!.ok)
  // Behind its back, with nobody to tell it.
  await world.docker.getContainer(goes.current_container_id).remove({ force: true })
  const late = await world.startJob("late")
  await until("a minute has passed", () => Date.now() - sinceMs > minuteMs, 2 * minuteMs, 200)
  assert.lengthOf(await world.entries("health_events"), 2)
  for (const game of ["stays", "goes"]) assert.lengthOf(await world.operations(game), 1)
  assert.lengthOf(await world.results(late), 0)
  assert.deepInclude(await world.record("goes"), { status: "running", current_container_id: goes.current_container_id })

  proxy.fault = () => "pass"
  proxy.cut()
  assert.strictEqual((await world.result(late)).outcome, "success")
  await until("the one that went is told", async () => (await world.health("goes", "container_disappeared")).length === 1)
  await until("and made anew", async () => {
    const record = await world.record("goes")
    return record?.status === "running" && record.current_container_id !== goes.current_container_id
  })
  await until("ready again", async () => (await controller.readyz()).status === 200)
  assert.lengthOf(await world.operations("stays"), 1)
  assert.isTrue((await world.docker.getContainer(stays.container_id!).inspect()).State.Running)
  assert.strictEqual(controller.process.exitCode, null)
}
