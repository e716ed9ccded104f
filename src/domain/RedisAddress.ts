/** Where Redis is: one server, the master that sentinels name, or a cluster. Pure text to address. */

export interface HostPort {
  readonly host: string
  readonly port: number
}

interface Credentials {
  readonly username?: string
  readonly password?: string
  readonly tls: boolean
}

export type RedisAddress =
  | { readonly _tag: "Single"; readonly url: string }
  | Credentials & {
    readonly _tag: "Sentinel"
    readonly hosts: ReadonlyArray<HostPort>
    readonly master: string
    readonly db: number
    readonly sentinelUsername?: string
    readonly sentinelPassword?: string
  }
  | Credentials & { readonly _tag: "Cluster"; readonly hosts: ReadonlyArray<HostPort> }

export const redisAddressForms = [
  "redis://[user:password@]host:port[/db]",
  "redis+sentinel://[user:password@]host:port,host:port/master-name[/db]",
  "redis+cluster://[user:password@]host:port,host:port",
  "rediss... with TLS"
].join(", ")

const form = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/

/** undefined: it is no address of Redis, in one of `redisAddressForms`. */
export const parseRedisAddress = (text: string): RedisAddress | undefined => {
  try {
    return /^rediss?:/.test(text) ? single(text) : several(text)
  } catch {
    // What is no percent-encoding cannot be decoded, here or by the client.
    return undefined
  }
}

const single = (text: string): RedisAddress | undefined => {
  const url = new URL(text)
  decodeURIComponent(url.username)
  decodeURIComponent(url.password)
  return { _tag: "Single", url: text }
}

const several = (text: string): RedisAddress | undefined => {
  const match = form.exec(text)
  if (match === null) return undefined
  const [, scheme, kind, login, hostList, path = "", query = ""] = match
  const hosts = hostList!.split(",").map((host) => hostPort(host, kind === "sentinel" ? 26_379 : 6379))
  if (!hosts.every((host) => host !== undefined)) return undefined
  const credentials = { ...loginOf(login), tls: scheme === "rediss" }
  if (kind === "cluster") return path === "" ? { _tag: "Cluster", hosts, ...credentials } : undefined
  const [master = "", db = "0", ...rest] = path.split("/").map(decodeURIComponent)
  if (master === "" || rest.length > 0 || !/^\d{1,4}$/.test(db)) return undefined
  const asked = new URLSearchParams(query)
  const [sentinelUsername, sentinelPassword] = [asked.get("sentinel_username"), asked.get("sentinel_password")]
  return {
    _tag: "Sentinel", hosts, master, db: Number(db), ...credentials,
    ...(sentinelUsername === null ? {} : { sentinelUsername }),
    ...(sentinelPassword === null ? {} : { sentinelPassword })
  }
}

const hostPort = (text: string, standard: number): HostPort | undefined => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?$/.exec(text)
  const port = match?.[3] === undefined ? standard : Number(match[3])
  return match === null || port === 0 || port > 65_535 ? undefined : { host: (match[1] ?? match[2])!, port }
}

const loginOf = (text: string | undefined): { readonly username?: string; readonly password?: string } => {
  if (text === undefined || text === "") return {}
  const colon = text.indexOf(":")
  const [username, password] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)]
  return {
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) })
  }
}

/** The cluster that a single address turned out to be a node of. */
export const asCluster = (address: RedisAddress): RedisAddress => {
  if (address._tag !== "Single") return address
  const url = new URL(address.url)
  const host = url.hostname.replace(/^\[|\]$/g, "")
  return {
    _tag: "Cluster", hosts: [{ host, port: Number(url.port || 6379) }], tls: url.protocol === "rediss:",
    ...loginOf(url.username === "" && url.password === "" ? undefined : `${url.username}:${url.password}`)
  }
}
