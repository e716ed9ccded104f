import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { ContainerTemplate } from "../../../src/engine/ContainerEngine.ts"
import type { GameSpec } from "../../../src/domain/GameSpec.ts"
import { createBody, type Found } from "../../../src/engine/docker/createBody.ts"

const template = (spec: GameSpec): ContainerTemplate => ({
  gameId: "g1" as GameId, imageRef: "galaxy/engine:1.4.2", generation: 3, specHash: "v1:abc", createdAtMs: 17, stopGraceMs: 9000, spec
})
const found = (spec: GameSpec = {}, imageLabels: ReadonlyArray<string> = []): Found =>
  ({ networkId: "net1", imageLabels, contents: { env: spec.env as Record<string, string> ?? {} } })
const body = (spec: GameSpec = {}, stateRoot?: string) =>
  createBody(template(spec), { stateRoot }, found(spec)) as Record<string, any>

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
    const made = (settings: object) => (createBody(template({}), { stateRoot: undefined, ...settings }, found()) as Record<string, any>).Labels
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
    const { Labels } = createBody(template({ labels: { caddy: "x" } }), { stateRoot: undefined, labelsAllowed: ["caddy"] }, found({}, brought)) as Record<string, any>
    assert.deepInclude(Labels, { "traefik.enable": "", "Ofelia.enabled": "", "com.docker.compose.project": "", caddy: "x" })
    assert.notProperty(Labels, "org.opencontainers.image.title")
  })

  it("has the limits of the settings where the spec says none", () => {
    const limited = (spec: GameSpec) =>
      (createBody(template(spec), { stateRoot: undefined, defaults: { memory: "64Mi", cpus: 1, pids: 100 } }, found()) as Record<string, any>).HostConfig
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

  it.each([
    ["a folder to start in", { working_dir: "/w" }, { WorkingDir: "/w" }], ["a user", { user: "7:8" }, { User: "7:8" }],
    ["a console", { tty: true, stdin: true }, { Tty: true, OpenStdin: true }]
  ] as const)("has %s where the spec says so", (_what, spec, wanted) => {
    assert.deepInclude(body(spec), wanted)
    for (const key of Object.keys(wanted)) assert.notProperty(body(), key)
  })

  it.each([
    ["no init process", { init: false }, { Init: false }],
    ["shared memory", { resources: { shm_size: "1Mi" } }, { ShmSize: 2 ** 20 }],
    ["ulimits", { resources: { ulimits: { nofile: { soft: 1, hard: 2 } } } }, { Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] }],
    ["capabilities beside none", { security: { cap_add: ["CHOWN"] } }, { CapDrop: ["ALL"], CapAdd: ["CHOWN"] }],
    ["a root that cannot be written", { security: { read_only_root: true } }, { ReadonlyRootfs: true }],
    ["an AppArmor profile beside the rest", { security: { apparmor: "game" } }, { SecurityOpt: ["no-new-privileges", "apparmor=game"] }],
    ["logs as the spec says", { logging: { driver: "local", max_size: "1Mi", max_files: 2 } }, { LogConfig: { Type: "local", Config: { "max-size": "1048576", "max-file": "2" } } }],
    ["one log file, which nothing compresses", { logging: { driver: "local", max_files: 1 } }, { LogConfig: { Type: "local", Config: { "max-size": "10000000", "max-file": "1", compress: "false" } } }],
    ["logs of one size where it says no other", {}, { LogConfig: { Type: "json-file", Config: { "max-size": "10000000", "max-file": "3" } } }],
    ["no logs", { logging: { driver: "none" } }, { LogConfig: { Type: "none", Config: {} } }]
  ] as const)("has %s", (_what, spec, wanted) => assert.deepInclude(body(spec).HostConfig, wanted))

  it("has the profile's own JSON, and every value of the environment, wherever it is from", () => {
    const { Env, HostConfig } = createBody(template({ security: { seccomp: "strict" } }), { stateRoot: undefined },
      { ...found(), contents: { env: { TOKEN: "of-a-file" }, seccomp: "{}" } }) as Record<string, any>
    assert.deepStrictEqual(HostConfig.SecurityOpt, ["no-new-privileges", "seccomp={}"])
    assert.include(Env, "TOKEN=of-a-file")
  })

  it("mounts what the spec names beside the state, with or without a folder for it", () => {
    const spec: GameSpec = {
      volumes: [{ name: "maps", target: "/maps", read_only: true }, { name: "saves", target: "/saves" }],
      tmpfs: [{ target: "/tmp" }, { target: "/run", size: "1Mi", mode: "0755" }], binds: [{ host_path: "/srv/a", target: "/a" }]
    }
    const labelled = { VolumeOptions: { Labels: { "com.galaxy.owner": "rtmanager" } } }
    const mounts = [
      { Type: "volume", Source: "maps", Target: "/maps", ReadOnly: true, ...labelled }, { Type: "volume", Source: "saves", Target: "/saves", ...labelled },
      { Type: "tmpfs", Target: "/tmp", TmpfsOptions: {} }, { Type: "tmpfs", Target: "/run", TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o755 } },
      { Type: "bind", Source: "/srv/a", Target: "/a", ReadOnly: true, BindOptions: { Propagation: "rprivate", NonRecursive: true } }
    ]
    assert.deepStrictEqual(body(spec).HostConfig.Mounts.slice(1), mounts)
    assert.deepStrictEqual(body(spec, "/srv/games").HostConfig.Mounts, mounts)
    assert.notProperty(body({}, "/srv/games").HostConfig, "Mounts")
  })

  it("names the networks that it is to be on in a label that no image may bring", () => {
    assert.strictEqual(body({ networks: [{ name: "a" }, { name: "b" }] }).Labels["com.galaxy.networks"], "a,b")
    assert.notProperty(body({ networks: [] }).Labels, "com.galaxy.networks")
    assert.strictEqual((createBody(template({}), { stateRoot: undefined }, found({}, ["com.galaxy.networks"])) as Record<string, any>).Labels["com.galaxy.networks"], "")
  })

  it("keeps the state in a volume of the game's name, or under the folder that is set", () => {
    assert.deepInclude(body().HostConfig.Mounts[0], { Type: "volume", Source: "galaxy-game-g1" })
    assert.deepStrictEqual(body({}, "/srv/games").HostConfig.Binds, ["/srv/games/galaxy-game-g1:/var/lib/galaxy-game"])
  })
})
