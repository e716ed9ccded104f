/** Every setting: its variable, default, unit and meaning. Read once, from the environment; nothing else is read. */
import { Result } from "effect"
import { type Kind, address, cpus, dockerHost, duration, durationOrNone, flag, folder, folders, integer, ipAddress, labelPrefixes, memory, name, names, oneOf, pids, portRange, portRanges, redisUrl, registries, someOf, streamName, token, url } from "./configKinds.ts"
import { PullPolicy } from "./domain/GameSpec.ts"
import { parseMemoryBytes } from "./domain/Quantity.ts"
import { isIn } from "./domain/spec/reach.ts"
import { Capability } from "./domain/spec/security.ts"
import { LogDriver } from "./domain/spec/surroundings.ts"

interface Setting<A> {
  readonly variable: string
  readonly default: string | undefined
  readonly kind: Kind<A>
  readonly about: string
  readonly optional?: boolean
}

const required = <A>(variable: string, kind: Kind<A>, about: string): Setting<A> => ({ variable, kind, about, default: undefined })
const optional = <A>(variable: string, kind: Kind<A>, about: string): Setting<A | undefined> => ({
  variable, kind, about, default: undefined, optional: true
})
const withDefault = <A>(variable: string, kind: Kind<A>, standard: string, about: string): Setting<A> => ({
  variable, kind, about, default: standard
})

