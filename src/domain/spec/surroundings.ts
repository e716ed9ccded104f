/** What a game is connected to: more networks, and where its output goes. */
import { Schema } from "effect"
import { isStateName } from "./mounts.ts"
import { field, formed, listOf, Name, needed, repeated, sizeBetween } from "./values.ts"

/** What every engine has, and what they call its absence. */
const ofEngine: ReadonlySet<string> = new Set(["host", "none", "default", "bridge"])

const Alias = formed(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/, "a name of letters, digits, . and -").check(
  Schema.makeFilter((name: string) => isStateName(name) ? "is the name of a game" : undefined))

const Network = Schema.Struct({
  name: needed(Name.check(Schema.makeFilter((name: string) => ofEngine.has(name) ? "takes a network that somebody made" : undefined)),
    "A network that is there, and that `RTM_NETWORKS_ALLOW` names. One that is missing is a failed start."),
  aliases: field(listOf(Alias, 16), "Names of the game on it, beside its own.", "none")
})

export const Networks = listOf(Network, 16).check(Schema.makeFilter((networks: ReadonlyArray<{ readonly name: string }>) => {
  const second = repeated(networks, ({ name }) => name)
  return second === -1 ? undefined : { path: [second, "name"], issue: "is there twice" }
}))

export const LogDriver = Schema.Literals(["json-file", "local", "none", "journald"])
export type LogDriver = typeof LogDriver.Type
/** Those that write nowhere but to files of the container's own, which are rotated. */
export const ownLogDrivers: ReadonlyArray<LogDriver> = ["json-file", "local", "none"]
const rotated: ReadonlySet<LogDriver> = new Set(["json-file", "local"])

export const defaultLogging = { driver: "json-file", max_size: "10M", max_files: 3 } as const

export const Logging = Schema.Struct({
  driver: field(LogDriver, "Where output goes; `journald` where `RTM_LOG_DRIVERS_ALLOW` names it.", "`json-file`"),
  max_size: field(sizeBetween("4Ki", "100Mi"), "A log file of this size is put aside (`json-file`, `local`).", "`10M`"),
  max_files: field(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })), "Log files that are kept (`json-file`, `local`).", "`3`")
}).check(Schema.makeFilter(({ driver = "json-file", max_files, max_size }: { readonly driver?: LogDriver; readonly max_files?: number; readonly max_size?: string }) => {
  const option = max_size !== undefined ? "max_size" : max_files !== undefined ? "max_files" : undefined
  return option === undefined || rotated.has(driver) ? undefined : { path: [option], issue: "is for json-file and local" }
}))
