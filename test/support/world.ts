/**
 * A world for one end-to-end test file: a database, streams and a network of its own on the test environment, and
 * controllers run as the processes that users run.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import type Docker from "dockerode"
import { Redis } from "ioredis"
import postgres from "postgres"
import { dockerAt } from "../../scripts/lib/images.ts"
import { freePort } from "../../scripts/lib/run.ts"
import { controllerFlags } from "../../scripts/lib/run.ts"
import { environment } from "./environment.ts"
import { until } from "./until.ts"

export interface ControllerProcess {
  readonly process: ChildProcess
  readonly httpPort: number
  readonly log: () => string
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
  readonly readyz: () => Promise<{ readonly status: number; readonly body: { readonly ready: boolean; readonly checks: Record<string, { ok: boolean; message: string }> } }>
}

export type Fields = Record<string, string>
export interface Entry {
  readonly id: string
  readonly fields: Fields
}

const owner = "com.galaxy.owner=rtmanager"

export class World {
  readonly name = `t${randomBytes(4).toString("hex")}`
  readonly docker: Docker
  readonly engineHost: string
  readonly redis: Redis
  readonly network = `${this.name}-net`
  readonly databaseUrl: string
  readonly sql: postgres.Sql
  readonly #controllers: Array<ControllerProcess> = []
  readonly #admin: postgres.Sql

  constructor(engineHost: string) {
    this.engineHost = engineHost
    this.docker = dockerAt(engineHost)
    this.redis = new Redis(environment.redisUrl)
    this.redis.on("error", () => {})
    const url = new URL(environment.databaseUrl)
    url.pathname = `/${this.name}`
    this.databaseUrl = url.href
    const options = { max: 2, onnotice: () => {}, backoff: (() => 0.1) as unknown as boolean }
    this.#admin = postgres(environment.databaseUrl, { ...options, max: 1 })
    this.sql = postgres(this.databaseUrl, options)
  }

  async open(): Promise<void> {
    await this.#admin.unsafe(`CREATE DATABASE ${this.name}`)
  }

  /** Removes every trace, whatever state the test left. */
  async close(): Promise<void> {
    for (const controller of this.#controllers) await controller.kill("SIGKILL")
    await this.removeContainers()
    for (const volume of (await this.docker.listVolumes({ filters: { label: [owner] } } as unknown as Docker.VolumeListOptions)).Volumes ?? []) {
      await this.docker.getVolume(volume.Name).remove().catch(() => {})
    }
    for (const network of await this.docker.listNetworks()) {
      if (network.Name === this.network) await this.docker.getNetwork(network.Id).remove().catch(() => {})
    }
    await this.sql.end({ timeout: 1 })
    await this.#admin.unsafe(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`)
    await this.#admin.end({ timeout: 1 })
    const keys = await this.redis.keys(`${this.name}:*`)
    if (keys.length > 0) await this.redis.del(...keys)
    this.redis.disconnect()
  }

  /** Until none comes any more: what a killed controller had asked for last, the engine carries out all the same. */
  async removeContainers(): Promise<void> {
    let none = 0
    await until("no container is left", async () => {
      const all = await this.docker.listContainers({ all: true, filters: { label: [owner] } })
      await Promise.all(all.map((one) => this.docker.getContainer(one.Id).remove({ force: true, v: true }).catch(() => {})))
      none = all.length === 0 ? none + 1 : 0
      return none === 10
    }, 120_000, 50)
  }

  stream(name: string): string {
    return `${this.name}:${name}`
  }

  /** A controller as users run it; waits until it is ready unless told otherwise. */
  async start(env: Record<string, string> = {}, ready = true): Promise<ControllerProcess> {
    const httpPort = await freePort()
    const child = spawn(process.execPath, [...controllerFlags, "src/main.ts"], {
      env: {
        PATH: process.env.PATH, HOME: process.env.HOME,
        DATABASE_URL: this.databaseUrl, REDIS_URL: environment.redisUrl, DOCKER_HOST: this.engineHost,
        RTM_DOCKER_NETWORK: this.network, RTM_HTTP_ADDR: `127.0.0.1:${httpPort}`, RTM_LOG_FORMAT: "json", RTM_LOG_LEVEL: "debug",
        RTM_RECONCILE_INTERVAL: "500ms",
        RTM_STREAM_START_JOBS: this.stream("start_jobs"), RTM_STREAM_STOP_JOBS: this.stream("stop_jobs"),
        RTM_STREAM_JOB_RESULTS: this.stream("job_results"), RTM_STREAM_HEALTH_EVENTS: this.stream("health_events"),
        RTM_STREAM_NOTIFICATIONS: this.stream("intents"), RTM_STREAM_DEAD_JOBS: this.stream("dead_jobs"),
        ...env
      },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let text = ""
    child.stdout.on("data", (chunk) => { text += chunk })
    child.stderr.on("data", (chunk) => { text += chunk })
    const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()))
    const controller: ControllerProcess = {
      process: child,
      httpPort,
      log: () => text,
      kill: async (signal) => {
        if (child.exitCode === null && child.signalCode === null) child.kill(signal)
        await ended
      },
      readyz: async () => {
        const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`)
        return { status: answer.status, body: await answer.json() as never }
      }
    }
    this.#controllers.push(controller)
    if (ready) {
      await until("the controller is ready", async () => {
        if (child.exitCode !== null) throw new Error(`it ended: ${text}`)
        return (await controller.readyz()).status === 200
      }).catch((error: Error) => { throw new Error(`${error.message}\n${text}`) })
    }
    return controller
  }

  xadd(stream: string, fields: Fields): Promise<string> {
    return this.redis.xadd(this.stream(stream), "*", ...Object.entries(fields).flat()) as Promise<string>
  }

  startJob(gameId: string, imageRef: string = environment.images.game, more: Fields = {}): Promise<string> {
    return this.xadd("start_jobs", { game_id: gameId, image_ref: imageRef, ...more })
  }

  stopJob(gameId: string, reason = "finished"): Promise<string> {
    return this.xadd("stop_jobs", { game_id: gameId, reason })
  }

  /** As a reader sees it that drops repeats: delivery is at least once, and a repeat has the `event_id` of the first. */
  async told(stream: string): Promise<ReadonlyArray<Fields>> {
    const byId = new Map((await this.entries(stream)).map(({ fields }) => [fields.event_id!, fields]))
    return [...byId.values()]
  }

  async entries(stream: string): Promise<ReadonlyArray<Entry>> {
    const found = await this.redis.xrange(this.stream(stream), "-", "+")
    return found.map(([id, flat]) => ({
      id,
      fields: Object.fromEntries(flat.flatMap((name, index) => index % 2 === 0 ? [[name, flat[index + 1]!]] : []))
    }))
  }

  /** Results of a job; there must never be two. A start and a stop that were sent within a millisecond may have the same id. */
  async results(jobId: string, kind?: "start" | "stop"): Promise<ReadonlyArray<Fields>> {
    return (await this.told("job_results")).filter((fields) => fields.job_id === jobId && (kind === undefined || fields.job_kind === kind))
  }

  result(jobId: string, deadlineMs = 30_000, kind?: "start" | "stop"): Promise<Fields> {
    return until(`result of job ${jobId}`, async () => (await this.results(jobId, kind))[0], deadlineMs)
  }

  async health(gameId: string, type?: string): Promise<ReadonlyArray<Fields>> {
    return (await this.told("health_events")).filter((fields) => fields.game_id === gameId && (type === undefined || fields.event_type === type))
  }

  async record(gameId: string): Promise<Record<string, any> | undefined> {
    return (await this.sql`SELECT * FROM rtmanager.runtime_records WHERE game_id = ${gameId}`)[0]
  }

  status(gameId: string, status: string, deadlineMs = 30_000): Promise<Record<string, any>> {
    return until(`${gameId} is recorded as ${status}`, async () => {
      const record = await this.record(gameId)
      return record?.status === status ? record : undefined
    }, deadlineMs)
  }

  async operations(gameId: string, kind?: string): Promise<ReadonlyArray<Record<string, any>>> {
    const all = await this.sql`SELECT * FROM rtmanager.operation_log WHERE game_id = ${gameId} ORDER BY id`
    return all.filter((operation) => kind === undefined || operation.op_kind === kind)
  }

  insertGame(gameId: string, row: { image?: string; policy?: string; spec?: unknown } = {}) {
    return this.sql`INSERT INTO rtmanager.games (game_id, image_ref, restart_policy, spec) VALUES (
      ${gameId}, ${row.image ?? environment.images.game}, ${row.policy ?? "always"}, ${JSON.stringify(row.spec ?? {})}::text::jsonb)`
  }

  containers(gameId: string): Promise<ReadonlyArray<Docker.ContainerInfo>> {
    return this.docker.listContainers({ all: true, filters: { label: [owner, `com.galaxy.game_id=${gameId}`] } })
  }

  /** The games' network, made before any controller makes it, with room for thousands: an engine's own pools may have 253 addresses each. */
  async makeWideNetwork(): Promise<void> {
    await this.docker.createNetwork({ Name: this.network, Driver: "bridge", IPAM: { Driver: "default", Config: [{ Subnet: "10.199.0.0/20" }] } })
  }

  /** A container made by hand with the five labels. */
  async runByHand(gameId: string, options: { name?: string; labels?: Record<string, string>; image?: string; restarts?: boolean } = {}): Promise<string> {
    const image = options.image ?? environment.images.game
    const name = `galaxy-game-${gameId}`
    const container = await this.docker.createContainer({
      name: options.name ?? `${name}-manual`, Image: image, Hostname: name,
      Labels: options.labels ?? {
        "com.galaxy.owner": "rtmanager", "com.galaxy.kind": "game-engine", "com.galaxy.game_id": gameId,
        "com.galaxy.engine_image_ref": image, "com.galaxy.started_at_ms": String(Date.now())
      },
      HostConfig: { NetworkMode: this.network, ...(options.restarts ? { RestartPolicy: { Name: "always" } } : {}) },
      NetworkingConfig: { EndpointsConfig: { [this.network]: { Aliases: [name] } } }
    } as Docker.ContainerCreateOptions)
    await container.start()
    return container.id
  }
}
