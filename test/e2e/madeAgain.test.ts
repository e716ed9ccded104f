/** Rows that are made again with the triggers bypassed, as a restore of data alone does it: nobody is told, and their generations begin anew. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

const { game: image, gameNext: other } = environment.images

describe.each(environment.engines)("a row that is made again without triggers, on $name", ({ host }) => {
  const world = new World(host)
  beforeAll(async () => {
    await world.open()
    await world.start()
  })
  afterAll(() => world.close())

  const makeAgain = (game: string, row: { readonly image?: string; readonly policy?: string; readonly state?: string; readonly generation?: number } = {}) =>
    world.sql.begin(async (sql) => {
      await sql`SET LOCAL session_replication_role = replica`
      await sql`DELETE FROM rtmanager.games WHERE game_id = ${game}`
      await sql`INSERT INTO rtmanager.games (game_id, image_ref, restart_policy, state, generation)
        VALUES (${game}, ${row.image ?? image}, ${row.policy ?? "always"}, ${row.state ?? "running"}, ${row.generation ?? 1})`
    })
  const observes = (game: string, generation: number) =>
    until(`${game} is observed at ${generation}`, async () => {
      const record = await world.record(game)
      return record?.observed_generation === String(generation) ? record : undefined
    })

  /** It ran and ended under `never`, and its row has generation 7. */
  const ended = async (game: string) => {
    await world.insertGame(game)
    for (const policy of ["never", "always", "never", "always", "on_failure", "never"]) await world.sql`UPDATE rtmanager.games SET restart_policy = ${policy} WHERE game_id = ${game}`
    await observes(game, 7)
    const { current_container_id: id } = await world.status(game, "running")
    await world.docker.getContainer(id).kill()
    await world.status(game, "stopped")
  }

  it.each([["an earlier generation", 1], ["the same generation", 7]] as const)("starts a finished game with the image that it names, under %s", async (_what, generation) => {
    const game = `other${generation}`
    await ended(game)
    await makeAgain(game, { image: other, policy: "never", generation })
    const record = await world.status(game, "running")
    assert.deepInclude(record, { current_image_ref: other, observed_generation: String(generation) })
    assert.strictEqual((await world.operations(game)).at(-1)?.op_source, "desired_state")
  })

  it("touches nothing where it says what it said", async () => {
    await ended("same")
    const before = await world.operations("same")
    await makeAgain("same", { policy: "never" })
    const record = await observes("same", 1)
    assert.strictEqual(record.status, "stopped")
    assert.deepStrictEqual(await world.operations("same"), before)
  })

  it("exchanges a running game for the image that it names", async () => {
    await world.insertGame("runs")
    const first = await world.status("runs", "running")
    await makeAgain("runs", { image: other })
    const second = await until("it is exchanged", async () => {
      const record = await world.record("runs")
      return record?.status === "running" && record.current_image_ref === other ? record : undefined
    })
    assert.notStrictEqual(second.current_container_id, first.current_container_id)
    assert.lengthOf(await world.containers("runs"), 1)
  })

  it("stops a running game, and starts a settled one that no resync surveys any more", async () => {
    await world.insertGame("rests")
    await world.status("rests", "running")
    await makeAgain("rests", { state: "stopped" })
    const { current_container_id: id } = await world.status("rests", "stopped")
    await world.docker.getContainer(id).remove()
    await until("it is settled", async () => (await world.record("rests"))?.settled)
    await makeAgain("rests", { policy: "never" })
    assert.strictEqual((await world.status("rests", "running")).current_image_ref, image)
  })

  it("supersedes the stop that waits for its end, and runs what the row says then", async () => {
    await world.insertGame("waits", { spec: { command: ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], stop_grace: "3s" } })
    await world.status("waits", "running")
    const stop = await world.stopJob("waits")
    await until("the stop is under way", async () => (await world.record("waits"))?.stopping?.signalled_at)
    await makeAgain("waits", { image: other })
    assert.deepInclude(await world.result(stop), { outcome: "failure", error_code: "superseded" })
    await until("it runs anew", async () => (await world.record("waits"))?.current_image_ref === other)
    assert.deepInclude((await world.health("waits", "container_exited"))[0] ?? {}, { game_id: "waits" })
  })
})
