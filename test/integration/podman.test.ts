/** Podman speaks much of Docker's API, and is refused by name: on the real one, which Debian has. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ChildProcess } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ended } from "../../scripts/lib/closing.ts"
import { dockerAt } from "../../scripts/lib/images.ts"
import { background, ensureProgram } from "../../scripts/lib/run.ts"
import { connectEngine } from "../support/badEngine.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

describe("Podman's Docker API", () => {
  const folder = mkdtempSync(join(tmpdir(), "rtm-podman-"))
  const socket = join(folder, "podman.sock")
  const host = `unix://${socket}`
  let service: ChildProcess
  beforeAll(async () => {
    ensureProgram("podman", ["podman"])
    service = background("podman", [
      "--root", join(folder, "root"), "--runroot", join(folder, "runroot"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
      "system", "service", "--time=0", host
    ], join(folder, "log"))
    await until("it answers", async () => existsSync(socket) && (await dockerAt(host).ping()) !== undefined)
  }, 300_000)
  afterAll(async () => {
    await ended(service, 10_000)
    rmSync(folder, { recursive: true, force: true })
  })

  it("names itself otherwise at each call: why it is refused", async () => {
    const ids = await Promise.all([1, 2].map(async () => ((await dockerAt(host).info()) as { ID: string }).ID))
    assert.notStrictEqual(ids[0], ids[1])
  })

  it("is refused by the adapter, which asks nothing more of it", async () => {
    const { close, engine } = await connectEngine(host)
    assert.deepInclude(await Effect.runPromise(Effect.flip(engine.identity)), { reason: "Unsupported" })
    await close()
  })

  it("keeps the controller from being ready, which says why in /readyz and in its log, and makes nothing", async () => {
    const world = new World(environment.engines[0]!.host)
    await world.open()
    const controller = await world.start({ DOCKER_HOST: host }, false)
    const { body, status } = await until("it listens", () => controller.readyz())
    assert.deepInclude(body.checks.engine, { ok: false })
    assert.include(body.checks.engine!.message, "Podman's Docker API is not supported")
    assert.strictEqual(status, 503)
    await world.startJob("pod1")
    await until("the log", () => controller.log().includes("Podman's Docker API is not supported"))
    assert.lengthOf(await dockerAt(host).listContainers({ all: true }), 0)
    await world.close()
  })
})
