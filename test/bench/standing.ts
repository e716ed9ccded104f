/** What the controller takes when little or nothing changes. */
import type { Engine } from "../../scripts/lib/engines.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"
import type { Figures } from "./figures.ts"
import { warmController } from "./games.ts"
import { seconds, usage } from "./measure.ts"

export const replays = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  try {
    await warmController(world, { RTM_LOG_LEVEL: "warn" })
    const games = Array.from({ length: 50 }, (_, index) => `n${index}`)
    for (const game of games) await world.startJob(game)
    const answered = () => world.redis.xlen(world.stream("job_results"))
    await until("all run", async () => (await answered()) === games.length, 120_000)
    const count = 10_000
    const took = await seconds(async () => {
      for (let sent = 0; sent < count;) {
        const pipeline = world.redis.pipeline()
        for (let index = 0; index < 500; index++, sent++) {
          pipeline.xadd(world.stream("start_jobs"), "*", "game_id", games[sent % games.length]!, "image_ref", environment.images.game)
        }
        await pipeline.exec()
      }
      await until("all are answered", async () => (await answered()) >= count + games.length, 120_000)
    })
    figures.add("jobs that change nothing, XADD to result", count / took, "/s", "more", 2000)
  } finally {
    await world.close()
  }
}

const idleMs = 60_000

export const idle = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  try {
    const controller = await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
    const { game } = environment.images
    await world.sql`INSERT INTO rtmanager.games (game_id, image_ref, state) SELECT 's' || n, ${game}, 'stopped' FROM generate_series(1, 900) n`
    await world.sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'r' || n, ${game} FROM generate_series(1, 100) n`
    await until("all are carried out", async () => {
      const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE observed_generation = 1`
      return row?.n === 1000
    }, 180_000)
    const pid = controller.process.pid!
    const before = usage(pid)
    const took = await seconds(() => new Promise((resolve) => setTimeout(resolve, idleMs)))
    const after = usage(pid)
    figures.add("idle with 1,000 rows and 100 containers: CPU", (after.cpuSeconds - before.cpuSeconds) / took * 100, "% of a core", "less", 2)
    figures.add("idle with 1,000 rows and 100 containers: memory", after.rssMiB, "MiB", "less", 150)
  } finally {
    await world.close()
  }
}
