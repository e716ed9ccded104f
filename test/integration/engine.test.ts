import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { tmpdir } from "node:os"
import type { EngineEvent } from "../../src/engine/ContainerEngine.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { freePort } from "../../scripts/lib/run.ts"
import { engineContract } from "../contract/engine.contract.ts"
import { connectEngine } from "../support/badEngine.ts"
import { environment } from "../support/environment.ts"
import { listen } from "../support/listen.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

for (const { host, name } of environment.engines) {
  engineContract(name, async () => {
    const world = new World(host)
    await world.open()
    const { close, engine } = await connectEngine(host, { network: world.network, secretsRoot: tmpdir() })
    const removeNetwork = () => world.docker.getNetwork(world.network).remove()
    return {
      removeNetwork,
      remakeNetwork: async () => {
        await removeNetwork()
        await world.docker.createNetwork({ Name: world.network })
      },
      engine,
      image: environment.images.game,
      commands: {
        missing: ["/no/such/program"],
        notExecutable: ["/etc/hosts"],
        ends: (code, afterMs) => ["/bin/sh", "-c", `sleep ${afterMs / 1000}; exit ${code}`]
      },
      foreign: async (containerName) => (await world.docker.createContainer({ name: containerName, Image: environment.images.game })).id,
      byHand: (gameId, options) => world.runByHand(gameId, options),
      pauseBehind: (id) => world.docker.getContainer(id).pause().then(() => {}),
      killBehind: (id) => world.docker.getContainer(id).kill().then(() => {}),
      removeBehind: (id) => world.docker.getContainer(id).remove({ force: true, v: true }).then(() => {}),
      freePort,
      listen,
      close: async () => {
        await close()
        await world.close()
      }
    }
  })

  describe(`an image with labels that steer other programs, on ${name}`, () => {
    it("makes containers that have them without a value, but for those that are allowed", async () => {
      const world = new World(host)
      const image = `${world.name}:labelled`
      await world.open()
      const { close, engine } = await connectEngine(host, { network: world.network, labelsAllowed: ["caddy"] })
      const source = await world.docker.createContainer({ Image: environment.images.game })
      const labels = ["traefik.enable=true", "com.docker.compose.project=prod", "caddy=example.org", "team=red"]
      await source.commit({ repo: world.name, tag: "labelled", changes: labels.map((label) => `LABEL ${label}`).join("\n") })
      await source.remove({ v: true })
      try {
        const id = await Effect.runPromise(engine.create({
          gameId: "labelled1" as GameId, imageRef: image, generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 30_000, spec: { labels: { team: "blue" } }
        }))
        const { Labels } = (await world.docker.getContainer(id).inspect()).Config
        assert.deepInclude(Labels, { "traefik.enable": "", "com.docker.compose.project": "", caddy: "example.org", team: "blue" })
      } finally {
        await close()
        await world.removeContainers()
        await world.docker.getImage(image).remove()
        await world.close()
      }
    })
  })

  describe(`events of ${name}`, () => {
    it("says Opened first, then what others did, and not its own starts", async () => {
      const world = new World(host)
      await world.open()
      const { close, engine } = await connectEngine(host, { network: world.network })
      const seen: Array<EngineEvent> = []
      const fiber = Effect.runFork(Stream.runForEach(engine.events, (event) => Effect.sync(() => seen.push(event))))
      await until("opened", () => seen.length > 0)
      assert.deepStrictEqual(seen[0], { _tag: "Opened" })
      const id = await Effect.runPromise(engine.create({
        gameId: "ev1" as GameId, imageRef: environment.images.game, generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 1000, spec: {}
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