export const settings = {
  databaseUrl: required("DATABASE_URL", url(["postgres:", "postgresql:"]), "PostgreSQL; migrations run at start under a lock, where any are due"),
  databaseDirectUrl: optional("DATABASE_DIRECT_URL", url(["postgres:", "postgresql:"]), "PostgreSQL itself, where `DATABASE_URL` leads through a pooler (pgbouncer): notifications, lease and migrations go there"),
  redisUrl: required("REDIS_URL", redisUrl, "Redis: one server, a master by its sentinels, or a cluster"),
  dockerHost: withDefault("DOCKER_HOST", dockerHost, "unix:///var/run/docker.sock", "Docker Engine, as the docker CLI reads it"),
  dockerTls: withDefault("DOCKER_TLS_VERIFY", flag, "0", "TLS to a `tcp://` engine"),
  dockerCertPath: optional("DOCKER_CERT_PATH", folder, "folder of ca.pem, cert.pem and key.pem"),
  dockerConfig: optional("DOCKER_CONFIG", folder, "where registry credentials are read, as the docker CLI does; default `~/.docker`"),
  dockerNetwork: withDefault("RTM_DOCKER_NETWORK", name, "galaxy-net", "network of the games; made when missing"),
  enginePort: withDefault("RTM_ENGINE_PORT", integer(1, 65_535), "8080", "port in a game's `engine_endpoint`"),
  stateRoot: optional("RTM_STATE_ROOT", folder, "folder of the host for the games' states; default: a named volume each"),
  instance: optional("RTM_INSTANCE", name, "id of this installation, where several share an engine or a database was copied; `new` makes one for a copy; default: made once and kept in the database"),
  reconcileIntervalMs: withDefault("RTM_RECONCILE_INTERVAL", duration, "30s", "resync"),
  workers: withDefault("RTM_WORKERS", integer(1, 64), "8", "starts at once, and as many looks beside them; games exchanged at once"),
  pullPolicy: withDefault("RTM_IMAGE_PULL_POLICY", oneOf(PullPolicy.literals), "if_missing", "when images are pulled; a game may set its own"),
  pullStallMs: withDefault("RTM_PULL_STALL", duration, "2m", "a pull without progress for this long fails"),
  jobMaxAgeMs: withDefault("RTM_JOB_MAX_AGE", durationOrNone, "24h", "a job that was sent longer ago is answered `stale` and not carried out; 0: none is"),
  jobsFrom: withDefault("RTM_JOBS_FROM", oneOf(["0", "$"]), "0", "where the first consumer group of a job stream begins: all that is in it, or what is sent from then on"),
  leaseMs: withDefault("RTM_LEASE", duration, "6s", "a standby takes over when the acting controller has not renewed for this long"),
  stopGraceMs: withDefault("RTM_STOP_GRACE", duration, "30s", "stop signal to SIGKILL"),
  retentionMs: withDefault("RTM_CONTAINER_RETENTION", duration, "720h", "a stopped container is kept this long"),
  registries: optional("RTM_REGISTRIES", registries, "the only registries that images may come from; default: any"),
  portRange: optional("RTM_PORT_RANGE", portRange, "ports of the host for games that name none; default: a spec must name its own"),
  hostPorts: withDefault("RTM_HOST_PORTS", portRanges, "1024-65535", "the only ports of the host that a spec may name"),
  portAddress: withDefault("RTM_PORT_ADDRESS", ipAddress, "0.0.0.0", "address of the host where ports are published whose spec names none"),
  labelsAllow: optional("RTM_LABELS_ALLOW", labelPrefixes, "labels that games may have although they steer other programs; default: none"),
  defaultMemory: optional("RTM_DEFAULT_MEMORY", memory, "memory of a game whose spec names none; default: the largest, else no limit"),
  defaultCpus: optional("RTM_DEFAULT_CPUS", cpus, "CPUs of a game whose spec names none; default: the largest, else no limit"),
  defaultPids: optional("RTM_DEFAULT_PIDS", pids, "processes and threads of a game whose spec names none; default: 512, or the largest where that is less"),
  maxMemory: optional("RTM_MAX_MEMORY", memory, "the largest memory that a spec may ask for"),
  maxCpus: optional("RTM_MAX_CPUS", cpus, "the most CPUs that a spec may ask for"),
  maxPids: optional("RTM_MAX_PIDS", pids, "the most processes and threads that a spec may ask for"),
  secretsRoot: optional("RTM_SECRETS_ROOT", folder, "folder of the files that games' `env` may come from; every game may name any of them"),
  registryAuthRoot: optional("RTM_REGISTRY_AUTH_ROOT", folder, "folder of registry logins by name: name/config.json, as `docker login` writes it"),
  seccompRoot: optional("RTM_SECCOMP_ROOT", folder, "folder of seccomp profiles by name: name.json"),
  bindRoots: optional("RTM_BIND_ROOTS", folders, "folders of the host that games may read; default: none"),
  volumesAllow: optional("RTM_VOLUMES_ALLOW", names("maps, shared-*"), "named volumes that games may have beside their state; default: none"),
  networksAllow: optional("RTM_NETWORKS_ALLOW", names("metrics, team-*"), "networks that games may be on beside their own; default: none"),
  capsAllow: optional("RTM_CAPS_ALLOW", someOf(Capability.literals, "capabilities like NET_RAW, SYS_NICE"), "capabilities that games may have beside the harmless ones (docs/spec.md); default: none"),
  apparmorAllow: optional("RTM_APPARMOR_ALLOW", names("game-strict"), "AppArmor profiles that games may have; default: none"),
  logDriversAllow: optional("RTM_LOG_DRIVERS_ALLOW", someOf(LogDriver.literals, "journald"), "log drivers that games may have beside those that write files of their own; default: none"),
  http: withDefault("RTM_HTTP_ADDR", address, "127.0.0.1:8096", "health, readiness, metrics (the image sets `0.0.0.0:8096`)"),
  apiToken: optional("RTM_API_TOKEN", token, "bearer token of the changing endpoints"),
  logFormat: optional("RTM_LOG_FORMAT", oneOf(["pretty", "json"]), "default: `pretty` on a terminal, else `json`"),
  logLevel: withDefault("RTM_LOG_LEVEL", oneOf(["debug", "info", "warn", "error"]), "info", "what is logged"),
  startJobs: withDefault("RTM_STREAM_START_JOBS", streamName, "runtime:start_jobs", "stream of start jobs"),
  stopJobs: withDefault("RTM_STREAM_STOP_JOBS", streamName, "runtime:stop_jobs", "stream of stop jobs"),
  jobResults: withDefault("RTM_STREAM_JOB_RESULTS", streamName, "runtime:job_results", "stream of job results"),
  healthEvents: withDefault("RTM_STREAM_HEALTH_EVENTS", streamName, "runtime:health_events", "stream of health events"),
  notificationIntents: withDefault("RTM_STREAM_NOTIFICATIONS", streamName, "notification:intents", "stream of notifications"),
  deadJobs: withDefault("RTM_STREAM_DEAD_JOBS", streamName, "runtime:dead_jobs", "stream of jobs that were given up")
}

