/** The gate that every act passes: what may not be done now waits, whatever the rules found. */
import type { Observation } from "../../../src/domain/Observation.ts"
import { type Finding, wait } from "./step.ts"

/** A fleet is never taken down at once: an exchange begins when fewer others than may be at once are under way. */
export const gate = (seen: Observation, found: Finding): Finding =>
  found.beginsExchange && seen.exchangesFull ? wait("ExchangeTurn", null, { progress: inTurn }) : found

const inTurn = { status: "True", reason: "ExchangeTurn", message: "waits until others have been exchanged" } as const
