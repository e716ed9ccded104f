/** Ports as the engine's API says them, and what its refusal of one means. Pure. */
import { Schema } from "effect"
import type { Protocol, PublishedPort } from "../../domain/ports.ts"

/** By `8080/tcp`. null: not published, or to a port that the engine picks. */
export const PortBindings = Schema.NullOr(Schema.Record(
  Schema.String,
  Schema.NullOr(Schema.Array(Schema.Struct({ HostIp: Schema.optionalKey(Schema.String), HostPort: Schema.String })))
))
export type PortBindings = typeof PortBindings.Type

/** The parts of the body that publish them. */
export const publishing = (ports: ReadonlyArray<PublishedPort> = []) => ({
  ExposedPorts: Object.fromEntries(ports.map((port) => [keyOf(port), {}])),
  PortBindings: Object.fromEntries(ports.map((port) => [keyOf(port), [{ HostIp: port.address, HostPort: String(port.host) }]]))
})

const keyOf = ({ container, protocol }: PublishedPort): string => `${container}/${protocol}`

/** In the order of the container's ports. What is bound to no port of its own number is nobody's claim. */
export const publishedPorts = (bindings: PortBindings | undefined): ReadonlyArray<PublishedPort> =>
  Object.entries(bindings ?? {}).flatMap(([key, bound]) => {
    const [, container, protocol = "tcp"] = /^(\d+)(?:\/(tcp|udp))?$/.exec(key) ?? []
    if (container === undefined) return []
    return (bound ?? []).flatMap(({ HostIp, HostPort }) =>
      /^[1-9]\d{0,4}$/.test(HostPort)
        ? [{ container: Number(container), protocol: protocol as Protocol, address: HostIp || "0.0.0.0", host: Number(HostPort) }]
        : [])
  }).sort((a, b) => a.container - b.container || (a.protocol < b.protocol ? -1 : a.protocol === b.protocol ? a.host - b.host : 1))

/**
 * Which port the engine found taken, by its words; undefined: none. A container of its own has it: `Bind for 0.0.0.0:7777 failed: port is
 * already allocated`, whatever the protocol. A process has it: 20.10 says `listen udp4 0.0.0.0:7777: bind: address already in use`, 28
 * `failed to bind host port for 0.0.0.0:7777:10.1.0.3:9000/udp: address already in use`.
 */
export const takenPort = (message: string): { readonly host: number; readonly protocol: Protocol | null } | undefined => {
  if (!/port is already allocated|address already in use/.test(message)) return undefined
  const host = Number(/\b(?:for|port|tcp[46]?|udp[46]?) (?:[0-9.]+|\[[^\]\s]*\]|::):(\d{1,5})\b/.exec(message)?.[1])
  const [, listened, bound] = /listen (tcp|udp)|\/(tcp|udp): address/.exec(message) ?? []
  return host >= 1 && host <= 65_535 ? { host, protocol: (listened ?? bound ?? null) as Protocol | null } : undefined
}
