/** How soon the controller reacts: to a row, to a job, to a container that is taken away. */
import type { Engine } from "../../scripts/lib/engines.ts"
import { EngineProxy } from "../support/engineProxy.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"
import type { Figures } from "./figures.ts"
import { warmController } from "./games.ts"
import { percentile } from "./measure.ts"

const times = 200

/** One after the other, each carried out before the next: this is reaction, not throughput. */
export const firstCall = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  const proxy = new EngineProxy(engine.host)
  await world.open()
  await proxy.open()
  try {
    await warmController(world, { DOCKER_HOST: proxy.host })
    const called = new Map<string, number>()
    proxy.fault = ({ path }) => {
      // Whatever it is, the first call that names the game: a list by its label, or the create by its name.
      const game = /(?:com\.galaxy\.game_id=|galaxy-game-)([a-z0-9-]+)/.exec(decodeURIComponent(path))?.[1]
      if (game && !called.has(game)) called.set(game, performance.now())
      return "pass"
    }
    const react = async (prefix: string, ask: (gameId: string) => Promise<unknown>): Promise<ReadonlyArray<number>> => {
      const found: Array<number> = []
      for (let index = 0; index < times; index++) {
        const gameId = `${prefix}${index}`
        await ask(gameId)
        const askedMs = performance.now()
        found.push(Math.max(0, await until(`a call for ${gameId}`, () => called.get(gameId)) - askedMs))
        await world.status(gameId, "running")
        await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id = ${gameId}`
        await world.status(gameId, "removed")
      }
      console.log(`   ${prefix}: p50 ${percentile(found, 0.5).toFixed(1)} ms, p99 ${percentile(found, 0.99).toFixed(1)} ms`)
      return found
    }
    const rows = await react("lr", (gameId) => world.insertGame(gameId))
    figures.add("row committed until the first Docker call, p99", percentile(rows, 0.99), "ms", "less", 25)
    const jobs = await react("lj", (gameId) => world.startJob(gameId))
    figures.add("XADD until the first Docker call, p99", percentile(jobs, 0.99), "ms", "less", 15)
  } finally {
    await world.close()
    proxy.close()
  }
}

/** Redis' own clock says when the event was on the stream, the engine's event when the container was gone. */
export const disappearances = async (engine: Engine, figures: Figures): Promise<void> => {
  const world = new World(engine.host)
  await world.open()
  const reader = world.redis.duplicate()
  const destroyed = new Map<string, number>()
  const events = await world.docker.getEvents({ filters: { type: ["container"], event: ["destroy"] } }) as unknown as AsyncIterable<Uint8Array> & { destroy: () => void }
  void (async () => {
    for await (const chunk of events) {
      for (const line of Buffer.from(chunk).toString().trim().split("\n")) destroyed.set((JSON.parse(line) as { Actor: { ID: string } }).Actor.ID, Date.now())
    }
  })().catch(() => {})
  /** When `container_disappeared` of that container was written, in ms. */
  const toldAt = async (id: string, after: string): Promise<number> => {
    for (let last = after;;) {
      const reply = await reader.xread("BLOCK", 10_000, "STREAMS", world.stream("health_events"), last)
      for (const [entry, flat] of reply?.[0]?.[1] ?? []) {
        last = entry
        if (flat.includes("container_disappeared") && flat.includes(id)) return Number(entry.split("-")[0])
      }
    }
  }
  try {
    await warmController(world)
    const found: Array<number> = []
    for (let index = 0; index < 100; index++) {
      const { container_id: id } = await world.result(await world.startJob(`d${index}`))
      const last = (await world.entries("health_events")).at(-1)?.id ?? "0"
      const [told] = await Promise.all([toldAt(id!, last), world.docker.getContainer(id!).remove({ force: true })])
      found.push(told - (await until("the engine's event", () => destroyed.get(id!))))
    }
    figures.add("container gone until it is told, over the engine's event, p50", percentile(found, 0.5), "ms", "less", 10)
    figures.add("container gone until it is told, over the engine's event, p99", percentile(found, 0.99), "ms", "less", 50)
  } finally {
    reader.disconnect()
    events.destroy()
    await world.close()
  }
}
