/** What an installation lets games be, beyond what the Schema says: registries, steering labels, largest limits, what of the host is open. Pure. */
import reference from "@swimlane/docker-reference"
import type { GameSpec, SpecProblem } from "./GameSpec.ts"
import { steers } from "./labels.ts"
import { type PortAdmission, portProblem } from "./portSpec.ts"
import { parseMemoryBytes } from "./Quantity.ts"
import { closed, type Reach, reachProblem } from "./spec/reach.ts"

export interface Admission {
  /** Hosts of registries that images may come from, as `docker.io` or `registry.example:5000`; undefined: any. */
  readonly registries: ReadonlyArray<string> | undefined
  /** Prefixes of labels that games may have although they steer other programs. */
  readonly labels: ReadonlyArray<string>
  /** The largest limits that a game may ask for; undefined: any. `memory` as in a spec. */
  readonly maximum: Readonly<{ memory?: string | undefined; cpus?: number | undefined; pids?: number | undefined }>
  /** What of the host a game may reach. */
  readonly reach: Reach
  /** Which ports of the host they may have; left out: any. */
  readonly ports?: PortAdmission
}

/** Lets everything be that the Schema lets be, but for steering labels and what reaches the host. */
export const noLimits: Admission = { registries: undefined, labels: [], maximum: {}, reach: closed }

/** Of a valid image and spec, what is not admitted: `path` as in a row. The first thing only. */
export const admissionProblem = (imageRef: string, spec: GameSpec, admission: Admission): SpecProblem | undefined =>
  registryProblem(imageRef, admission) ?? labelProblem(spec, admission) ?? limitProblem(spec, admission)
    ?? reachProblem(spec, admission.reach) ?? (admission.ports && portProblem(spec.ports, admission.ports))

const registryProblem = (imageRef: string, { registries }: Admission): SpecProblem | undefined => {
  if (registries === undefined) return undefined
  const host = registryOf(imageRef)
  return registries.includes(host)
    ? undefined
    : { path: "image_ref", message: `is of the registry ${host}; RTM_REGISTRIES takes ${registries.join(", ")}` }
}

/** `docker.io` for an image without a host, as the engine reads it. */
const registryOf = (imageRef: string): string => reference.parseFamiliarName(imageRef).domain ?? "docker.io"

const labelProblem = ({ labels = {} }: GameSpec, admission: Admission): SpecProblem | undefined => {
  const label = Object.keys(labels).find((name) => steers(name, admission.labels))
  return label === undefined
    ? undefined
    : { path: `spec.labels.${label}`, message: "steers another program, which games may only where RTM_LABELS_ALLOW names it" }
}

const limitProblem = ({ resources = {} }: GameSpec, { maximum }: Admission): SpecProblem | undefined => {
  const over = (path: keyof Admission["maximum"], asked: number | undefined, most: number | undefined, shown: unknown): SpecProblem | undefined =>
    asked !== undefined && most !== undefined && asked > most ? { path: `spec.resources.${path}`, message: `takes at most ${shown} here` } : undefined
  return over("memory", bytesOf(resources.memory), bytesOf(maximum.memory), maximum.memory)
    ?? over("cpus", resources.cpus, maximum.cpus, maximum.cpus)
    ?? over("pids", resources.pids, maximum.pids, maximum.pids)
}

const bytesOf = (memory: string | undefined): number | undefined => memory === undefined ? undefined : parseMemoryBytes(memory)
