/** Values of a spec may be secrets: they are in `games` and in the container, and nowhere else. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { environment } from "../support/environment.ts"
import { secret, specsWithASecret } from "../support/secretSpecs.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

const engine = environment.engines.at(-1)!

describe(`on ${engine.name}`, () => {
  const world = new World(engine.host)
  beforeAll(() => world.open())
  afterAll(() => world.close())
  afterEach(() => world.removeContainers())

  /** All that the database holds but the rows themselves. */
  const tables = async (): Promise<ReadonlyArray<readonly [string, string]>> => {
    const names = await world.sql<Array<{ table_name: string }>>`
      SELECT table_name FROM information_schema.tables WHERE table_schema = 'rtmanager' AND table_name <> 'games'`
    return Promise.all(names.map(async ({ table_name }) =>
      [`table ${table_name}`, JSON.stringify(await world.sql`SELECT * FROM rtmanager.${world.sql(table_name)}`)] as const))
  }
  const outbound = ["job_results", "health_events", "intents", "dead_jobs"]
  const streams = () => Promise.all(outbound.map(async (name) => [`stream ${name}`, JSON.stringify(await world.entries(name))] as const))
  /** The labels that are no part of a spec. */
  const labels = async () => {
    const all = await world.docker.listContainers({ all: true })
    return ["labels", JSON.stringify(all.map(({ Labels }) => ({ ...Labels, team: "" })))] as const
  }

  it("a secret in any place of a spec, sent by job or written by row, is found nowhere but in its row and its container", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rtm-secrets-"))
    writeFileSync(join(folder, "token"), `${secret}\n`)
    const controller = await world.start({ RTM_SECRETS_ROOT: folder })
    const jobs: Array<string> = []
    const rows: Array<string> = []
    for (const [index, [, spec]] of specsWithASecret.entries()) {
      jobs.push(await world.startJob(`j${index}`, environment.images.game, { spec: JSON.stringify(spec) }))
      // What is no JSON object at all, or holds a NUL, the database itself refuses.
      await world.insertGame(`r${index}`, { spec, policy: "never" }).then(() => rows.push(`r${index}`), () => {})
    }
    jobs.push(await world.startJob("text", environment.images.game, { spec: `{"env":{"TOKEN":"${secret}"` }))
    jobs.push(await world.startJob("BAD", environment.images.game, { spec: secret, other: secret, restart_policy: secret }))
    for (const job of jobs) await world.result(job, 60_000)
    for (const row of rows) await until(`${row} is recorded`, () => world.record(row), 60_000)
    const http = (path: string) => fetch(`http://127.0.0.1:${controller.httpPort}${path}`).then((answer) => answer.text())
    const seen = [
      ...await tables(), ...await streams(), await labels(),
      ["log", controller.log()], ["/readyz", await http("/readyz")], ["/metrics", await http("/metrics")]
    ] as const
    for (const [where, text] of seen) {
      const at = text.indexOf(secret)
      assert.strictEqual(at, -1, `${where}: ...${text.slice(Math.max(0, at - 200), at + 40)}`)
    }
    for (const game of ["j0", `j${specsWithASecret.findIndex(([where]) => where.startsWith("a file"))}`]) {
      const [running] = await world.containers(game)
      const { Config } = await world.docker.getContainer(running!.Id).inspect()
      assert.include(Config.Env, `TOKEN=${secret}`)
    }
    rmSync(folder, { recursive: true })
    assert.isAtLeast(rows.length, 15)
  })
})
