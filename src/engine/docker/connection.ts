/** How the Docker Engine is reached: DOCKER_HOST as the docker CLI reads it, connections of our own, API version agreed. */
import { readFileSync } from "node:fs"
import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import { join } from "node:path"
import { inspect } from "node:util"
import "./withoutExtras.ts"
import Docker from "dockerode"
import { Effect, type Scope } from "effect"

export interface ConnectionOptions {
  /** `unix:///var/run/docker.sock`, `tcp://host:port`, `http://host:port`, or `https://host:port`, which is TLS with or without files. */
  readonly host: string
  /** Use TLS with the files `ca.pem`, `cert.pem` and `key.pem` of this folder. */
  readonly certPath: string | undefined
}

/** What is in flight is bounded by the adapter; the agent must never make a call wait, for it was let through by then. */
const maxSockets = Infinity

/**
 * The client prints the options of each call into a debug text, hidden properties and all, also when nobody reads it: of
 * an agent with its sockets that costs milliseconds a call, far more than the call itself.
 */
const opaque = <A extends HttpAgent>(agent: A): A => Object.defineProperty(agent, inspect.custom, { value: () => "Agent" })

/**
 * A client with an agent of its own. `lasting` is for streams that stay open: each gets a fresh connection, so that it
 * neither takes a place among the calls nor inherits a connection that an engine's restart left half-closed. Its
 * connections end with the scope.
 */
export const connect = (options: ConnectionOptions, lasting: boolean): Effect.Effect<Docker, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => agentFor(options, lasting)), (agent) => Effect.sync(() => agent.destroy())),
    (agent) => new Docker({ ...nothingFromTheEnvironment, ...target(options), agent } as unknown as Docker.DockerOptions)
  )

/** The client reads DOCKER_HOST and its companions by itself, and takes seconds for milliseconds. */
const nothingFromTheEnvironment = {
  host: undefined, port: undefined, socketPath: undefined, pathPrefix: "/", protocol: "http", timeout: undefined,
  ca: undefined, cert: undefined, key: undefined, sshOptions: {}
}

const target = ({ certPath, host }: ConnectionOptions) => {
  // Not as a URL: a path may have spaces, which an address may not.
  if (host.startsWith("unix://")) return { socketPath: host.slice("unix://".length) }
  const { hostname, port } = new URL(host)
  const isTls = speaksTls({ certPath, host })
  return { host: hostname, port: port === "" ? (isTls ? 2376 : 2375) : Number(port), protocol: isTls ? "https" : "http", ...tlsFiles(certPath) }
}

const speaksTls = ({ certPath, host }: ConnectionOptions): boolean =>
  !host.startsWith("unix://") && (certPath !== undefined || new URL(host).protocol === "https:")

const tlsFiles = (certPath: string | undefined) => certPath === undefined ? {} : {
  ca: readFileSync(join(certPath, "ca.pem")),
  cert: readFileSync(join(certPath, "cert.pem")),
  key: readFileSync(join(certPath, "key.pem"))
}

const agentFor = (options: ConnectionOptions, lasting: boolean): HttpAgent => {
  const agentOptions = { keepAlive: !lasting, maxSockets, timeout: 0, ...(lasting ? {} : { keepAliveMsecs: 5000 }) }
  return opaque(speaksTls(options) ? new HttpsAgent({ ...agentOptions, ...tlsFiles(options.certPath) }) : new HttpAgent(agentOptions))
}

/** A GET whose method in the client forgets the abort signal. `path` ends with `?`, as the client wants it. */
export const get = (client: Docker, path: string, abortSignal: AbortSignal): Promise<unknown> =>
  new Promise((resolve, reject) => {
    client.modem.dial({
      path, method: "GET", abortSignal, options: {}, statusCodes: { 200: true, 400: "bad parameter", 404: "not found", 500: "server error" }
    } as never, (error: unknown, answer: unknown) => error ? reject(error) : resolve(answer))
  })

/** A POST of JSON whose method in the client forgets half of the answer. `path` ends with `?`, as the client wants it. */
export const post = (client: Docker, path: string, query: Readonly<Record<string, string>>, body: object, abortSignal: AbortSignal): Promise<unknown> =>
  new Promise((resolve, reject) => {
    client.modem.dial({
      path, method: "POST", abortSignal, options: { _query: query, _body: body },
      statusCodes: { 200: true, 201: true, 400: "bad parameter", 404: "not found", 500: "server error" }
    } as never, (error: unknown, answer: unknown) => error ? reject(error) : resolve(answer))
  })

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
