/** The Docker Engine itself is killed, or loses its power with all its containers, and is started again under the controller. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { cutPower, modernEngine, privateEngine, removeFolder, stopEngine } from "../../scripts/lib/engines.ts"
import { buildEngineImage } from "../../scripts/lib/images.ts"
import { cache } from "../../scripts/lib/testEnvironment.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

/** The tests' PostgreSQL and Redis are containers of the first engine; theirs is to be left alone. */
const engines = environment.engines.map((engine, index) => ({ ...engine, isFirst: index === 0 }))

describe.each(engines)("an engine that went down under the controller: $name", ({ host, isFirst, name }) => {
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

  /** Each runs in one container, the recorded one, and no event was told twice. */
  const runsAgain = async (game: string): Promise<void> => {
    await until(`${game} runs again`, async () => {
      const record = await world.record(game)
      if (record?.status !== "running") return false
      const [container, more] = await world.containers(game)
      return container?.Id === record.current_container_id && container?.State === "running" && more === undefined
    }, 60_000)
    const events = (await world.health(game)).map(({ container_id, event_type, occurred_at_ms }) => `${event_type} ${container_id} ${occurred_at_ms}`)
    assert.lengthOf(new Set(events), events.length)
  }

  it.each([
    // An engine that is started again asks the games it finds to end: one that ends well then has ended, as Docker sees it too.
    ["killed", () => stopEngine(pidFile, "SIGKILL"), "always"],
    ["without power", () => cutPower(pidFile), "on_failure"]
  ] as const)("was %s: all games that should run are running again by themselves", async (how, goDown, policy) => {
    const kept = ["a", "b", "c"].map((letter) => `${how.split(" ")[0]}-${letter}`)
    const [once] = kept.map((game) => `${game}-once`)
    await world.insertGame(kept[0]!)
    for (const game of kept.slice(1)) await world.insertGame(game, { policy })
    const never = await world.result(await world.startJob(once!))
    for (const game of kept) await world.status(game, "running")
    await goDown()
    await until("not ready", async () => (await controller.readyz()).status === 503)
    await start()
    for (const game of kept) await runsAgain(game)
    assert.deepInclude(await world.status(once!, "stopped"), { current_container_id: never.container_id })
    assert.strictEqual(controller.process.exitCode, null)
  })
})
