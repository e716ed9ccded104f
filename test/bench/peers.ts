/** Other managers of containers, asked for the same games: Swarm mode and Docker Compose. */
import type Docker from "dockerode"
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { cache, type TestEnvironment } from "../../scripts/lib/testEnvironment.ts"
import { debianTree } from "../../scripts/lib/engines.ts"
import { until } from "../support/until.ts"
import { removeVolumes } from "./games.ts"
import { pooled, seconds } from "./measure.ts"

const state = "/var/lib/galaxy-game"
const label = { "bench.peer": "1" }
const pids = 512

const runningPeers = async (docker: Docker, filter: string): Promise<number> =>
  (await docker.listContainers({ filters: { label: [filter], status: ["running"] } })).length

/** `count` services of one replica each on an overlay network; services a second until all their containers run. */
export const swarmRate = async (docker: Docker, image: string, count: number): Promise<number> => {
  await docker.swarmInit({ ListenAddr: "127.0.0.1:23770", AdvertiseAddr: "127.0.0.1", ForceNewCluster: false })
  try {
    const network = await docker.createNetwork({ Name: "bench-overlay", Driver: "overlay", Attachable: false })
    const took = await seconds(async () => {
      await pooled(Array.from({ length: count }, (_, index) => `peer-${index}`), 16, async (name) => {
        await docker.createService({
          Name: name, Labels: label,
          TaskTemplate: {
            ContainerSpec: {
              Image: image, Labels: label, Hostname: name, Env: [`GAME_STATE_PATH=${state}`], Init: true, CapabilityDrop: ["ALL"],
              Mounts: [{ Type: "volume", Source: `bench-swarm-${name}`, Target: state }]
            },
            Resources: { Limits: { Pids: pids } },
            RestartPolicy: { Condition: "none" },
            Networks: [{ Target: network.id, Aliases: [name] }]
          },
          Mode: { Replicated: { Replicas: 1 } }
        } as unknown as Docker.CreateServiceOptions)
      })
      await until("all services run", async () => (await runningPeers(docker, "bench.peer=1")) === count, 300_000, 100)
    })
    return count / took
  } finally {
    for (const service of await docker.listServices()) await docker.getService(service.ID).remove()
    await until("all services are gone", async () => (await docker.listContainers({ all: true, filters: { label: ["bench.peer=1"] } })).length === 0, 120_000, 200)
    await docker.swarmLeave({ force: true })
    await removeVolumes(docker, /^bench-swarm-/)
  }
}

/** One service of `count` replicas by Docker Compose; containers a second until it answers and all run. */
export const composeRate = async (environment: TestEnvironment, host: string, docker: Docker, image: string, count: number): Promise<number> => {
  const tree = debianTree(cache, "compose", "sid", ["docker-compose", "docker-cli", "ca-certificates"], true)
  const folder = join(environment.folder, "compose")
  const inside = join(tree, folder)
  mkdirSync(folder, { recursive: true })
  mkdirSync(inside, { recursive: true })
  const socketFolder = join(new URL(host).pathname, "..")
  mkdirSync(join(tree, socketFolder), { recursive: true })
  writeFileSync(join(inside, "compose.yaml"), JSON.stringify({
    name: "benchpeer",
    services: { g: {
      image, init: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges"], pids_limit: pids, pull_policy: "never",
      environment: { GAME_STATE_PATH: state }, volumes: [{ type: "volume", target: state }], networks: ["games"]
    } },
    networks: { games: {} }
  }))
  const compose = (...args: ReadonlyArray<string>): void => {
    const { status } = spawnSync("unshare", ["-m", "--propagation", "private", "bash", "-c",
      `mount --bind ${socketFolder} ${tree}${socketFolder} && mount -t proc proc ${tree}/proc && exec chroot ${tree} env DOCKER_HOST=${host} docker compose -f ${folder}/compose.yaml ${args.join(" ")}`],
      { stdio: ["ignore", "ignore", "pipe"] })
    if (status !== 0) throw new Error(`docker compose ${args.join(" ")} ended with ${status}`)
  }
  try {
    const took = await seconds(async () => {
      compose("up", "-d", "--scale", `g=${count}`)
      await until("all run", async () => (await runningPeers(docker, "com.docker.compose.project=benchpeer")) === count, 300_000, 100)
    })
    return count / took
  } finally {
    compose("down", "-v", "-t", "0")
    rmSync(inside, { recursive: true, force: true })
  }
}
