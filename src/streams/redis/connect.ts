/** One client of Redis, of whichever kind the address asks for. None of them sends anything twice, or waits for what is away. */
import { Cluster, Redis } from "ioredis"
import type { HostPort, RedisAddress } from "../../domain/RedisAddress.ts"

/** An answer that is later than this will not come. */
export const answerDeadlineMs = 5000

/** What both clients have, and is used. */
export type RedisClient = Pick<Redis,
  "multi" | "pipeline" | "wait" | "xack" | "xadd" | "xgroup" | "xpending" | "xrange" | "xreadgroup" | "info" | "get" | "set" | "disconnect" | "time">

export interface Connection {
  readonly redis: RedisClient
  readonly connected: Promise<void>
  readonly hasEnded: () => boolean
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
  return { redis, connected: connecting(redis), hasEnded: () => redis.status === "end", nodes: () => [] }
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
  return {
    redis: cluster,
    connected: connecting(cluster),
    hasEnded: () => cluster.status === "end",
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
