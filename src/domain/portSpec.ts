/** `ports` of a game's spec: what it may say, what an installation admits of it, and what is asked of the ledger for it. Pure. */
import { Schema } from "effect"
import { field, needed } from "./spec/values.ts"
import { addressesOverlap, canonicalAddress, isAddress, type PortRange, type PortSettings, type PortWant, Protocol, type PublishedPort } from "./ports.ts"

const maximumPort = 65_535
const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maximumPort }))
const Address = Schema.String.check(
  Schema.isMaxLength(64),
  Schema.makeFilter((text: string) => isAddress(text) ? undefined : "takes an IP address of the host, like 0.0.0.0 or 203.0.113.7")
)
const Name = Schema.String.check(Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?$/, { expected: "a name like game or query-2" }))

export const PortSpec = Schema.Struct({
  name: field(Name, "For people and programs that read the record."),
  container: needed(Port, "The first port in the container."),
  protocol: field(Protocol, "Of all ports of the block.", "`tcp`"),
  host: field(Port, "The first port of the host, within `RTM_HOST_PORTS`.", "the lowest that is free in `RTM_PORT_RANGE`"),
  count: field(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 })), "So many ports in a row, all or none.", "1"),
  address: field(Address, "Of the host.", "`RTM_PORT_ADDRESS`")
})
export type PortSpec = typeof PortSpec.Type

const maximumEntries = 64

interface Problem {
  readonly path: ReadonlyArray<PropertyKey>
  readonly issue: string
}

/** What one entry alone cannot tell: blocks that end beyond the last port, and entries that take each other's. */
const problemOf = (specs: ReadonlyArray<PortSpec>): Problem | undefined => {
  for (const [index, spec] of specs.entries()) {
    const problem = blockProblem(spec) ?? specs.slice(0, index).map((other) => clash(other, spec)).find((found) => found !== undefined)
    if (problem) return { path: [index, problem[0]], issue: problem[1] }
  }
  return undefined
}

const blockProblem = ({ container, count = 1, host = 1 }: PortSpec): readonly [keyof PortSpec, string] | undefined =>
  Math.max(container, host) + count - 1 > maximumPort ? ["count", `takes a block that ends at ${maximumPort} at most`] : undefined

const clash = (a: PortSpec, b: PortSpec): readonly [keyof PortSpec, string] | undefined => {
  if (a.name !== undefined && a.name === b.name) return ["name", "is the name of an entry before it"]
  if (protocolOf(a) !== protocolOf(b)) return undefined
  if (overlap(a.container, a.count, b.container, b.count)) return ["container", "is a port that an entry before it has"]
  return takeSameHostPort(a, b) ? ["host", "is a port that an entry before it has"] : undefined
}

const protocolOf = ({ protocol }: PortSpec): Protocol => protocol ?? "tcp"

const overlap = (a: number, countA: number | undefined, b: number, countB: number | undefined): boolean => a < b + (countB ?? 1) && b < a + (countA ?? 1)

/** Whichever address an entry without one gets, it may be the other's. */
const takeSameHostPort = (a: PortSpec, b: PortSpec): boolean =>
  a.host !== undefined && b.host !== undefined && overlap(a.host, a.count, b.host, b.count) &&
  (a.address === undefined || b.address === undefined || addressesOverlap(canonicalAddress(a.address), canonicalAddress(b.address)))

export const Ports = Schema.Array(PortSpec).check(Schema.isMaxLength(maximumEntries), Schema.makeFilter(problemOf))

export const wantsOf = (specs: ReadonlyArray<PortSpec> = [], { address }: Pick<PortSettings, "address">): ReadonlyArray<PortWant> =>
  specs.map((spec) => ({
    container: spec.container,
    protocol: protocolOf(spec),
    address: canonicalAddress(spec.address ?? address),
    host: spec.host ?? null,
    count: spec.count ?? 1
  }))

/** The ports as they are told, with the names that the spec gives them. */
export const named = (ports: ReadonlyArray<PublishedPort>, specs: ReadonlyArray<PortSpec> = []): ReadonlyArray<PublishedPort> =>
  ports.map((port) => {
    const name = specs.find((spec) => protocolOf(spec) === port.protocol && overlap(spec.container, spec.count, port.container, 1))?.name
    return name === undefined ? port : { name, ...port }
  })

/** Which ports of the host an installation lets games have. */
export interface PortAdmission {
  readonly range: PortRange | undefined
  /** Those that a spec may name itself. */
  readonly fixed: ReadonlyArray<PortRange>
}

/** Of valid ports, what is not admitted: the first thing only. */
export const portProblem = (specs: ReadonlyArray<PortSpec> = [], { fixed, range }: PortAdmission): { readonly path: string; readonly message: string } | undefined => {
  for (const [index, spec] of specs.entries()) {
    const problem = spec.host === undefined ? rangeProblem(spec, range) : fixedProblem(spec.host, spec.count, fixed)
    if (problem) return { path: ["spec.ports", index, ...problem.path].join("."), message: problem.issue }
  }
  return undefined
}

const rangeProblem = ({ count = 1 }: PortSpec, range: PortRange | undefined): Problem | undefined => {
  if (range === undefined) return { path: [], issue: "names no host port, and there is no RTM_PORT_RANGE to have one from" }
  const size = range.to - range.from + 1
  return count > size ? { path: ["count"], issue: `takes at most ${size} here, as many as RTM_PORT_RANGE has` } : undefined
}

const fixedProblem = (host: number, count = 1, fixed: ReadonlyArray<PortRange>): Problem | undefined =>
  fixed.some(({ from, to }) => host >= from && host + count - 1 <= to)
    ? undefined
    : { path: ["host"], issue: `is a port that games may not name; RTM_HOST_PORTS takes ${fixed.map(({ from, to }) => from === to ? from : `${from}-${to}`).join(", ")}` }
