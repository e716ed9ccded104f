/** What of its host a game may reach: all of it is closed until a setting opens it. Pure. */
import type { GameSpec } from "../GameSpec.ts"
import { fileOf } from "./env.ts"
import type { SpecProblem } from "./problem.ts"
import { type Capability, harmlessCapabilities } from "./security.ts"
import { type LogDriver, ownLogDrivers } from "./surroundings.ts"

export interface Reach {
  /** Folders that the controller reads files from for games. */
  readonly roots: Readonly<Partial<Record<"RTM_SECRETS_ROOT" | "RTM_REGISTRY_AUTH_ROOT" | "RTM_SECCOMP_ROOT", string | undefined>>>
  /** Folders of the host. */
  readonly binds: ReadonlyArray<string>
  /** Names; one that ends with * stands for all that begin like it. */
  readonly volumes: ReadonlyArray<string>
  readonly networks: ReadonlyArray<string>
  readonly apparmor: ReadonlyArray<string>
  /** Beside those that any game may have. */
  readonly capabilities: ReadonlyArray<Capability>
  readonly logDrivers: ReadonlyArray<LogDriver>
}

export const closed: Reach = { roots: {}, binds: [], volumes: [], networks: [], apparmor: [], capabilities: [], logDrivers: [] }

/** The first thing of a valid spec that reaches further; `path` as in a row. */
export const reachProblem = (spec: GameSpec, reach: Reach): SpecProblem | undefined =>
  wanted(spec, reach).map(([path, isOpen, setting]) => isOpen ? undefined : { path: `spec.${path}`, message: message(setting) }).find((problem) => problem !== undefined)

const message = (setting: string): string =>
  setting.endsWith("_ROOT") ? `needs ${setting}, which is not set here` : `is not in what ${setting} names here`

type Wanted = readonly [path: string, isOpen: boolean, setting: string]

const wanted = (spec: GameSpec, reach: Reach): ReadonlyArray<Wanted> => [
  ...Object.entries(spec.env ?? {}).filter(([, value]) => fileOf(value) !== undefined).map(([name]) =>
    ofRoot(`env.${name}.from_file`, "RTM_SECRETS_ROOT", reach)),
  ...(spec.registry_auth === undefined ? [] : [ofRoot("registry_auth", "RTM_REGISTRY_AUTH_ROOT", reach)]),
  ...(spec.security?.seccomp === undefined ? [] : [ofRoot("security.seccomp", "RTM_SECCOMP_ROOT", reach)]),
  ...each("binds", spec.binds, "host_path", ({ host_path }) => reach.binds.some((root) => isIn(host_path, root)), "RTM_BIND_ROOTS"),
  ...each("volumes", spec.volumes, "name", ({ name }) => isNamed(name, reach.volumes), "RTM_VOLUMES_ALLOW"),
  ...each("networks", spec.networks, "name", ({ name }) => isNamed(name, reach.networks), "RTM_NETWORKS_ALLOW"),
  ...(spec.security?.cap_add ?? []).map((name, index): Wanted =>
    [`security.cap_add.${index}`, harmlessCapabilities.includes(name) || reach.capabilities.includes(name), "RTM_CAPS_ALLOW"]),
  ...(spec.security?.apparmor === undefined ? [] : [["security.apparmor", isNamed(spec.security.apparmor, reach.apparmor), "RTM_APPARMOR_ALLOW"] as const]),
  ...(spec.logging?.driver === undefined
    ? []
    : [["logging.driver", ownLogDrivers.includes(spec.logging.driver) || reach.logDrivers.includes(spec.logging.driver), "RTM_LOG_DRIVERS_ALLOW"] as const])
]

const ofRoot = (path: string, setting: keyof Reach["roots"], { roots }: Reach): Wanted => [path, roots[setting] !== undefined, setting]

const each = <A>(list: string, items: ReadonlyArray<A> = [], key: string, isOpen: (item: A) => boolean, setting: string): ReadonlyArray<Wanted> =>
  items.map((item, index) => [`${list}.${index}.${key}`, isOpen(item), setting])

/** `path` has nothing in it that leads elsewhere (but for links, which only its own host sees). */
export const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

const isNamed = (name: string, allowed: ReadonlyArray<string>): boolean =>
  allowed.some((one) => one.endsWith("*") ? name.startsWith(one.slice(0, -1)) : name === one)
