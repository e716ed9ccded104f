/** The kinds of value that settings have: what each takes, in words, and how it is read. */
import { Redacted } from "effect"
import { isAddress, type PortRange } from "./domain/ports.ts"
import { redisAddressForms } from "./domain/RedisAddress.ts"
import { parseDurationMs, parseMemoryBytes } from "./domain/Quantity.ts"
import { isAbsolutePath } from "./domain/spec/values.ts"

/** A kind of value: what it takes, in words, and how it is read. */
export interface Kind<A> {
  readonly takes: string
  readonly read: (text: string) => A | undefined
  readonly secret?: boolean
}

export const duration: Kind<number> = { takes: "a duration like 500ms, 30s, 5m or 72h", read: (text) => parseDurationMs(text) || undefined }
export const durationOrNone: Kind<number> = {
  takes: "a duration like 30m, 24h or 72h, or 0",
  read: (text) => text === "0" ? Infinity : parseDurationMs(text) || undefined
}
/** Only how it begins is looked at here: the rest is read by the client that connects to it (`Checks`). */
export const url = (protocols: ReadonlyArray<string>): Kind<Redacted.Redacted<string>> => ({
  takes: `an address like ${protocols.map((protocol) => `${protocol}//...`).join(" or ")}`,
  secret: true,
  read: (text) => protocols.some((protocol) => text.startsWith(`${protocol}//`)) ? Redacted.make(text) : undefined
})
export const redisUrl: Kind<Redacted.Redacted<string>> = {
  takes: redisAddressForms,
  secret: true,
  read: (text) => /^rediss?(\+(sentinel|cluster))?:\/\//.test(text) ? Redacted.make(text) : undefined
}
export const oneOf = <const A extends string>(values: ReadonlyArray<A>): Kind<A> => ({
  takes: values.join(", "),
  read: (text) => values.find((value) => value === text)
})
export const integer = (minimum: number, maximum: number): Kind<number> => ({
  takes: `a whole number from ${minimum} to ${maximum}`,
  read: (text) => /^\d{1,9}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum ? Number(text) : undefined
})
export const name: Kind<string> = { takes: "letters, digits, _ . and -", read: (text) => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(text) ? text : undefined }
export const streamName: Kind<string> = { takes: "1 to 200 printable characters", read: (text) => /^[!-~]{1,200}$/.test(text) ? text : undefined }
export const folder: Kind<string> = { takes: "an absolute path", read: (text) => text.startsWith("/") ? text : undefined }
export const dockerHost: Kind<string> = {
  takes: "unix:///path/to.sock, tcp://host:port or https://host:port",
  read: (text) => URL.canParse(text) && ["unix:", "tcp:", "http:", "https:"].includes(new URL(text).protocol) ? text : undefined
}
export const address: Kind<{ readonly host: string; readonly port: number }> = {
  takes: "host:port",
  read: (text) => {
    const match = /^(\[[0-9a-fA-F:]+\]|[^:\s]*):(\d{1,5})$/.exec(text)
    return match && Number(match[2]) <= 65_535 ? { host: match[1]!.replace(/^\[|\]$/g, "") || "0.0.0.0", port: Number(match[2]) } : undefined
  }
}
/** Texts with commas between them; spaces around one are not part of it. */
export const listOf = <A extends string>(takes: string, isOne: (text: string) => text is A): Kind<ReadonlyArray<A>> => ({
  takes,
  read: (text) => {
    const all = text.split(",").map((each) => each.trim()).filter((each) => each !== "")
    return all.length > 0 && all.every(isOne) ? all : undefined
  }
})
const list = (takes: string, one: RegExp): Kind<ReadonlyArray<string>> => listOf(takes, (text): text is string => one.test(text))
export const registries = list("hosts like docker.io, registry.example:5000", /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/)
export const labelPrefixes = list("label prefixes like traefik, homepage.group", /^[A-Za-z0-9][A-Za-z0-9._/-]*$/)
/** Each is a name, or what names begin with and *. */
export const names = (like: string) => list(`names like ${like}`, /^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\*?|\*)$/)
export const someOf = <const A extends string>(values: ReadonlyArray<A>, takes: string): Kind<ReadonlyArray<A>> =>
  listOf(takes, (text): text is A => (values as ReadonlyArray<string>).includes(text))
export const folders = listOf("absolute paths like /srv/maps, but not /", (text): text is string => text !== "/" && isAbsolutePath(text))
export const memory: Kind<string> = {
  takes: "a size like 512Mi or 1Gi, at least 6Mi",
  read: (text) => (parseMemoryBytes(text) ?? 0) >= 6 * 2 ** 20 ? text : undefined
}
export const cpus: Kind<number> = {
  takes: "CPUs like 0.5 or 2, at most 1024",
  read: (text) => /^\d{1,4}(\.\d{1,3})?$/.test(text) && Number(text) >= 0.01 && Number(text) <= 1024 ? Number(text) : undefined
}
export const pids: Kind<number> = integer(1, 4_194_304)
const rangeOf = (text: string): PortRange | undefined => {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const range = { from: Number(from), to: Number(to ?? from) }
  return range.from >= 1 && range.from <= range.to && range.to <= 65_535 ? range : undefined
}
export const portRange: Kind<PortRange> = { takes: "ports like 20000-29999", read: rangeOf }
export const portRanges: Kind<ReadonlyArray<PortRange>> = {
  takes: "ports like 1024-65535 or 7777,27015-27050",
  read: (text) => {
    const all = text.split(",").map((each) => rangeOf(each.trim()))
    return all.every((each) => each !== undefined) ? all : undefined
  }
}
export const ipAddress: Kind<string> = { takes: "an IP address like 0.0.0.0 or 203.0.113.7", read: (text) => isAddress(text) ? text : undefined }
export const flag: Kind<boolean> = { takes: "1 or 0", read: (text) => ({ "1": true, true: true, "0": false, false: false })[text] }
export const token: Kind<Redacted.Redacted<string>> = {
  takes: "at least 16 characters", secret: true, read: (text) => text.length >= 16 ? Redacted.make(text) : undefined
}
