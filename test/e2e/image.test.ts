import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { statSync } from "node:fs"
import { buildControllerImage } from "../../scripts/lib/controllerImage.ts"
import { freePort } from "../../scripts/lib/run.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

describe("the controller's image", () => {
  const engine = environment.engines[0]!
  const world = new World(engine.host)
  const image = "rtmanager-test/controller:e2e"
  beforeAll(async () => {
    await world.open()
    await buildControllerImage(engine.host, image)
  }, 300_000)
  afterAll(() => world.close())

  it("migrates by its argument, and ends with one line", async () => {
    const container = await world.docker.createContainer({
      Image: image, Cmd: ["migrate"], Env: [`DATABASE_URL=${world.databaseUrl}`], HostConfig: { NetworkMode: "host" }
    })
    try {
      await container.start()
      assert.strictEqual((await container.wait()).StatusCode, 0)
      assert.include(String(await container.logs({ stdout: true, stderr: true })), "the database is up to date: applied 0001_schema.sql")
    } finally {
      await container.remove({ force: true, v: true })
    }
  })

  it("runs as nobody, becomes healthy, starts a game, and leaves it running when it is stopped", async () => {
    const port = await freePort()
    const socket = new URL(engine.host).pathname
    const streams = ["START_JOBS", "STOP_JOBS", "JOB_RESULTS", "HEALTH_EVENTS", "DEAD_JOBS"].map((name) => `RTM_STREAM_${name}=${world.stream(name.toLowerCase())}`)
    const container = await world.docker.createContainer({
      Image: image,
      Env: [
        `DATABASE_URL=${world.databaseUrl}`, `REDIS_URL=${environment.redisUrl}`, `RTM_HTTP_ADDR=127.0.0.1:${port}`,
        `RTM_DOCKER_NETWORK=${world.network}`, `RTM_STREAM_NOTIFICATIONS=${world.stream("intents")}`, ...streams
      ],
      HostConfig: {
        NetworkMode: "host", Binds: [`${socket}:/var/run/docker.sock`], GroupAdd: [String(statSync(socket).gid)]
      }
    })
    try {
      await container.start()
      await until("healthy", async () => (await container.inspect()).State.Health?.Status === "healthy", 60_000)
      assert.strictEqual((await container.inspect()).Config.User, "65532:65532")
      const result = await world.result(await world.startJob("image1"))
      assert.strictEqual(result.outcome, "success")
      const stoppedMs = Date.now()
      await container.stop({ t: 10 })
      assert.isBelow(Date.now() - stoppedMs, 5000)
      assert.strictEqual((await container.inspect()).State.ExitCode, 0)
      assert.isTrue((await world.docker.getContainer(result.container_id!).inspect()).State.Running)
    } finally {
      await container.remove({ force: true, v: true })
    }
  })
})
