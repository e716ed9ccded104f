/** The Docker Engine itself is killed, with all its containers, and started again under the controller. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { modernEngine, privateEngine, removeFolder, stopEngine } from "../../scripts/lib/engines.ts"
import { buildEngineImage } from "../../scripts/lib/images.ts"
import { cache } from "../../scripts/lib/testEnvironment.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

/** The tests' PostgreSQL and Redis are containers of the first engine; theirs is to be left alone. */
const engines = environment.engines.map((engine, index) => ({ ...engine, isFirst: index === 0 }))

describe.each(engines)("after $name was killed and started again", ({ host, isFirst, name }) => {
  const folder = join(environment.folder, isFirst ? "killed" : "e28")
  const start = () => isFirst ? privateEngine(folder, name) : modernEngine(cache, folder)
  const pidFile = join(folder, "docker.pid")
  let world: World
  let controller: ControllerProcess
  beforeAll(async () => {
    world = new World(isFirst ? (await start()).host : host)
    if (isFirst) await buildEngineImage(world.engineHost, [environment.images.game])
    await world.open()
    controller = await world.start()
  })
  afterAll(async () => {
    await world.close()
    if (isFirst) {
      await stopEngine(pidFile)
      removeFolder(folder)
    }
  })

  it("all games that should run are running again, each in one container, nothing told twice", async () => {
    const always = ["boot1", "boot2", "boot3"]
    const onFailure = ["boot4", "boot5"]
    for (const game of always) await world.insertGame(game)
    for (const game of onFailure) await world.insertGame(game, { policy: "on_failure" })
    const never = await world.result(await world.startJob("boot6"))
    for (const game of [...always, ...onFailure]) await world.status(game, "running")
    await stopEngine(pidFile, "SIGKILL")
    await until("not ready", async () => (await controller.readyz()).status === 503)
    await start()
    for (const game of [...always, ...onFailure]) {
      await until(`${game} runs again`, async () => {
        const record = await world.record(game)
        if (record?.status !== "running") return false
        const [container, more] = await world.containers(game)
        return container?.Id === record.current_container_id && container?.State === "running" && more === undefined
      }, 60_000)
      const events = (await world.health(game)).map(({ container_id, event_type, occurred_at_ms }) => `${event_type} ${container_id} ${occurred_at_ms}`)
      assert.lengthOf(new Set(events), events.length)
    }
    assert.deepInclude(await world.status("boot6", "stopped"), { current_container_id: never.container_id })
    assert.strictEqual(controller.process.exitCode, null)
  })
})
