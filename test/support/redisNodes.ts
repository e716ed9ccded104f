/** Redis Cluster and Sentinel on the loopback: each server a process with a folder of its own. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cluster, Redis } from "ioredis"
import { ensureProgram, freePort } from "../../scripts/lib/run.ts"
import { until } from "./until.ts"

export interface Node {
  readonly port: number
  readonly redis: Redis
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  readonly close: () => Promise<void>
}

/** `lines`: its configuration, which it may write to. */
const node = async (port: number, lines: ReadonlyArray<string>, mode: ReadonlyArray<string> = []): Promise<Node> => {
  ensureProgram("redis-server", ["redis-server"])
  const folder = mkdtempSync(join(tmpdir(), "rtm-redis-"))
  const config = join(folder, "redis.conf")
  writeFileSync(config, [`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, "daemonize no", ...lines, ""].join("\n"))
  const child = spawn("redis-server", [config, ...mode], { stdio: "ignore" })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const kill = async () => {
    child.kill("SIGKILL")
    await ended
  }
  const redis = new Redis(port, "127.0.0.1", { retryStrategy: () => 100 })
  redis.on("error", () => {})
  await until(`node ${port} answers`, () => redis.ping())
  return {
    port, redis, kill,
    close: async () => {
      redis.disconnect()
      await kill()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** A server by itself that keeps nothing when it ends. */
export const serverAt = (port: number, ...lines: ReadonlyArray<string>): Promise<Node> => node(port, ['save ""', ...lines])
const server = async (...lines: ReadonlyArray<string>): Promise<Node> => serverAt(await freePort(), ...lines)

const slots = 16_384

export interface RedisCluster {
  readonly nodes: ReadonlyArray<Node>
  readonly url: string
  readonly client: () => Cluster
  /** The node that takes writes of a key. */
  readonly masterOf: (key: string) => Promise<Node>
  readonly close: () => Promise<void>
}

const clusterNode = async (): Promise<Node> =>
  server("cluster-enabled yes", `cluster-port ${await freePort()}`, "cluster-node-timeout 1000", "cluster-require-full-coverage no",
    "cluster-replica-validity-factor 0", "repl-diskless-sync-delay 0")

/** Three masters, each with a replica. */
export const startCluster = async (): Promise<RedisCluster> => {
  const nodes: Array<Node> = []
  for (let index = 0; index < 6; index++) nodes.push(await clusterNode())
  const masters = nodes.slice(0, 3)
  for (const [index, { redis }] of masters.entries()) {
    await redis.call("CLUSTER", "ADDSLOTSRANGE", Math.ceil(index * slots / 3), Math.ceil((index + 1) * slots / 3) - 1)
    await redis.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
  }
  for (const { port, redis } of nodes.slice(1)) {
    const busPort = Number((await redis.config("GET", "cluster-port") as [string, string])[1])
    await masters[0]!.redis.call("CLUSTER", "MEET", "127.0.0.1", port, busPort)
  }
  for (const { redis } of nodes) await until("all know each other", async () => /cluster_known_nodes:6/.test(await redis.call("CLUSTER", "INFO") as string))
  for (const [index, { redis }] of nodes.slice(3).entries()) {
    const id = await masters[index]!.redis.call("CLUSTER", "MYID") as string
    await until("it replicates", () => redis.call("CLUSTER", "REPLICATE", id).then(() => true, () => false))
  }
  for (const { redis } of nodes) await until("the cluster is well", async () => /cluster_state:ok/.test(await redis.call("CLUSTER", "INFO") as string))
  for (const { redis } of nodes.slice(3)) await until("it follows", async () => /master_link_status:up/.test(await redis.info("replication")))
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`
  return {
    nodes, url,
    client: () => {
      const client = new Cluster(nodes.map(({ port }) => ({ host: "127.0.0.1", port })), { retryDelayOnFailover: 200, clusterRetryStrategy: () => 200 })
      client.on("error", () => {})
      return client
    },
    masterOf: async (key) => {
      const slot = Number(await nodes[0]!.redis.call("CLUSTER", "KEYSLOT", key))
      const ranges = await nodes[0]!.redis.call("CLUSTER", "SLOTS") as ReadonlyArray<readonly [number, number, readonly [string, number]]>
      const [, , [, port]] = ranges.find(([from, to]) => from <= slot && slot <= to)!
      return nodes.find((each) => each.port === port)!
    },
    close: async () => void await Promise.all(nodes.map((each) => each.close()))
  }
}

export interface RedisSentinels {
  readonly servers: ReadonlyArray<Node>
  readonly hosts: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly url: string
  /** The server that the sentinels name. */
  readonly master: () => Promise<Node>
  readonly close: () => Promise<void>
}

/** A master, a replica, and three sentinels that find the master gone after half a second. */
export const startSentinels = async (): Promise<RedisSentinels> => {
  const master = await server("repl-diskless-sync-delay 0")
  const replica = await server("repl-diskless-sync-delay 0", `replicaof 127.0.0.1 ${master.port}`)
  await until("it follows", async () => /master_link_status:up/.test(await replica.redis.info("replication")))
  const servers = [master, replica]
  const sentinels = await Promise.all([0, 1, 2].map(async () => {
    const lines = [
      `sentinel monitor games 127.0.0.1 ${master.port} 2`, "sentinel down-after-milliseconds games 500", "sentinel failover-timeout games 3000"
    ]
    return node(await freePort(), lines, ["--sentinel"])
  }))
  for (const { redis } of sentinels) {
    await until("it knows all", async () => {
      const [first] = await redis.call("SENTINEL", "MASTERS") as ReadonlyArray<ReadonlyArray<string>>
      const field = (name: string) => first![first!.indexOf(name) + 1]
      return field("num-other-sentinels") === "2" && field("num-slaves") === "1"
    })
  }
  return {
    servers, hosts: sentinels.map(({ port }) => ({ host: "127.0.0.1", port })), url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/games`,
    master: async () => {
      const [, port] = await sentinels[0]!.redis.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "games") as readonly [string, string]
      return servers.find((each) => each.port === Number(port))!
    },
    close: async () => void await Promise.all([...sentinels, ...servers].map((each) => each.close()))
  }
}
