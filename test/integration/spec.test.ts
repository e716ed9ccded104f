/** What a spec says, as both engines show it and as it is from inside the container. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { GameId } from "../../src/domain/GameId.ts"
import type { GameSpec } from "../../src/domain/GameSpec.ts"
import type { ContainerEngine, ContainerTemplate, EngineError } from "../../src/engine/ContainerEngine.ts"
import { connectEngine } from "../support/badEngine.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

/** Forbids one call, so that it is seen that the profile holds. */
const noMkdir = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }] }

describe.each(environment.engines)("a spec on $name", ({ host }) => {
  const world = new World(host)
  const folder = mkdtempSync(join(tmpdir(), "rtm-spec-"))
  const extra = `${world.name}-arena`
  let engine: ContainerEngine["Service"]
  let close: () => Promise<void>

  beforeAll(async () => {
    await world.open()
    mkdirSync(join(folder, "secrets/g1"), { recursive: true })
    writeFileSync(join(folder, "secrets/g1/token"), "t0ken-of-a-file\n")
    mkdirSync(join(folder, "seccomp"))
    writeFileSync(join(folder, "seccomp/no-mkdir.json"), JSON.stringify(noMkdir))
    await world.docker.createNetwork({ Name: extra })
    ;({ close, engine } = await connectEngine(host, { network: world.network, secretsRoot: join(folder, "secrets"), seccompRoot: join(folder, "seccomp") }))
  })
  afterEach(() => world.removeContainers())
  afterAll(async () => {
    await close()
    await world.removeContainers()
    await world.docker.getNetwork(extra).remove().catch(() => {})
    await world.close()
    rmSync(folder, { recursive: true })
  })

  const template = (spec: GameSpec): ContainerTemplate =>
    ({ gameId: "g1" as GameId, imageRef: environment.images.game, generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 1000, spec })
  const run = <A>(effect: Effect.Effect<A, EngineError>) => Effect.runPromise(effect)
  const failure = (spec: GameSpec) => Effect.runPromise(Effect.flip(engine.create(template(spec))))
  const sleeps = ["/bin/sh", "-c", "sleep 1000"]

  /** Made, started and looked at. */
  const started = async (spec: GameSpec) => {
    const id = await run(engine.create(template({ command: sleeps, ...spec })))
    await run(engine.start(id))
    return { id, seen: await world.docker.getContainer(id).inspect() as Record<string, any> }
  }
  /** What a script inside says, with all that it complains of. */
  const inside = async (id: string, script: string): Promise<string> => {
    const exec = await world.docker.getContainer(id).exec({ Cmd: ["/bin/sh", "-c", `(${script}) 2>&1`], AttachStdout: true, Tty: true })
    const stream = await exec.start({ Tty: true })
    let text = ""
    for await (const chunk of stream) text += String(chunk)
    return text.replaceAll("\r", "").trim()
  }

  it("hardens a game as it says, field by field, from outside and inside", async () => {
    const maps = `${world.name}-maps`
    const { id, seen } = await started({
      working_dir: "/srv/game", user: "1000:1001",
      env: { PLAIN: "p", TOKEN: { from_file: "g1/token" }, MARKED: { value: "m4rked", secret: true } },
      resources: { cpus: 0.5, memory: "64Mi", pids: 20, shm_size: "1Mi", ulimits: { nofile: { soft: 100, hard: 200 } } },
      tty: true, stdin: true,
      volumes: [{ name: maps, target: "/maps", read_only: true }],
      tmpfs: [{ target: "/scratch", size: "1Mi", mode: "0777" }],
      security: { cap_add: ["NET_BIND_SERVICE"], read_only_root: true },
      logging: { driver: "local", max_size: "1Mi", max_files: 1 }
    })
    assert.deepInclude(seen.Config, { WorkingDir: "/srv/game", User: "1000:1001", Tty: true, OpenStdin: true })
    assert.includeMembers(seen.Config.Env, ["PLAIN=p", "TOKEN=t0ken-of-a-file", "MARKED=m4rked"])
    assert.deepInclude(seen.HostConfig, {
      Init: true, CapDrop: ["ALL"], ReadonlyRootfs: true, SecurityOpt: ["no-new-privileges"], PidsLimit: 20, NanoCpus: 5e8, Memory: 64 * 2 ** 20,
      MemorySwap: 64 * 2 ** 20, ShmSize: 2 ** 20, Ulimits: [{ Name: "nofile", Soft: 100, Hard: 200 }], Privileged: false, PublishAllPorts: false,
      LogConfig: { Type: "local", Config: { "max-size": String(2 ** 20), "max-file": "1", compress: "false" } }
    })
    assert.deepStrictEqual(seen.HostConfig.CapAdd.map((name: string) => name.replace(/^CAP_/, "")), ["NET_BIND_SERVICE"])
    assert.strictEqual(await inside(id, "id -u; id -g; busybox pwd; echo $TOKEN; ulimit -n"), "1000\n1001\n/srv/game\nt0ken-of-a-file\n100")
    assert.match(await inside(id, "busybox grep CapEff /proc/self/status"), /0000000000000000$/)
    assert.match(await inside(id, "busybox grep NoNewPrivs /proc/self/status"), /1$/)
    assert.match(await inside(id, "echo x > /bin/x; echo x > /maps/x"), /\/bin\/x: Read-only[\s\S]*\/maps\/x: Read-only/)
    assert.match(await inside(id, "dd if=/dev/zero of=/scratch/big bs=64k count=32"), /No space left/)
    assert.match(await inside(id, "dd if=/dev/zero of=/dev/shm/big bs=64k count=32"), /No space left/)
    assert.match(await inside(id, "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done"), /can't fork/)
    await world.docker.getVolume(maps).inspect()
    await world.docker.getContainer(id).remove({ force: true, v: true })
    await world.docker.getVolume(maps).remove()
  })

  it("leaves root itself without a capability, and a folder of the host to be read only", async () => {
    const { id } = await started({ binds: [{ host_path: "/etc", target: "/of-host" }], security: { seccomp: "no-mkdir" }, init: false })
    assert.strictEqual(await inside(id, "id -u"), "0")
    assert.match(await inside(id, "busybox grep CapEff /proc/self/status"), /0000000000000000$/)
    assert.match(await inside(id, "ls /of-host"), /passwd/)
    assert.match(await inside(id, "echo x > /of-host/rtm-test"), /Read-only/)
    assert.match(await inside(id, "mkdir /tmp/new"), /Operation not permitted/)
    assert.strictEqual(await inside(id, "busybox mount -t tmpfs none /tmp || echo refused").then((text) => text.split("\n").at(-1)), "refused")
    assert.strictEqual((await world.docker.getContainer(id).inspect()).HostConfig.Init, false)
  })

  it("connects a game to more networks, under its names there, before it is started", async () => {
    const id = await run(engine.create(template({ command: sleeps, networks: [{ name: extra, aliases: ["red-team"] }] })))
    assert.strictEqual((await run(engine.inspect(id)) as { startError: string }).startError, "")
    await run(engine.start(id))
    const { Networks } = (await world.docker.getContainer(id).inspect()).NetworkSettings
    assert.sameMembers(Object.keys(Networks), [world.network, extra])
    assert.include(Networks[extra]!.Aliases, "red-team")
    assert.include(await inside(id, "busybox nslookup red-team 127.0.0.11"), "red-team")
  })

  it("never starts a game that was not connected to all of them", async () => {
    const id = await run(engine.create(template({ command: sleeps, networks: [{ name: extra }] })))
    await world.docker.getNetwork(extra).disconnect({ Container: id, Force: true })
    assert.match((await run(engine.inspect(id)) as { startError: string }).startError, new RegExp(`not connected to the network ${extra}`))
  })

  it.each([
    ["a network that is not there", { networks: [{ name: "nosuch" }] }, /^spec\.networks\.0\.name: there is no network nosuch$/],
    ["the games' own network once more", () => ({ networks: [{ name: world.network }] }), /the games' own network$/],
    ["a file that is not there", { env: { TOKEN: { from_file: "g1/nosuch" } } }, /^spec\.env\.TOKEN\.from_file: the file g1\/nosuch in RTM_SECRETS_ROOT is not there$/],
    ["a profile that is not there", { security: { seccomp: "nosuch" } }, /^spec\.security\.seccomp: the file nosuch\.json/],
    ["more memory than the host has", { resources: { memory: "900Ti" } }, /^spec\.resources\.memory: asks for \d+ bytes of memory, and the host has \d+$/],
    ["more CPUs than the host has", { resources: { cpus: 1000 } }, /^spec\.resources\.cpus: asks for 1000 CPUs, and the host has \d+$/]
  ] as const)("is not to be had with %s, which leaves nothing behind", async (_what, spec, message) => {
    const error = await failure(typeof spec === "function" ? spec() : spec)
    assert.strictEqual(error.reason, "Unmet")
    assert.match(error.message, message)
    assert.deepStrictEqual(await world.containers("g1"), [])
  })

  it("removes what its image's volumes brought, and publishes no port of it", async () => {
    const image = `${world.name}:volumes`
    const source = await world.docker.createContainer({ Image: environment.images.game })
    await source.commit({ repo: world.name, tag: "volumes", changes: "VOLUME /data\nUSER 7\nENV FROM_IMAGE=1\nEXPOSE 1234" })
    await source.remove({ v: true })
    const id = await run(engine.create({ ...template({ command: sleeps }), imageRef: image }))
    await run(engine.start(id))
    const seen = await world.docker.getContainer(id).inspect() as Record<string, any>
    assert.deepStrictEqual([seen.Config.User, seen.Config.Healthcheck.Test, seen.NetworkSettings.Ports["1234/tcp"]], ["7", ["NONE"], null])
    const [volume] = seen.Mounts.filter(({ Destination }: { Destination: string }) => Destination === "/data")
    await run(engine.kill(id, "SIGKILL"))
    await until("it ended", async () => !(await world.docker.getContainer(id).inspect()).State.Running)
    await run(engine.remove(id))
    const left = await world.docker.getVolume(volume.Name).inspect().then(() => true, () => false)
    assert.isFalse(left)
    await world.docker.getImage(image).remove()
  })
})
