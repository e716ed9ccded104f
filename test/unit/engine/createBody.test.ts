import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { ContainerTemplate } from "../../../src/engine/ContainerEngine.ts"
import type { GameSpec } from "../../../src/domain/GameSpec.ts"
import { createBody } from "../../../src/engine/docker/createBody.ts"

const template = (spec: GameSpec): ContainerTemplate => ({
  gameId: "g1" as GameId, imageRef: "galaxy/engine:1.4.2", generation: 3, specHash: "v1:abc", createdAtMs: 17, stopGraceMs: 9000, spec
})
const body = (spec: GameSpec = {}, stateRoot?: string) =>
  createBody(template(spec), { stateRoot }, "net1") as Record<string, any>

describe("the body of a game's container", () => {
  it("has the contract's names, labels, environment and alias", () => {
    const { Env, Hostname, Labels, NetworkingConfig } = body()
    assert.strictEqual(Hostname, "galaxy-game-g1")
    assert.deepStrictEqual(NetworkingConfig.EndpointsConfig.net1.Aliases, ["galaxy-game-g1"])
    assert.includeMembers(Env, ["GAME_STATE_PATH=/var/lib/galaxy-game", "STORAGE_PATH=/var/lib/galaxy-game"])
    assert.deepInclude(Labels, {
      "com.galaxy.owner": "rtmanager", "com.galaxy.kind": "game-engine", "com.galaxy.game_id": "g1",
      "com.galaxy.engine_image_ref": "galaxy/engine:1.4.2", "com.galaxy.started_at_ms": "17", "com.galaxy.stop_grace_ms": "9000"
    })
  })

  it("says which installation made it, and under which epoch, whatever its image says of that", () => {
    const made = (settings: object) => (createBody(template({}), { stateRoot: undefined, ...settings }, "net1") as Record<string, any>).Labels
    assert.deepInclude(made({ instance: "prod", epoch: 7 }), { "com.galaxy.instance": "prod", "com.galaxy.epoch": "7" })
    assert.deepInclude(made({}), { "com.galaxy.instance": "", "com.galaxy.epoch": "" })
  })

  it("is hardened, and never restarted by the engine itself", () => {
    assert.deepInclude(body().HostConfig, {
      CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"], PidsLimit: 512, RestartPolicy: { Name: "no" }, Init: true
    })
  })

  it("lets no spec supply a label of ours", () => {
    assert.strictEqual(body({ labels: { "com.galaxy.game_id": "other", team: "red" } }).Labels["com.galaxy.game_id"], "g1")
    assert.strictEqual(body({ labels: { team: "red" } }).Labels.team, "red")
  })

  it("takes the meaning from labels that an image would steer other programs with, and leaves the others and the allowed ones", () => {
    const brought = ["traefik.enable", "Ofelia.enabled", "com.docker.compose.project", "org.opencontainers.image.title", "caddy"]
    const { Labels } = createBody(template({ labels: { caddy: "x" } }), { stateRoot: undefined, labelsAllowed: ["caddy"] }, "net1", brought) as Record<string, any>
    assert.deepInclude(Labels, { "traefik.enable": "", "Ofelia.enabled": "", "com.docker.compose.project": "", caddy: "x" })
    assert.notProperty(Labels, "org.opencontainers.image.title")
  })

  it("has the limits of the settings where the spec says none", () => {
    const limited = (spec: GameSpec) =>
      (createBody(template(spec), { stateRoot: undefined, defaults: { memory: "64Mi", cpus: 1, pids: 100 } }, "net1") as Record<string, any>).HostConfig
    assert.deepInclude(limited({}), { Memory: 64 * 2 ** 20, MemorySwap: 64 * 2 ** 20, NanoCpus: 1e9, PidsLimit: 100 })
    assert.deepInclude(limited({ resources: { memory: "6Mi", pids: 5 } }), { Memory: 6 * 2 ** 20, NanoCpus: 1e9, PidsLimit: 5 })
  })

  it("turns limits into the engine's units, with no swap beside the memory", () => {
    assert.deepInclude(body({ resources: { cpus: 0.5, memory: "6Mi", pids: 5 } }).HostConfig, { NanoCpus: 5e8, Memory: 6 * 2 ** 20, MemorySwap: 6 * 2 ** 20, PidsLimit: 5 })
  })

  it("leaves to the image what the spec does not say", () => {
    for (const key of ["Entrypoint", "Cmd", "StopSignal"]) assert.notProperty(body(), key)
    assert.deepInclude(body({ command: ["/e"], args: [], stop_signal: "SIGINT" }), { Entrypoint: ["/e"], Cmd: [], StopSignal: "SIGINT" })
  })

  it("keeps the state in a volume of the game's name, or under the folder that is set", () => {
    assert.deepInclude(body().HostConfig.Mounts[0], { Type: "volume", Source: "galaxy-game-g1" })
    assert.deepStrictEqual(body({}, "/srv/games").HostConfig.Binds, ["/srv/games/galaxy-game-g1:/var/lib/galaxy-game"])
  })
})
