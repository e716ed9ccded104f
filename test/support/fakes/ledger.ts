/** The ledger of ports in memory, with what `migrations/functions/ports.sql` does: one answer for each claim, and the lines after it. */
import { addressesOverlap, type Protocol } from "../../../src/domain/ports.ts"
import type { ClaimAnswer, ClaimRequest } from "../../../src/store/postgres/claims.ts"

export interface PortRow {
  readonly engine_id: string
  readonly address: string
  readonly protocol: Protocol
  readonly port: number
  /** null: somebody else has it. */
  readonly game_id: string | null
  readonly container_port: number | null
  readonly freed_at_ms: number | null
  readonly quarantined_until_ms: number | null
  readonly holder: string | null
}

export type Ledger = Map<string, PortRow>
type Want = ClaimRequest["wants"][number]

const coolDownMs = 30_000
const quarantineMs = 300_000

export const keyOf = ({ address, engine_id, port, protocol }: Pick<PortRow, "engine_id" | "address" | "protocol" | "port">): string =>
  [engine_id, address, protocol, port].join(" ")

/** Lines that the claim writes, and its answer. */
export const claimIn = (before: Ledger, claim: ClaimRequest, nowMs: number): { readonly written: Ledger; readonly answer: ClaimAnswer } => {
  const quarantined: Ledger = new Map(claim.taken.map((taken) => [keyOf({ ...taken, engine_id: claim.engine_id }), {
    engine_id: claim.engine_id, address: taken.address, protocol: taken.protocol, port: taken.port, game_id: null, container_port: null,
    freed_at_ms: nowMs, quarantined_until_ms: nowMs + quarantineMs, holder: taken.holder
  }]))
  const { answer, lines } = met(new Map([...before, ...quarantined]), claim, nowMs, new Set(quarantined.keys()))
  const written = "missing" in answer ? quarantined : new Map([...lines].filter(([key, row]) => before.get(key) !== row))
  return { written, answer }
}

const met = (lines: Ledger, claim: ClaimRequest, nowMs: number, taken: ReadonlySet<string>): { readonly lines: Ledger; readonly answer: ClaimAnswer } => {
  const { game_id, wants } = claim
  const held = [...lines.values()].filter((row) => row.engine_id === claim.engine_id && row.game_id === game_id && row.freed_at_ms === null)
  for (const row of held) lines.set(keyOf(row), { ...row, freed_at_ms: nowMs })
  const firsts: Array<number | undefined> = []
  for (const [place, want] of wants.entries()) {
    const first = firsts[place] = want.host ?? ownBlock(held, want)
    if (first === undefined) continue
    const holder = inTheWay(lines, claim, want, nowMs).filter(({ port }) => port >= first && port < first + want.count)
      .find((row) => !((row.quarantined_until_ms ?? 0) > nowMs) || taken.has(keyOf(row)))
    if (holder) return { lines, answer: { missing: place, holder: holderText(holder, nowMs) } }
    take(lines, claim, want, first)
  }
  for (const [place, want] of wants.entries()) {
    if (firsts[place] !== undefined) continue
    const first = firsts[place] = freeBlock(lines, claim, want, nowMs)
    if (first === undefined) return { lines, answer: { missing: place, holder: null } }
    take(lines, claim, want, first)
  }
  if (claim.keep) {
    for (const row of held) {
      const key = keyOf(row)
      const now = lines.get(key)!
      if (now.freed_at_ms !== null) lines.set(key, { ...now, freed_at_ms: null })
    }
  }
  return { lines, answer: { firsts: firsts as ReadonlyArray<number> } }
}

const take = (lines: Ledger, { engine_id, game_id }: ClaimRequest, { address, container, count, protocol }: Want, first: number): void => {
  for (let n = 0; n < count; n++) {
    const row = { engine_id, address, protocol, port: first + n, game_id, container_port: container + n, freed_at_ms: null, quarantined_until_ms: null, holder: null }
    lines.set(keyOf(row), row)
  }
}

const inTheWay = (lines: Ledger, { engine_id, game_id }: ClaimRequest, want: Want, nowMs: number): ReadonlyArray<PortRow> =>
  [...lines.values()].filter((row) =>
    row.engine_id === engine_id && row.protocol === want.protocol && addressesOverlap(row.address, want.address) &&
    (row.freed_at_ms === null || (row.quarantined_until_ms ?? 0) > nowMs ||
      (row.game_id !== null && row.game_id !== game_id && row.freed_at_ms > nowMs - coolDownMs)))
    .sort((a, b) => a.port - b.port)

const holderText = (row: PortRow, nowMs: number): string | null => {
  if ((row.quarantined_until_ms ?? 0) > nowMs) return row.holder
  return row.freed_at_ms === null
    ? `game ${row.game_id}`
    : `game ${row.game_id}, which gave it back ${Math.round((nowMs - row.freed_at_ms) / 1000)} s ago: it cools down for 30 s`
}

/** All of a block that the game has for these ports of its container. */
const ownBlock = (held: ReadonlyArray<PortRow>, { address, container, count, protocol }: Want): number | undefined => {
  const own = held.filter((row) => row.address === address && row.protocol === protocol)
  const has = (port: number, inside: number) => own.some((row) => row.port === port && row.container_port === inside)
  return own.map(({ port }) => port).sort((a, b) => a - b).find((first) =>
    Array.from({ length: count }, (_, n) => n).every((n) => has(first + n, container + n)))
}

const freeBlock = (lines: Ledger, claim: ClaimRequest, want: Want, nowMs: number): number | undefined => {
  const { from, to } = claim.range ?? { from: 1, to: 0 }
  const inUse = new Set(inTheWay(lines, claim, want, nowMs).map(({ port }) => port))
  for (let first = from; first + want.count - 1 <= to; first++) {
    if (Array.from({ length: want.count }, (_, n) => first + n).every((port) => !inUse.has(port))) return first
  }
  return undefined
}
