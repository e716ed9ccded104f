import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { createServer, type Server } from "node:http"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { EngineEvent, ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { makeDockerEngine } from "../../src/engine/docker/DockerEngine.ts"
import { engineContract } from "../contract/engine.contract.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

const connect = async (host: string, network: string, more: { deadlines?: { list?: number; inspect?: number }; pullStallMs?: number } = {}) => {
  const scope = await Effect.runPromise(Scope.make())
  const engine = await Effect.runPromise(makeDockerEngine({
    host, network, certPath: undefined, enginePort: 8080, stateRoot: undefined, pullStallMs: 20_000, dockerConfig: "/nonexistent", ...more
  }).pipe(Effect.provideService(Scope.Scope, scope)))
  return { engine, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

for (const { host, name } of environment.engines) {
  engineContract(name, async () => {
    const world = new World(host)
    await world.open()
    const { close, engine } = await connect(host, world.network)
    return {
      engine,
      image: environment.images.game,
      foreign: async (containerName) => (await world.docker.createContainer({ name: containerName, Image: environment.images.game })).id,
      killBehind: (id) => world.docker.getContainer(id).kill().then(() => {}),
      removeBehind: (id) => world.docker.getContainer(id).remove({ force: true, v: true }).then(() => {}),
      close: async () => {
        await close()
        await world.close()
      }
    }
  })

  describe(`events of ${name}`, () => {
    it("says Opened first, then what others did, and not its own starts", async () => {
      const world = new World(host)
      await world.open()
      const { close, engine } = await connect(host, world.network)
      const seen: Array<EngineEvent> = []
      const fiber = Effect.runFork(Stream.runForEach(engine.events, (event) => Effect.sync(() => seen.push(event))))
      await until("opened", () => seen.length > 0)
      assert.deepStrictEqual(seen[0], { _tag: "Opened" })
      const id = await Effect.runPromise(engine.create({
        gameId: "ev1" as GameId, imageRef: environment.images.game, generation: 1, specHash: "v1:x", createdAtMs: 1, command: undefined, args: undefined,
        env: {}, labels: {}, cpus: undefined, memoryBytes: undefined, pids: undefined, stopSignal: undefined
      }))
      await Effect.runPromise(engine.start(id))
      await world.docker.getContainer(id).remove({ force: true, v: true })
      const actions = () => seen.flatMap((event) => event._tag === "Changed" && event.containerId === id ? [event.action] : [])
      await until("destroy", () => actions().includes("destroy"))
      assert.deepStrictEqual(actions(), ["die", "destroy"])
      await Effect.runPromise(Fiber.interrupt(fiber))
      await close()
      await world.close()
    })
  })
}

describe("an engine that misbehaves", () => {
  const folder = mkdtempSync(join(tmpdir(), "rtm-bad-"))
  const socket = join(folder, "docker.sock")
  let server: Server
  let answer: (path: string) => string | "hang" | "half" | "reset"
  let engine: ContainerEngine["Service"]
  let close: () => Promise<void>
  beforeAll(async () => {
    server = createServer((request, response) => {
      const body = answer(request.url ?? "")
      if (body === "hang") return
      if (body === "reset") return void request.socket.destroy()
      response.writeHead(200, { "content-type": "application/json" })
      if (body === "half") return void response.write("[{")
      response.end(body)
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    const connected = await connect(`unix://${socket}`, "n", { deadlines: { list: 300, inspect: 300 }, pullStallMs: 300 })
    engine = connected.engine
    close = connected.close
  })
  afterAll(async () => {
    await close()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const listReason = () => Effect.runPromise(Effect.map(Effect.flip(engine.list()), ({ reason }) => reason))

  it.each([
    ["an answer that is no list", "{}", "Undecodable"],
    ["broken JSON in a 200", "[{\"Id\":", "Undecodable"],
    ["an empty answer", "", "Undecodable"],
    ["a connection that is reset", "reset", "Unavailable"],
    ["no answer at all", "hang", "Timeout"],
    ["a body that stalls", "half", "Timeout"]
  ] as const)("takes %s for a failed list, never for no containers", async (_name, body, reason) => {
    answer = () => body
    assert.strictEqual(await listReason(), reason)
  })

  it("takes an error inside a 200 stream for a failed pull", async () => {
    answer = () => "{\"status\":\"Pulling\"}{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}"
    const error = await Effect.runPromise(Effect.flip(engine.pull("a/b:1")))
    assert.deepInclude(error, { reason: "PullFailed", message: "manifest unknown" })
  })

  it("gives up a pull without progress", async () => {
    answer = () => "hang"
    assert.strictEqual((await Effect.runPromise(Effect.flip(engine.pull("a/b:1")))).reason, "PullStalled")
  })

  it("refuses a part of an id before anything is sent", async () => {
    let asked = false
    answer = () => {
      asked = true
      return "{}"
    }
    assert.strictEqual((await Effect.runPromise(Effect.flip(engine.remove("3f")))).reason, "Invalid")
    assert.isFalse(asked)
  })
})
