/** Ports of hosts: as games have them, and as the ledger is asked for them. Pure. */
import { Schema } from "effect"
import { isIP } from "node:net"

export const Protocol = Schema.Literals(["tcp", "udp"])
export type Protocol = typeof Protocol.Type

const mapped = /^::ffff:/i

/** An IPv4 or IPv6 address as it stands; one that is the other in disguise would be taken for another than it is. */
export const isAddress = (text: string): boolean => isIP(text) !== 0 && !mapped.test(text) && !text.includes("%")

const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** A wildcard is on every address. */
export const addressesOverlap = (a: string, b: string): boolean => a === b || wildcards.has(a) || wildcards.has(b)

/** One text for each address. */
export const canonicalAddress = (address: string): string =>
  address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address

export interface PortRange {
  readonly from: number
  readonly to: number
}

export interface PortSettings {
  /** Where ports without a number of their own come from; undefined: nowhere. */
  readonly range: PortRange | undefined
  /** Of an entry that names none. */
  readonly address: string
}

export const noPorts: PortSettings = { range: undefined, address: "0.0.0.0" }

// --- what is had -----------------------------------------------------------------------------------------------------------

/** A port of the host, as the ledger and the engine know it. */
export interface HostPort {
  readonly protocol: Protocol
  readonly address: string
  readonly host: number
}

/** A port of a container, published on its host. */
export const PublishedPort = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  container: Schema.Number,
  protocol: Protocol,
  address: Schema.String,
  host: Schema.Number
})
export type PublishedPort = typeof PublishedPort.Type

export const isSamePort = (a: HostPort, b: HostPort): boolean => a.protocol === b.protocol && a.address === b.address && a.host === b.host

// --- what is asked of the ledger ---------------------------------------------------------------------------------------------

/** A block of ports, as the ledger is asked for it. */
export interface PortWant {
  readonly container: number
  readonly protocol: Protocol
  readonly address: string
  /** null: any of the range. */
  readonly host: number | null
  readonly count: number
}

/** The very ports that a container has. */
export const wantsAsMade = (ports: ReadonlyArray<PublishedPort>): ReadonlyArray<PortWant> =>
  ports.map(({ address, container, host, protocol }) => ({ container, protocol, address, host, count: 1 }))

/** A port that somebody else has, and who. */
export interface TakenPort extends HostPort {
  readonly holder: string
}

/** What the ledger answers: all that was asked for, or what of it cannot be had. */
export type Claimed =
  | { readonly _tag: "Claimed"; readonly ports: ReadonlyArray<PublishedPort> }
  | {
    readonly _tag: "NoPortFree"
    readonly want: PortWant
    /** Of a want that names its port: who has it. */
    readonly holder: string | null
  }

export const noPortFreeText = ({ holder, want }: Extract<Claimed, { readonly _tag: "NoPortFree" }>, range: PortRange | undefined): string => {
  const { count, host, protocol } = want
  if (host === null) {
    return `no ${count === 1 ? "port" : `${count} ports in a row`} (${protocol}) free in RTM_PORT_RANGE${range === undefined ? "" : ` ${range.from}-${range.to}`}`
  }
  const which = count === 1 ? `port ${host}` : `one of the ports ${host}-${host + count - 1}`
  return `${which} (${protocol}) of the host is held by ${holder ?? "somebody else"}`
}
