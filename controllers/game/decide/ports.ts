/** Ports of the host that the ledger keeps for a game. They are given back only when it is seen that nothing of the game has them. */
import { isRunning, type Observation } from "../../../src/domain/Observation.ts"
import { type HostPort, isSamePort } from "../../../src/domain/ports.ts"
import { noChange } from "../record/commit.ts"
import { hasNewWish } from "./jobs.ts"
import { isExchanging, startWanted } from "./restart.ts"
import { removingAgainMs } from "./removedGame.ts"
import { type Finding, wait } from "./step.ts"

/** What is claimed and no container of the game was made with, when no other one is to be made. */
export const idlePorts = (seen: Observation): Finding | undefined => {
  const ports = idle(seen)
  if (ports.length === 0) return isGoing(seen) ? wait("Removing", removingAgainMs) : undefined
  return {
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

/** Of a game that is over, the last container is on its way out: whoever waits for no more than its end may never hear of it. */
const isGoing = ({ claims, containers, record }: Observation): boolean =>
  claims.length > 0 && record?.status === "removed" && containers.some(({ state }) => state === "removing")

/** A container is to be made, now or later, and gets the ports that the game has. */
const isNextComing = (seen: Observation): boolean => seen.record?.status !== "removed" && (
  hasNewWish(seen) || isExchanging(seen) || (isRunning(seen.main) ? seen.desired?.state === "running" && !seen.main!.runsWanted : startWanted(seen)))
