/** Games that go wrong beside others that must keep their pace. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

describe.each(environment.engines)("beside games that go wrong on $name", (engine) => {
  const world = new World(engine.host)
  let controller: ControllerProcess
  beforeAll(async () => {
    await world.open()
    controller = await world.start({ RTM_PULL_STALL: "4s" })
  })
  afterAll(() => world.close())
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-60).join("\n"))
  })
  const allOf = (prefix: string, what: string, count: number, deadlineMs: number) =>
    until(`all ${what}`, async () => {
      const [row] = await world.sql`SELECT count(DISTINCT game_id)::int AS n FROM rtmanager.operation_log WHERE game_id LIKE ${`${prefix}%`} AND op_kind = ${what}`
      return row?.n === count
    }, deadlineMs)

  it("others start while eight pulls wait for a registry that never answers, which are given up for lack of progress", async () => {
    const silent: Server = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve))
    const { port } = silent.address() as { port: number }
    const stuck = await Promise.all(Array.from({ length: 8 }, (_, index) => world.startJob(`pull${index}`, `127.0.0.1:${port}/x${index}:1`)))
    assert.deepInclude(await world.result(await world.startJob("beside1")), { outcome: "success", error_message: "" })
    assert.lengthOf(await world.results(stuck[0]!), 0)
    for (const job of stuck) assert.deepInclude(await world.result(job), { outcome: "failure", error_code: "image_pull_failed" })
    silent.close()
  })

  it("a start makes no registry call for an image that is on the host", async () => {
    const { logFile } = environment.registry!
    const before = readFileSync(logFile, "utf8").length
    assert.strictEqual((await world.result(await world.startJob("local1"))).outcome, "success")
    assert.strictEqual(readFileSync(logFile, "utf8").length, before)
  })

  it("others keep their pace beside 40 crash-looping games", async () => {
    for (let index = 0; index < 40; index++) await world.insertGame(`loop${index}`, { spec: { command: ["/bin/false"] } })
    await allOf("loop", "reconcile_restart", 40, 100_000)
    const restarts = async () =>
      (await world.sql<[{ n: number }]>`SELECT count(*)::int AS n FROM rtmanager.operation_log WHERE game_id LIKE 'loop%' AND op_kind = 'reconcile_restart'`)[0].n
    const before = await restarts()
    assert.strictEqual((await world.result(await world.startJob("beside2"))).outcome, "success")
    assert.isBelow(await restarts() - before, 40, "it had its turn among them")
    await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id LIKE 'loop%'`
    await until("all are removed", async () => {
      const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE 'loop%' AND status = 'removed'`
      return row?.n === 40
    }, 90_000)
  }, 240_000)
})
