/** What each part is given, from the settings. */
import { Redacted } from "effect"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Config } from "./config.ts"
import type { Admission } from "./domain/Admission.ts"
import { defaultPids } from "./domain/GameSpec.ts"
import type { Reach } from "./domain/spec/reach.ts"
import type { PortSettings } from "./domain/ports.ts"
import type { DockerEngineOptions } from "./engine/docker/DockerEngine.ts"
import type { RedisOptions } from "./streams/redis/client.ts"

/** Settings of the engine, but for the permission to change anything. */
export const engineOptions = (config: Config): DockerEngineOptions => ({
  host: config.dockerHost,
  certPath: config.dockerTls ? config.dockerCertPath : undefined,
  network: config.dockerNetwork,
  enginePort: config.enginePort,
  stateRoot: config.stateRoot,
  defaults: defaultLimits(config),
  labelsAllowed: config.labelsAllow ?? [],
  secretsRoot: config.secretsRoot,
  seccompRoot: config.seccompRoot,
  registryAuthRoot: config.registryAuthRoot,
  pullStallMs: config.pullStallMs,
  dockerConfig: config.dockerConfig ?? join(homedir(), ".docker")
})

/** Of a game whose spec names none: where there is a largest, nobody has more by saying nothing. */
const defaultLimits = ({ defaultCpus, defaultMemory, defaultPids: pids, maxCpus, maxMemory, maxPids }: Config) => {
  const memory = defaultMemory ?? maxMemory
  const cpus = defaultCpus ?? maxCpus
  return {
    pids: pids ?? Math.min(defaultPids, maxPids ?? defaultPids),
    ...(memory === undefined ? {} : { memory }),
    ...(cpus === undefined ? {} : { cpus })
  }
}

/** What rows and jobs may ask for. */
export const admissionOf = (config: Config): Admission => ({
  registries: config.registries,
  labels: config.labelsAllow ?? [],
  maximum: { memory: config.maxMemory, cpus: config.maxCpus, pids: config.maxPids },
  reach: reachOf(config),
  ports: { range: config.portRange, fixed: config.hostPorts }
})

const reachOf = (config: Config): Reach => ({
  roots: {
    RTM_SECRETS_ROOT: config.secretsRoot, RTM_REGISTRY_AUTH_ROOT: config.registryAuthRoot, RTM_SECCOMP_ROOT: config.seccompRoot
  },
  binds: config.bindRoots ?? [],
  volumes: config.volumesAllow ?? [],
  networks: config.networksAllow ?? [],
  apparmor: config.apparmorAllow ?? [],
  capabilities: config.capsAllow ?? [],
  logDrivers: config.logDriversAllow ?? []
})

/** Where ports of the host come from. */
export const portSettings = ({ portAddress, portRange }: Config): PortSettings => ({ range: portRange, address: portAddress })

export const redisOptions = (config: Config): RedisOptions => ({
  url: Redacted.value(config.redisUrl),
  group: "rtmanager",
  consumer: "rtmanager",
  jobs: { start: config.startJobs, stop: config.stopJobs },
  from: config.jobsFrom,
  topics: {
    job_results: config.jobResults,
    health_events: config.healthEvents,
    notification_intents: config.notificationIntents,
    dead_jobs: config.deadJobs
  }
})

/** Where the database is: by way of a pooler perhaps, and itself. */
export const databaseOf = ({ databaseDirectUrl, databaseUrl }: Pick<Config, "databaseUrl" | "databaseDirectUrl">) => ({
  url: Redacted.value(databaseUrl),
  directUrl: Redacted.value(databaseDirectUrl ?? databaseUrl),
  pooled: databaseDirectUrl !== undefined,
  directVariable: databaseDirectUrl === undefined ? "DATABASE_URL" : "DATABASE_DIRECT_URL"
})
