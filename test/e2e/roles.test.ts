import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import postgres from "postgres"
import { migrate } from "../../src/store/migrate.ts"
import { environment } from "../support/environment.ts"
import { makeRoles } from "../support/roles.ts"
import { World } from "../support/world.ts"

describe("a controller that owns nothing, and a lobby that may only write games", () => {
  const world = new World(environment.engines[0]!.host)
  beforeAll(() => world.open())
  afterAll(() => world.close())

  it("start, exchange, stop and remove a game, by rows and by jobs", async () => {
    await migrate(world.databaseUrl)
    const as = await makeRoles(world.databaseUrl)
    await world.start({ DATABASE_URL: as.controller })
    const lobby = postgres(as.writer, { max: 1, onnotice: () => {} })
    try {
      await lobby`INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('roles1', ${environment.images.game})`
      const first = await world.status("roles1", "running")
      assert.strictEqual((await world.result(await world.startJob("roles1", environment.images.gameNext))).outcome, "success")
      assert.notStrictEqual((await world.status("roles1", "running")).current_container_id, first.current_container_id)
      assert.strictEqual((await world.result(await world.stopJob("roles1"))).outcome, "success")
      await world.runByHand("roles2")
      await world.status("roles2", "running")
      await lobby`DELETE FROM rtmanager.games`
      for (const game of ["roles1", "roles2"]) {
        await world.status(game, "removed")
        assert.deepStrictEqual(await world.containers(game), [])
      }
      assert.deepStrictEqual((await world.health("roles1")).map(({ event_type }) => event_type), ["container_started", "container_exited", "container_started", "container_exited"])
    } finally {
      await lobby.end({ timeout: 1 })
    }
  })
})
