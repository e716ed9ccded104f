/** The ledger's rows and documents: ports of hosts that games hold. */
import { Schema } from "effect"
import { type Claimed, type HostPort, type PortWant, Protocol, type PublishedPort } from "../../domain/ports.ts"
import type { ClaimedPort } from "../GameReader.ts"
import type { PortClaim } from "../GameWriter.ts"

export const ClaimColumns = Schema.Struct({ engine_id: Schema.String, protocol: Protocol, address: Schema.String, port: Schema.Number })
export type ClaimDocument = typeof ClaimColumns.Encoded

export const toClaim = ({ address, engine_id, port, protocol }: typeof ClaimColumns.Type): ClaimedPort =>
  ({ engineId: engine_id, protocol, address, host: port })

/** A subquery: all that is kept for a game, as JSON; null: nothing. */
export const claimsOf = (gameId: string): string => `
    (SELECT json_agg(json_build_object('engine_id', c.engine_id, 'protocol', c.protocol, 'address', c.address, 'port', c.port) ORDER BY c.port, c.protocol)
      FROM rtmanager.port_claims c WHERE c.game_id = ${gameId} AND c.freed_at IS NULL)`

export const fromHostPort = ({ address, host, protocol }: HostPort) => ({ protocol, address, port: host })

const fromWant = ({ address, container, count, host, protocol }: PortWant) => ({ container, protocol, address, host, count })

/** A claim as `rtmanager.claim_ports` reads it. */
export const fromClaim = ({ engineId, gameId, keep, range, taken, wants }: PortClaim) => ({
  game_id: gameId,
  engine_id: engineId,
  wants: wants.map(fromWant),
  ...(range ? { range: { from: range.from, to: range.to } } : {}),
  keep,
  taken: taken.map(({ holder, ...port }) => ({ ...fromHostPort(port), holder }))
})
export type ClaimRequest = ReturnType<typeof fromClaim>

/** `firsts`: the first port of each want; else which want cannot be met, and who has its port. */
export type ClaimAnswer =
  | { readonly firsts: ReadonlyArray<number> }
  | { readonly missing: number; readonly holder: string | null }

export const toClaimed = ({ wants }: PortClaim, answer: ClaimAnswer): Claimed =>
  "missing" in answer
    ? { _tag: "NoPortFree", want: wants[answer.missing]!, holder: answer.holder }
    : { _tag: "Claimed", ports: wants.flatMap((want, index) => portsOf(want, answer.firsts[index]!)) }

const portsOf = ({ address, container, count, protocol }: PortWant, first: number): ReadonlyArray<PublishedPort> =>
  Array.from({ length: count }, (_, offset) => ({ container: container + offset, protocol, address, host: first + offset }))
