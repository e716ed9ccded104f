/** Start rates: the controller against plain dockerode, Swarm mode and Docker Compose, each pair in the same minute. */
import type { Engine } from "../../scripts/lib/engines.ts"
import { environment } from "../support/environment.ts"
import { World } from "../support/world.ts"
import type { Figures } from "./figures.ts"
import { gamesRate, plainRate, warmController } from "./games.ts"
import { median, rates } from "./measure.ts"
import { composeRate, swarmRate } from "./peers.ts"

const limits = [4, 8, 16] as const
const pairs = 5

/** Plain dockerode is tried at each concurrency first; its best one then takes turns with the controller. */
export const startsAgainstPlain = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  try {
    await warmController(world)
    await gamesRate(world, "first", 50)
    const tried: Array<readonly [number, number]> = []
    for (const limit of limits) {
      const found = [await plainRate(world, `a${limit}x`, 50, limit), await plainRate(world, `b${limit}x`, 50, limit)]
      tried.push([limit, median(found)])
    }
    const [best] = [...tried].sort(([, a], [, b]) => b - a)[0]!
    const plain: Array<number> = []
    const ours: Array<number> = []
    for (let round = 0; round < pairs; round++) {
      plain.push(await plainRate(world, `p${round}x`, 100, best))
      ours.push(await gamesRate(world, `o${round}x`, 100))
    }
    console.log(`   tried ${tried.map(([limit, rate]) => `${rate.toFixed(2)}/s at ${limit}`).join(", ")}; then plain at ${best}: ${rates(plain)}; ours: ${rates(ours)}`)
    figures.add(`100 rows until all run, against plain dockerode at its best, ${engine.name}`, median(ours.map((rate, round) => rate / plain[round]!)), "x", "more", 0.95)
  } finally {
    await world.close()
  }
}

const peerPairs = 3

export const startsAgainstPeers = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  try {
    await warmController(world)
    await gamesRate(world, "first", 50)
    const { game } = environment.images
    const ours: Array<number> = []
    const swarm: Array<number> = []
    const compose: Array<number> = []
    for (let round = 0; round < peerPairs; round++) {
      swarm.push(await swarmRate(world.docker, game, 50))
      ours.push(await gamesRate(world, `q${round}x`, 50))
      compose.push(await composeRate(environment, engine.host, world.docker, game, 50))
    }
    console.log(`   ours ${rates(ours)}, Swarm ${rates(swarm)}, Compose ${rates(compose)}`)
    const over = (peer: ReadonlyArray<number>) => median(ours.map((rate, round) => rate / peer[round]!))
    figures.add(`50 games against 50 services in Swarm mode, ${engine.name}`, over(swarm), "x", "more", 1.5)
    figures.add(`50 games against docker compose up --scale 50, ${engine.name}`, over(compose), "x", "more", 1.4)
  } finally {
    await world.close()
  }
}
