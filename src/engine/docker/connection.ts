/** How the Docker Engine is reached: DOCKER_HOST as the docker CLI reads it, connections of our own, API version agreed. */
import { readFileSync } from "node:fs"
import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import { join } from "node:path"
import { inspect } from "node:util"
import Docker from "dockerode"

export interface ConnectionOptions {
  /** `unix:///var/run/docker.sock` or `tcp://host:port`. */
  readonly host: string
  /** Use TLS with the files `ca.pem`, `cert.pem` and `key.pem` of this folder. */
  readonly certPath: string | undefined
}

/** Calls in flight are bounded by the adapter; the agent must never make one wait, for it was let through by then. */
const maxSockets = 256

/**
 * The client prints the options of each call into a debug text, hidden properties and all, also when nobody reads it: of
 * an agent with its sockets that costs milliseconds a call, far more than the call itself.
 */
const opaque = <A extends HttpAgent>(agent: A): A => Object.defineProperty(agent, inspect.custom, { value: () => "Agent" })

/**
 * A client with an agent of its own. `lasting` is for streams that stay open: each gets a fresh connection, so that it
 * neither takes a place among the calls nor inherits a connection that an engine's restart left half-closed.
 */
export const connect = (options: ConnectionOptions, lasting: boolean): Docker => {
  const url = new URL(options.host)
  const agentOptions = { keepAlive: !lasting, maxSockets, timeout: 0, ...(lasting ? {} : { keepAliveMsecs: 5000 }) }
  if (url.protocol === "unix:") {
    return new Docker({ socketPath: url.pathname, agent: opaque(new HttpAgent(agentOptions)) } as Docker.DockerOptions)
  }
  const { certPath } = options
  const tls = certPath === undefined ? undefined : {
    ca: readFileSync(join(certPath, "ca.pem")),
    cert: readFileSync(join(certPath, "cert.pem")),
    key: readFileSync(join(certPath, "key.pem"))
  }
  return new Docker({
    host: url.hostname,
    port: url.port === "" ? (tls ? 2376 : 2375) : Number(url.port),
    protocol: tls ? "https" : "http",
    ...tls,
    agent: opaque(tls ? new HttpsAgent({ ...agentOptions, ...tls }) : new HttpAgent(agentOptions))
  } as Docker.DockerOptions)
}

/** The newest API that this adapter was written for. */
const newestApi = "1.51"

const parts = (version: string): readonly [number, number] => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return [major, minor]
}

/** The engine's newest API or ours, whichever is older: engines share no one version (20.10 ends at 1.41, 29 begins at 1.44). */
export const agreedApi = (engines: string): string => {
  const [major, minor] = parts(engines)
  const [ourMajor, ourMinor] = parts(newestApi)
  return major < ourMajor || (major === ourMajor && minor < ourMinor) ? engines : newestApi
}

/** Sets the API version of every call of `client` from here on. */
export const useApi = (client: Docker, version: string): void => {
  ;(client.modem as unknown as { version: string }).version = `v${version}`
}
