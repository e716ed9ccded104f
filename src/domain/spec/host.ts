/** Whether a host has what a spec asks for. Pure. */
import { parseMemoryBytes } from "../Quantity.ts"
import type { GameSpec } from "../GameSpec.ts"
import type { SpecProblem } from "./problem.ts"

/** The host as its engine tells of it; undefined: it does not say. */
export interface Host {
  readonly cpus?: number | undefined
  readonly memoryBytes?: number | undefined
  /** Mechanisms that confine containers, as `apparmor`, `seccomp`. */
  readonly security?: ReadonlyArray<string> | undefined
}

/** What the spec asks for and the host has not as much of. The first thing only. */
export const hostProblem = ({ resources = {}, security = {} }: GameSpec, host: Host): SpecProblem | undefined =>
  over("resources.memory", resources.memory === undefined ? undefined : parseMemoryBytes(resources.memory), host.memoryBytes, "bytes of memory")
    ?? over("resources.cpus", resources.cpus, host.cpus, "CPUs")
    ?? unconfined("apparmor", security.apparmor, host)
    ?? unconfined("seccomp", security.seccomp, host)

const over = (path: string, asked: number | undefined, had: number | undefined, unit: string): SpecProblem | undefined =>
  asked !== undefined && had !== undefined && asked > had
    ? { path: `spec.${path}`, message: `asks for ${asked} ${unit}, and the host has ${had}` }
    : undefined

/** An engine passes over the profile of a mechanism that its host has not. */
const unconfined = (mechanism: string, profile: string | undefined, { security }: Host): SpecProblem | undefined =>
  profile !== undefined && security !== undefined && !security.includes(mechanism)
    ? { path: `spec.security.${mechanism}`, message: `names a profile, and the engine's host does not confine by ${mechanism}` }
    : undefined
