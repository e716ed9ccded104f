/**
 * What the tests run on: private Docker Engines, a registry with the demo engine, and PostgreSQL and Redis in containers.
 * Its description is `.local/test/environment.json`; everything it starts is ended by `down`, also after a killed run.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers"
import { cutPower, type Engine, debianTree, machineEngine, modernEngine, privateEngine, removeFolder, stopEngine, unmountModern } from "./engines.ts"
import { buildEngineImage, dockerAt, importTree, push, startRegistry } from "./images.ts"
import { freePort, isDebian, isRoot, say, succeeds } from "./run.ts"

export const stateFile = new URL("../../.local/test/environment.json", import.meta.url).pathname
export const cache = process.env.RTM_TEST_CACHE ?? join(homedir(), ".cache", "rtmanager-test")

export interface TestEnvironment {
  readonly engines: ReadonlyArray<Engine>
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly registry: { readonly address: string; readonly logFile: string } | undefined
  readonly images: { readonly game: string; readonly gameNext: string }
  /** Containers on the first engine. */
  readonly postgresContainer: string
  readonly redisContainer: string
  readonly folder: string
  readonly pidFiles: ReadonlyArray<string>
  readonly registryPid: number | undefined
}

const ownEngines = isRoot && isDebian

export const up = async (): Promise<TestEnvironment> => {
  await down()
  const folder = mkdtempSync(join(tmpdir(), "rtm-"))
  mkdirSync(join(stateFile, ".."), { recursive: true })
  const partial = (found: Partial<TestEnvironment>) => writeFileSync(stateFile, JSON.stringify({ folder, pidFiles: pidFiles(folder), ...found }))
  partial({})
  const engines = await startEngines(folder)
  const registry = ownEngines ? await startRegistry(join(folder, "registry")) : undefined
  partial({ registryPid: registry?.pid })
  const prefix = registry ? `${registry.address}/` : ""
  const images = { game: `${prefix}galaxy/engine:1.4.2`, gameNext: `${prefix}galaxy/engine:1.4.3` }
  for (const engine of engines) await buildEngineImage(engine.host, Object.values(images))
  if (registry) for (const image of Object.values(images)) await push(engines[0]!.host, image)
  const services = await startServices(engines[0]!)
  const found: TestEnvironment = {
    engines, registry, images, folder, pidFiles: pidFiles(folder), registryPid: registry?.pid, ...services
  }
  writeFileSync(stateFile, JSON.stringify(found, null, 2))
  return found
}

const pidFiles = (folder: string) => [join(folder, "e20", "docker.pid"), join(folder, "e28", "docker.pid")]

const startEngines = async (folder: string): Promise<ReadonlyArray<Engine>> => {
  if (!ownEngines) return [await machineEngine(join(folder, "dockerd.log"))]
  say("starting two private Docker Engines ...")
  const old = await privateEngine(join(folder, "e20"), "docker-20.10")
  const modern = await modernEngine(cache, join(folder, "e28"))
  return [old, modern]
}

type Services = Pick<TestEnvironment, "databaseUrl" | "redisUrl" | "postgresContainer" | "redisContainer">

/** PostgreSQL and Redis by Testcontainers: the official images, or one made of Debian's packages where no registry is in reach. */
const startServices = async (engine: Engine): Promise<Services> => {
  process.env.DOCKER_HOST = engine.host
  process.env.TESTCONTAINERS_RYUK_DISABLED = "true"
  // Asked of the engine otherwise, by way of a default bridge that a private engine has not.
  process.env.TESTCONTAINERS_HOST_OVERRIDE = "127.0.0.1"
  const image = ownEngines ? await servicesImage(engine) : undefined
  const redisPort = await freePort()
  const postgresPort = await freePort()
  say("starting PostgreSQL and Redis by Testcontainers ...")
  const redis = await started(
    new GenericContainer(image ?? "redis:8-alpine")
      .withCommand(["redis-server", "--port", String(redisPort), "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "local"])
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
  )
  const postgres = await started(image
    ? new GenericContainer(image).withCommand(["sh", "-c", debianPostgres(postgresPort)])
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/))
    : new GenericContainer("postgres:17-alpine").withEnvironment({ POSTGRES_PASSWORD: "test" })
      .withCommand(["postgres", "-c", `port=${postgresPort}`, "-c", "listen_addresses=127.0.0.1"])
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2)))
  return {
    redisUrl: `redis://127.0.0.1:${redisPort}`,
    databaseUrl: `postgres://postgres:test@127.0.0.1:${postgresPort}/postgres`,
    redisContainer: redis.getId(),
    postgresContainer: postgres.getId()
  }
}

/** On the host's network: the servers are reached on the loopback, and no port is published. */
const started = (container: GenericContainer): Promise<StartedTestContainer> => container.withNetworkMode("host").start()

const debianPostgres = (port: number): string =>
  `set -e; cd /tmp; bin=$(ls -d /usr/lib/postgresql/*/bin); install -d -m 700 -o postgres /pg; ` +
  `if [ ! -e /pg/PG_VERSION ]; then echo test > /tmp/pw; setpriv --reuid postgres --regid postgres --clear-groups $bin/initdb -D /pg -E UTF8 -U postgres -A md5 --pwfile /tmp/pw >/dev/null; fi; ` +
  `exec setpriv --reuid postgres --regid postgres --clear-groups $bin/postgres -D /pg -c port=${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp`

const servicesImage = async (engine: Engine): Promise<string> => {
  const tree = debianTree(cache, "services-bookworm", "bookworm", ["redis-server", "postgresql-15"], false)
  const image = "rtmanager-test/services:bookworm"
  await importTree(engine.host, tree, image, [])
  return image
}

/** Ends and removes all that `up` started, also what an earlier run left. */
export const down = async (): Promise<void> => {
  if (!existsSync(stateFile)) return
  const found = JSON.parse(readFileSync(stateFile, "utf8")) as Partial<TestEnvironment>
  if (!ownEngines) await removeServices(found)
  for (const pidFile of found.pidFiles ?? []) {
    await removeContainers(pidFile)
    await stopEngine(pidFile)
    // An engine that was killed before leaves the processes of its containers.
    await cutPower(pidFile)
  }
  if (found.registryPid !== undefined) succeeds("kill", [String(found.registryPid)])
  unmountModern(cache)
  if (found.folder) removeFolder(found.folder)
  rmSync(stateFile, { force: true })
}

/** Containers outlive a killed engine's shims otherwise. */
const removeContainers = async (pidFile: string): Promise<void> => {
  const socket = join(pidFile, "..", "docker.sock")
  if (!existsSync(socket)) return
  const docker = dockerAt(`unix://${socket}`)
  const containers = await docker.listContainers({ all: true }).catch(() => [])
  await Promise.all(containers.map((container) => docker.getContainer(container.Id).remove({ force: true, v: true }).catch(() => {})))
}

const removeServices = async (found: Partial<TestEnvironment>): Promise<void> => {
  const host = found.engines?.[0]?.host
  if (!host) return
  for (const id of [found.postgresContainer, found.redisContainer]) {
    if (id) await dockerAt(host).getContainer(id).remove({ force: true, v: true }).catch(() => {})
  }
}
