/**
 * `npm start`: everything that the controller needs, then the controller, then the games live. DATABASE_URL, REDIS_URL and
 * DOCKER_HOST replace the parts that are made here.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Closing, ended, makeClosing, type Stoppable } from "./lib/closing.ts"
import { type Engine, machineEngine } from "./lib/engines.ts"
import { buildEngineImage, dockerAt } from "./lib/images.ts"
import { watchGames } from "./lib/live.ts"
import { type OwnPostgres, startPostgres } from "./lib/postgres.ts"
import { type OwnRedis, startRedis } from "./lib/redis.ts"
import { controllerFlags, freePort, has, say, succeeds, until } from "./lib/run.ts"

const root = new URL("..", import.meta.url).pathname
/** Data, logs and ports of what is made here. */
const local = process.env.RTM_LOCAL_FOLDER || join(root, ".local")
const image = "galaxy/engine:demo"
/** It ends within two seconds of being told to. */
const controllerDeadlineMs = 10_000

/** Ports stay the same from run to run, so that what was typed before works again. */
const rememberedPorts = async (): Promise<{ readonly postgres: number; readonly redis: number; readonly http: number }> => {
  const file = join(local, "ports.json")
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"))
  const ports = { postgres: await freePort(), redis: await freePort(), http: await freePort() }
  writeFileSync(file, JSON.stringify(ports))
  return ports
}

/** Controller, Redis and PostgreSQL end in this order; the games and the engine stay. */
const main = async (closing: Closing): Promise<void> => {
  mkdirSync(local, { recursive: true })
  const ports = await rememberedPorts()
  const engine = await machineEngine(join(local, "dockerd.log"))
  say(`Docker Engine ${engine.version} at ${engine.host}`)
  const databaseUrl = process.env.DATABASE_URL || (await closing.keep(() => ownPostgres(ports.postgres))).url
  const redisUrl = process.env.REDIS_URL || (await closing.keep(() => ownRedis(engine.host, ports.redis))).url
  await demoImage(engine.host)
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, DOCKER_HOST: engine.host }
  await closing.keep(async () => startController(env, ports.http, closing))
  await until("the controller is ready (see .local/controller.log)", 60_000, () =>
    fetch(`http://127.0.0.1:${ports.http}/readyz`).then((answer) => answer.ok, () => false))
  say(`the controller is ready: http://127.0.0.1:${ports.http}/readyz, its log is .local/controller.log`)
  printCommands(databaseUrl, redisUrl, engine)
  await watchGames(databaseUrl)
}

const ownPostgres = async (port: number): Promise<OwnPostgres> => {
  say(`starting PostgreSQL on port ${port}, data in .local/postgres ...`)
  return startPostgres(join(local, "postgres"), port)
}

const ownRedis = async (engineHost: string, port: number): Promise<OwnRedis> => {
  say(`starting Redis on port ${port} ...`)
  return startRedis(engineHost, port, local)
}

const demoImage = async (host: string): Promise<void> => {
  const there = await dockerAt(host).getImage(image).inspect().then(() => true, () => false)
  if (there) return
  say(`making the demo engine image ${image} from examples/engine ...`)
  await buildEngineImage(host, [image])
}

const startController = (env: Record<string, string>, httpPort: number, closing: Closing): Stoppable => {
  say("starting the controller ...")
  const child = spawn(process.execPath, [...controllerFlags, join(root, "src", "main.ts")], {
    cwd: root,
    env: { ...process.env, RTM_HTTP_ADDR: `127.0.0.1:${httpPort}`, RTM_LOG_FORMAT: "json", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C reaches the whole group; this script tells the controller itself, in its turn.
    detached: true
  })
  const log = join(local, "controller.log")
  writeFileSync(log, "")
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Uint8Array) => writeFileSync(log, chunk, { flag: "a" }))
  child.on("exit", (code) => {
    if (code !== 0) say("the controller ended; see .local/controller.log")
    void closing.close(code ?? 1)
  })
  return { stop: () => ended(child, controllerDeadlineMs) }
}

const printCommands = (databaseUrl: string, redisUrl: string, engine: Engine): void => {
  const row = has("psql")
    ? `psql ${databaseUrl} -c "INSERT INTO rtmanager.games (game_id, image_ref) VALUES ('g1', '${image}')"`
    : `DATABASE_URL=${databaseUrl} npm run game -- insert g1 ${image}`
  const job = has("redis-cli")
    ? `redis-cli -u ${redisUrl} XADD runtime:start_jobs '*' game_id g2 image_ref ${image}`
    : `REDIS_URL=${redisUrl} npm run game -- start g2 ${image}`
  const kill = has("docker") ? `${dockerEnv(engine)}docker kill galaxy-game-g1` : `DOCKER_HOST=${engine.host} npm run game -- kill g1`
  console.log(`
Type in another terminal${has("psql") ? "" : " (in this folder)"}:
  a game by a row:         ${row}
  a game by a job:         ${job}
  kill one, see it healed: ${kill}
Ctrl-C ends the controller; games keep running.
`)
}

/** What the docker CLI must be told to reach this engine: where it is, and its API where the CLI is too new for it. */
const dockerEnv = (engine: Engine): string => {
  const host = process.env.DOCKER_HOST ? `DOCKER_HOST=${engine.host} ` : ""
  if (succeeds("env", ["-u", "DOCKER_API_VERSION", `DOCKER_HOST=${engine.host}`, "docker", "ps", "-q"])) return host
  return `${host}DOCKER_API_VERSION=${engine.apiVersion} `
}

const closing = makeClosing("== stopped; your games keep running, and the next npm start finds them")
main(closing).catch((error: unknown) => {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`)
  return closing.close(1)
})