type Settings = typeof settings
export type Config = { readonly [K in keyof Settings]: Settings[K] extends Setting<infer A> ? A : never }

export type Environment = Readonly<Record<string, string | undefined>>

/** What the client of an address says is wrong with it, in a sentence that tells nothing of its value; by setting. */
export type Checks = { readonly [K in keyof Config]?: (text: string) => string | undefined }

/** The settings in `env`, or everything that is wrong with it: a line each, naming variable, value and what it takes. */
export const readConfig = (env: Environment, checks: Checks = {}): Result.Result<Config, ReadonlyArray<string>> => {
  const config = readSettings(env, Object.keys(settings) as ReadonlyArray<keyof Config>, checks)
  const problems = Result.isSuccess(config) ? together(config.success) : []
  return problems.length > 0 ? Result.fail(problems) : config
}

/** Only some of them. */
export const readSettings = <K extends keyof Config>(
  env: Environment,
  keys: ReadonlyArray<K>,
  checks: Checks = {}
): Result.Result<Pick<Config, K>, ReadonlyArray<string>> => {
  const problems: Array<string> = []
  const values = keys.map((key) => {
    const value = readSetting(settings[key] as Setting<unknown>, env, checks[key])
    if (Result.isFailure(value)) problems.push(value.failure)
    return [key, Result.isSuccess(value) ? value.success : undefined]
  })
  return problems.length > 0 ? Result.fail(problems) : Result.succeed(Object.fromEntries(values) as Pick<Config, K>)
}

const readSetting = (setting: Setting<unknown>, env: Environment, check: Checks[keyof Config]): Result.Result<unknown, string> => {
  const given = env[setting.variable]
  const text = given === undefined || given === "" ? setting.default : given
  if (text === undefined) {
    return setting.optional ? Result.succeed(undefined) : Result.fail(`${setting.variable} is missing; it takes ${setting.kind.takes}`)
  }
  const value = setting.kind.read(text)
  const shown = setting.kind.secret ? "a value that is not shown" : JSON.stringify(text.slice(0, 200))
  if (value === undefined) return Result.fail(`${setting.variable} is ${shown}; it takes ${setting.kind.takes}`)
  const problem = check?.(text)
  return problem === undefined ? Result.succeed(value) : Result.fail(`${setting.variable} ${problem}`)
}

/** What only shows when several settings are looked at. */
const together = (config: Config): ReadonlyArray<string> => [
  ...(config.dockerTls && config.dockerCertPath === undefined
    ? ["DOCKER_CERT_PATH is missing; with DOCKER_TLS_VERIFY it takes the folder of ca.pem, cert.pem and key.pem"]
    : []),
  ...bindsOfOurs(config),
  ...(config.leaseMs < 1500 ? ["RTM_LEASE is too short; it takes a duration of at least 1500ms"] : []),
  ...overMaximum("MEMORY", parseMemoryBytes(config.defaultMemory ?? ""), parseMemoryBytes(config.maxMemory ?? "")),
  ...overMaximum("CPUS", config.defaultCpus, config.maxCpus),
  ...overMaximum("PIDS", config.defaultPids, config.maxPids)
]

/** What games may read must not have other games' states in it, nor what the controller keeps from them. */
const bindsOfOurs = (config: Config): ReadonlyArray<string> =>
  (["stateRoot", "secretsRoot", "registryAuthRoot"] as const).flatMap((key) => {
    const folder = config[key]
    return folder !== undefined && config.bindRoots?.some((root) => isIn(folder, root) || isIn(root, folder))
      ? [`RTM_BIND_ROOTS overlaps ${settings[key].variable}; it takes folders apart from it`]
      : []
  })

const overMaximum = (what: string, standard: number | undefined, most: number | undefined): ReadonlyArray<string> =>
  standard !== undefined && most !== undefined && standard > most ? [`RTM_DEFAULT_${what} is more than RTM_MAX_${what}; it takes that at most`] : []

/** The README's table. */
export const settingsTable = (): string =>
  ["| variable | default | what |", "| --- | --- | --- |", ...Object.values(settings).map((setting) =>
    `| \`${setting.variable}\` | ${setting.default === undefined ? (setting.optional ? "" : "required") : `\`${setting.default}\``} | ${setting.about}; takes ${setting.kind.takes} |`)].join("\n")
