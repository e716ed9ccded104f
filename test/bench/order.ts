/** The order of work: a fleet exchanged at once, and ends and stops of games while hundreds of others start. */
import type { Engine } from "../../scripts/lib/engines.ts"
import { EngineLog } from "../support/engineLog.ts"
import { allRunning, disturbInBurst, exchangeFleet, insertGames, runDisturbed } from "../support/order.ts"
import { World } from "../support/world.ts"
import type { Figures } from "./figures.ts"
import { warmController } from "./games.ts"
import { median, percentile } from "./measure.ts"

const inWorld = async (engine: Engine, work: (world: World, log: EngineLog) => Promise<void>): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  await world.makeWideNetwork()
  const log = await EngineLog.open(world.docker)
  try {
    await warmController(world)
    await work(world, log)
  } finally {
    log.close()
    await world.close()
  }
}

const alone = 10
const fleet = 100
/** The setting's default: as many exchanges at once. */
const workers = 8

/** One exchange alone, again and again, then a whole fleet in one statement. */
export const exchanges = (engine: Engine, figures: Figures): Promise<void> =>
  inWorld(engine, async (world, log) => {
    const single: Array<number> = []
    for (let index = 1; index <= alone; index++) {
      await insertGames(world, `alone${index}x`, 1)
      await allRunning(world, `alone${index}x`, 1)
      single.push((await exchangeFleet(world, log, `alone${index}x`, 1)).downMs[0]!)
    }
    await insertGames(world, "fleet", fleet)
    await allRunning(world, "fleet", fleet)
    const { downMs, mostDown, mostUnderWay, tookMs } = await exchangeFleet(world, log, "fleet", fleet)
    console.log(`   ${fleet} exchanged in ${(tookMs / 1000).toFixed(1)} s; ${mostUnderWay} under way at once by the records`)
    const what = `${fleet} games exchanged at once, ${engine.name}`
    figures.add(`one game exchanged alone, ${engine.name}: down, p50`, median(single), "ms", "less", 500)
    figures.add(`${what}: down, p50`, median(downMs), "ms", "less", 2000)
    figures.add(`${what}: down, longest`, Math.max(...downMs), "ms", "less", 4000)
    figures.add(`${what}: most down at once`, mostDown, "games", "less", workers + 1)
  })

const rows = 400
const rounds = 15

export const inBurst = (engine: Engine, figures: Figures): Promise<void> =>
  inWorld(engine, async (world, log) => {
    await runDisturbed(world, rounds)
    const { healedMs, signalledMs, startsARound, toldMs } = await disturbInBurst(world, log, { count: rows, rounds })
    console.log(`   starts of the burst meanwhile, a round: ${startsARound.join(", ")}`)
    const add = (what: string, found: ReadonlyArray<number>, limit: number) => {
      figures.add(`while ${rows} rows start, ${engine.name}: ${what}, p50`, median(found), "ms", "less", limit)
      figures.add(`while ${rows} rows start, ${engine.name}: ${what}, p99`, percentile(found, 0.99), "ms", "less", 2 * limit)
    }
    add("crash told, over the engine's event", toldMs, 100)
    add("crash healed, back-off of 1 s included", healedMs, 2000)
    add("stop signalled, over the XADD", signalledMs, 200)
  })
