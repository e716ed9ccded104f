/**
 * Addresses of PostgreSQL. The client's own reading of one is left where it is right; where it would wait for ever for what can
 * never be (a database by a name that is still encoded, an IPv6 host, a setting of libpq that the server does not know) or try
 * without a pause (several hosts, none of which answers), it is read here.
 */
import { Result } from "effect"
import { connect, Socket } from "node:net"

export interface Host {
  readonly host: string
  readonly port: number
}

/** What the client is given: an address with one host, and what that address cannot say. */
export interface ClientAddress {
  readonly url: string
  readonly hosts: ReadonlyArray<Host>
  readonly database: string | undefined
}

/** Settings of libpq's addresses that this client neither carries out nor may pass over; it would send them to the server. */
const unknownSettings = /^(?:channel_binding|client_encoding|dbname|gss.*|host|hostaddr|keepalives.*|krbsrvname|load_balance_hosts|password|passfile|port|requirepeer|require_auth|service.*|ssl(?!mode$|negotiation$|$).*|tcp_user_timeout|user)$/
const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
/** The controller writes: a server that takes no writes is none for it. */
const sessions = ["any", "read-write", "primary"]

/** `%` of an address that begins no escape, which nobody can decode. */
const strayPercent = /%(?![0-9A-Fa-f]{2})/

const parts = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(?:\/([^?#]*))?(\?[^#]*)?$/

/** The address, or what is wrong with it: a sentence without any part of it that may be secret. */
export const readAddress = (text: string): Result.Result<ClientAddress, string> => {
  if (strayPercent.test(text)) return Result.fail("has a % that begins no escape: a % in user or password is written %25")
  const match = parts.exec(text)
  if (match === null) return Result.fail("is no address: / ? # and @ in user or password are written %2F %3F %23 %40")
  const [, scheme, user = "", authority, database = "", query = ""] = match
  const hosts = (authority || "localhost").split(",").map(readHost)
  const wrong = hosts.find((host) => typeof host === "string") ?? settingProblem(new URLSearchParams(query))
  if (typeof wrong === "string") return Result.fail(wrong)
  const kept = new URLSearchParams(query)
  kept.delete("target_session_attrs")
  const settings = kept.size === 0 ? "" : `?${kept}`
  return Result.succeed({
    url: `${scheme}${user}localhost/${settings}`,
    hosts: hosts as ReadonlyArray<Host>,
    database: database === "" ? undefined : decodeURIComponent(database)
  })
}

const readHost = (text: string): Host | string => {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[3] ?? 5432)
  return match !== null && port >= 1 && port <= 65_535
    ? { host: (match[1] ?? match[2])!, port }
    : "takes hosts like db, db:5433, [::1]:5432, several with commas between them"
}

const settingProblem = (settings: URLSearchParams): string | undefined => {
  const unknown = [...settings.keys()].find((name) => unknownSettings.test(name))
  if (unknown !== undefined) return `has ${unknown}, which is not known here: take it out${unknown === "channel_binding" ? ", and let sslmode=verify-full prove the server" : ""}`
  const allowed = (name: string, values: ReadonlyArray<string>) => {
    const value = settings.get(name)
    return value === null || values.includes(value) ? undefined : `has another ${name} than ${values.join(", ")}`
  }
  return allowed("sslmode", sslModes) ?? allowed("target_session_attrs", sessions)
}

/** What the client is told beside the address' url; with one host it makes its sockets itself. */
export const reach = (text: string, { database, hosts }: ClientAddress) => ({
  // As lists, which the client takes and its types do not know: a text it would split at its colons.
  host: [hosts[0]!.host] as unknown as string,
  port: [hosts[0]!.port] as unknown as number,
  ...(database === undefined ? {} : { database }),
  ...(hosts.length === 1 ? {} : { socket: socketTo(text, hosts) })
})

/** Which of an address' hosts is asked first: the last one that answered. Shared by all of a process, so that all go to one server. */
const firstByAddress = new Map<string, number>()

/** The server that answers now is not the right one: the next host is asked first from now on. */
export const askNextHost = (text: string): void => {
  firstByAddress.set(text, (firstByAddress.get(text) ?? 0) + 1)
}

const connectMs = 3000

/**
 * A connected socket to the first host that takes one. Never rejects: the client forgets a connection whose socket was never
 * made; one that ends with the reason is tried again with its back-off.
 */
const socketTo = (text: string, hosts: ReadonlyArray<Host>) => async (): Promise<Socket> => {
  const first = firstByAddress.get(text) ?? 0
  let why: unknown
  for (let index = first; index < first + hosts.length; index++) {
    try {
      const socket = await connected(hosts[index % hosts.length]!)
      firstByAddress.set(text, index % hosts.length)
      return socket
    } catch (error) {
      why = error
    }
  }
  return endingWith(why as Error)
}

const connected = ({ host, port }: Host): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: connectMs }, () => {
      socket.setTimeout(0)
      socket.removeAllListeners()
      // Where the client looks for the name that the server's certificate must have.
      resolve(Object.assign(socket, { host, port }))
    })
    socket.once("timeout", () => socket.destroy(new Error(`connect CONNECT_TIMEOUT ${host}:${port}`)))
    socket.once("error", reject)
  })

const endingWith = (why: Error): Socket => {
  const socket = new Socket()
  setImmediate(() => socket.destroy(why))
  return socket
}
