/**
 * The versioned hash of what runs in a container: image, and every field of the spec that cannot change in place (`spec/fields.ts`).
 *
 * It is kept on the container (`com.galaxy.spec_hash`) and compared with the row's. A release that computes it otherwise
 * adds a version and keeps the old ones, because an upgrade must not recreate a container whose row did not change:
 * NEVER edit the body of a version that was released, but to leave out a new field that changes in place, which no old spec has; `test/unit/domain/specHash.golden.json` holds their values. What a file holds is
 * not in it (`env` from files, profiles): only the name is, and the next container reads what is there then.
 */
import { createHash } from "node:crypto"
import type { GameSpec } from "./GameSpec.ts"

/** Fields that no spec had when v1 was released: with nothing in it, each says nothing. */
const sinceThen: ReadonlySet<string> = new Set<keyof GameSpec>(["volumes", "tmpfs", "binds", "networks", "ports", "security", "logging"])

const isEmpty = (value: unknown): boolean => typeof value === "object" && value !== null && Object.keys(value).length === 0

const withoutEmpty = (spec: object): object => Object.fromEntries(Object.entries(spec).filter(([key, value]) => !(sinceThen.has(key) && isEmpty(value))))

/** JSON with sorted keys, so that equal values have equal text. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(",")}}`
}

const versions: Record<string, (imageRef: string, spec: GameSpec) => string> = {
  v1: (imageRef, { stop_grace: _grace, pull_policy: _pull, registry_auth: _login, restart: _restart, ...runs }) =>
    createHash("sha256").update(canonical({ image: imageRef, spec: withoutEmpty(runs) })).digest("hex").slice(0, 32)
}

const current = "v1"

/** `v1:<32 hex digits>`. */
export const specHash = (imageRef: string, spec: GameSpec): string => `${current}:${versions[current]!(imageRef, spec)}`

/** Whether a container that carries `hash` runs what `imageRef` and `spec` ask for; false for an unknown version. */
export const matchesSpec = (hash: string, imageRef: string, spec: GameSpec): boolean => {
  const version = hash.slice(0, hash.indexOf(":"))
  const compute = Object.hasOwn(versions, version) ? versions[version] : undefined
  return compute !== undefined && hash === `${version}:${compute(imageRef, spec)}`
}
