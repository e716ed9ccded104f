/** Ports of the host that the ledger keeps for a game. They are given back only when it is seen that nothing of the game has them. */
import { isRunning, type Observation } from "../../../src/domain/Observation.ts"
import { type HostPort, isSamePort } from "../../../src/domain/ports.ts"
import { noChange } from "../record/commit.ts"
import { hasNewWish } from "./jobs.ts"
import { isExchanging, startWanted } from "./restart.ts"
import type { Finding } from "./step.ts"

/** What is claimed and no container of the game was made with, when no other one is to be made. */
export const idlePorts = (seen: Observation): Finding | undefined => {
  const ports = idle(seen)
  return ports.length === 0 ? undefined : {
    reason: "PortsIdle",
    step: { _tag: "Record", commit: { ...noChange(seen), freed: { engineId: seen.engineId, ports } } }
  }
}

const idle = (seen: Observation): ReadonlyArray<HostPort> => {
  const { claims, containers } = seen
  // One that does not answer may have any.
  if (claims.length === 0 || isNextComing(seen) || containers.some(({ state }) => state === "unresponsive")) return []
  const used = containers.flatMap(({ ports }) => ports)
  return claims.filter((claim) => !used.some((port) => isSamePort(port, claim))).map(({ address, host, protocol }) => ({ protocol, address, host }))
}

/** A container is to be made, now or later, and gets the ports that the game has. */
const isNextComing = (seen: Observation): boolean =>
  hasNewWish(seen) || isExchanging(seen) || (isRunning(seen.main) ? seen.desired?.state === "running" && !seen.main!.runsWanted : startWanted(seen))
