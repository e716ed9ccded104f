/** Ports of the host for a container that is to run: claimed in the ledger before, exchanged where the engine finds one taken. */
import { Effect } from "effect"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { Observation, Target } from "../../../src/domain/Observation.ts"
import { wantsOf } from "../../../src/domain/portSpec.ts"
import {
  type HostPort, noPortFreeText, type PortSettings, type PortWant, type PublishedPort, type TakenPort, wantsAsMade
} from "../../../src/domain/ports.ts"
import type { EngineError } from "../../../src/engine/ContainerEngine.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"

/** So many ports that turn out to be taken are exchanged within one attempt. */
export const mostExchanged = 8

/** The ports that the game has now, or why it cannot have them. */
export type Ports =
  | { readonly _tag: "Ports"; readonly ports: ReadonlyArray<PublishedPort> }
  | { readonly _tag: "None"; readonly failure: Failure }

const none: Ports = { _tag: "Ports", ports: [] }

/** `keep`: what the game has now it keeps, too, for it runs with it. `taken`: the engine said so just now. */
export interface ClaimOptions {
  readonly keep?: boolean
  readonly taken?: ReadonlyArray<TakenPort>
}

/** Ports for a container of the target. */
export const claimFor = (seen: Observation, target: Target, settings: PortSettings, options: ClaimOptions = {}) =>
  claim(seen, wantsOf(target.spec.ports, settings), settings, options)

/** The very ports that a container was made with. */
export const claimAsMade = (seen: Observation, ports: ReadonlyArray<PublishedPort>, settings: PortSettings, options: ClaimOptions = {}) =>
  claim(seen, wantsAsMade(ports), settings, options)

const claim = Effect.fnUntraced(function*(seen: Observation, wants: ReadonlyArray<PortWant>, settings: PortSettings, { keep = false, taken = [] }: ClaimOptions) {
  // Nobody who neither has nor wants a port waits for the ledger.
  if (wants.length === 0 && seen.claims.length === 0) return none
  const { engineId, gameId } = seen
  const claimed = yield* (yield* GameWriter).claimPorts({ gameId, engineId, wants, range: settings.range, keep, taken })
  if (claimed._tag === "Claimed") return { _tag: "Ports", ports: claimed.ports } satisfies Ports
  return { _tag: "None", failure: { code: "no_port_free", reason: "NoPortFree", message: noPortFreeText(claimed, settings.range) } } satisfies Ports
})

/** Which of a container's ports the engine found taken, and by whom. */
export const takenOf = ({ holder, taken }: EngineError, ports: ReadonlyArray<HostPort>): ReadonlyArray<TakenPort> =>
  ports.filter(({ host, protocol }) => host === taken?.host && (taken.protocol === null || taken.protocol === protocol))
    .map(({ address, host, protocol }) => ({ protocol, address, host, holder: holder?.description ?? "somebody else" }))

export const tooManyTaken = (last: TakenPort): Failure => ({
  code: "no_port_free",
  reason: "PortTaken",
  message: `port ${last.host} (${last.protocol}) of the host is held by ${last.holder}, and so were the ${mostExchanged} before it`
})
