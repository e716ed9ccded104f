/** One client of Redis, of whichever kind the address asks for. None of them sends anything twice, or waits for what is away. */
import { Cluster, Redis } from "ioredis"
import type { HostPort, RedisAddress } from "../../domain/RedisAddress.ts"

/** An answer that is later than this will not come. */
export const answerDeadlineMs = 5000

/** What both clients have, and is used. */
export type RedisClient = Pick<Redis,
  "memory" | "multi" | "pipeline" | "xack" | "xadd" | "xgroup" | "xinfo" | "xpending" | "xrange" | "xreadgroup" | "disconnect">

export interface Connection {
  readonly redis: RedisClient
  readonly connected: Promise<void>
  readonly hasEnded: () => boolean
  /** Gives what was written a moment to reach a replica, where there is one; a cluster's are not waited for. */
  readonly replicated: () => Promise<void>
  /** How often a node of a cluster came or went. */
  readonly changes: () => number
  /** Nodes to begin with next time: those that a cluster was found to have. */
  readonly nodes: () => ReadonlyArray<HostPort>
}

const common = (name: string) => ({
  connectionName: name,
  connectTimeout: 3000,
  commandTimeout: answerDeadlineMs,
  disconnectTimeout: 200,
  keepAlive: 10_000,
  maxRetriesPerRequest: 0
})
const once = () => null

export const connect = (address: RedisAddress, name: string, nodes: ReadonlyArray<HostPort>): Connection => {
  if (address._tag === "Cluster") return connectCluster(address, name, nodes)
  const redis = address._tag === "Single"
    ? new Redis(address.url, { ...common(name), lazyConnect: true, retryStrategy: once })
    : new Redis({ ...common(name), ...sentinelOptions(address), lazyConnect: true, retryStrategy: once })
  return { redis, connected: connecting(redis), hasEnded: () => redis.status === "end", changes: () => 0, replicated: waitForReplica(redis), nodes: () => [] }
}

const replicaWaitMs = 100
/** A replica that was too slow, or that nobody knew of, is not asked for again before. */
const replicasAgainMs = 10_000

const waitForReplica = (redis: Redis): (() => Promise<void>) => {
  let replicas = 0
  let askAtMs = 0
  return async () => {
    const nowMs = performance.now()
    if (nowMs >= askAtMs) {
      askAtMs = nowMs + replicasAgainMs
      // Who may not ask has none.
      const info = await redis.info("replication").catch(() => "")
      replicas = Number(/^connected_slaves:(\d+)/m.exec(info)?.[1] ?? 0)
    }
    if (replicas > 0) replicas = await redis.wait(1, replicaWaitMs).catch(() => 0)
  }
}

const sentinelOptions = (address: Extract<RedisAddress, { _tag: "Sentinel" }>) => ({
  sentinels: [...address.hosts],
  name: address.master,
  role: "master" as const,
  db: address.db,
  sentinelRetryStrategy: once,
  sentinelCommandTimeout: 2000,
  ...login(address),
  ...(address.tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  ...(address.sentinelUsername === undefined ? {} : { sentinelUsername: address.sentinelUsername }),
  ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword })
})

const connectCluster = (address: Extract<RedisAddress, { _tag: "Cluster" }>, name: string, nodes: ReadonlyArray<HostPort>): Connection => {
  const cluster = new Cluster([...address.hosts, ...nodes], {
    lazyConnect: true,
    clusterRetryStrategy: once,
    maxRedirections: 4,
    // A read that is sent again after its socket broke would pass over what the first answer brought.
    retryDelayOnFailover: 0,
    slotsRefreshTimeout: 2000,
    redisOptions: { ...common(name), ...login(address) }
  })
  let changes = 0
  for (const event of ["+node", "-node", "node error"]) cluster.on(event, () => changes++)
  return {
    redis: cluster,
    connected: connecting(cluster),
    hasEnded: () => cluster.status === "end",
    changes: () => changes,
    replicated: () => Promise.resolve(),
    nodes: () => cluster.nodes("all").flatMap(({ options: { host, port } }) => host === undefined || port === undefined ? [] : [{ host, port }])
  }
}

const login = ({ password, tls, username }: { readonly username?: string; readonly password?: string; readonly tls: boolean }) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls ? { tls: {} } : {})
})

/** Without a listener the client throws; and what it rejects with says only that the connection is closed. */
const connecting = (redis: Redis | Cluster): Promise<void> => {
  let why: unknown
  redis.on("error", (error: unknown) => {
    why = error
  })
  return redis.connect().catch((error: unknown) => Promise.reject(why ?? error))
}
