/** Games by rows, and plain containers, asked for all at once: how many a second until all run. */
import type Docker from "dockerode"
import type { GameId } from "../../src/domain/GameId.ts"
import { createBody } from "../../src/engine/docker/createBody.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import type { ControllerProcess, World } from "../support/world.ts"
import { pooled, seconds } from "./measure.ts"

const owned = { label: ["com.galaxy.owner=rtmanager"] }
const peer = { label: ["bench.peer=1"] }

/** A controller as people run it, with one game that ran, so that neither its network nor its first call is new. */
export const warmController = async (world: World, env: Record<string, string> = {}): Promise<ControllerProcess> => {
  const controller = await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info", ...env })
  await world.insertGame("warm1")
  await world.status("warm1", "running")
  return controller
}

/**
 * `count` rows in one statement; games a second until all are recorded as running, by the records' own times: to ask all the
 * time would take from what is measured. Leaves nothing of them.
 */
export const gamesRate = async (world: World, prefix: string, count: number): Promise<number> => {
  const inStatus = async (status: string): Promise<boolean> => {
    const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`} AND status = ${status}`
    return row?.n === count
  }
  const startedMs = Date.now()
  await world.sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT ${prefix} || n, ${environment.images.game} FROM generate_series(1, ${count}) n`
  await until("all run", () => inStatus("running"), 180_000, 500)
  const [last] = await world.sql`SELECT extract(epoch FROM max(updated_at)) * 1000 AS at FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`}`
  const took = (Number(last?.at) - startedMs) / 1000
  await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id LIKE ${`${prefix}%`}`
  await until("all are removed", () => inStatus("removed"), 180_000, 100)
  await until("their containers are gone", async () => (await world.docker.listContainers({ all: true, filters: owned })).length === 1, 60_000, 200)
  await removeVolumes(world.docker, new RegExp(`^galaxy-game-${prefix}`))
  return count / took
}

/** The same containers by plain dockerode, `limit` at once. Leaves nothing of them. */
export const plainRate = async (world: World, prefix: string, count: number, limit: number): Promise<number> => {
  const network = (await world.docker.listNetworks()).find(({ Name }) => Name === world.network)!
  const gameIds = Array.from({ length: count }, (_, index) => `${prefix}${index}` as GameId)
  const took = await seconds(() => pooled(gameIds, limit, async (gameId) => {
    const container = await world.docker.createContainer({ _query: { name: `peer-${gameId}` }, _body: peerBody(gameId, network.Id) } as never)
    await container.start()
  }))
  const made = await world.docker.listContainers({ all: true, filters: peer })
  await pooled(made, 8, ({ Id }) => world.docker.getContainer(Id).remove({ force: true, v: true }).then(() => {}))
  await removeVolumes(world.docker, new RegExp(`^galaxy-game-${prefix}`))
  return count / took
}

/** The controller's own body but for the labels: it is not to adopt them. */
const peerBody = (gameId: GameId, networkId: string) => ({
  ...createBody({
    gameId, imageRef: environment.images.game, generation: 1, specHash: "bench", createdAtMs: 0, stopGraceMs: 0, spec: {}
  }, { stateRoot: undefined }, { networkId, imageLabels: [], contents: { env: {} } }),
  Labels: { "bench.peer": "1" }
})

export const removeVolumes = async (docker: Docker, name: RegExp): Promise<void> => {
  const found = (await docker.listVolumes()).Volumes.filter(({ Name }) => name.test(Name))
  await pooled(found, 8, ({ Name }) => docker.getVolume(Name).remove().then(() => {}, () => {}))
}
