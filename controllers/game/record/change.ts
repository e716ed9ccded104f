/** What one step makes known, before it is a commit. */
import type { Commit } from "../../../src/domain/Commit.ts"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { HealthEvent } from "../../../src/domain/Health.ts"
import type { Operation } from "../../../src/domain/Operation.ts"
import type { Refused, RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Meanwhile } from "./conditions.ts"

export type RecordChange = Partial<Omit<RuntimeRecord, "gameId" | "version" | "conditions" | "refused">>

export interface Change {
  readonly record?: RecordChange
  readonly operations?: ReadonlyArray<Operation>
  readonly health?: ReadonlyArray<HealthEvent>
  readonly adopt?: Commit["adopt"]
  /** What was done for the game just now: a job that asked for it hears that, any other that it was so already. */
  readonly deed?: "started" | "stopped" | "removed"
  /** The attempt failed: jobs that asked for it get this, people are told when `tell`. */
  readonly failure?: { readonly failure: Failure; readonly tell: boolean }
  /** Nobody can carry out now what the jobs ask for: each gets this at once. */
  readonly refusal?: Failure
  /** The engine refuses the act that is due. Left out: it does not, or no act is due, and the record forgets what was refused. */
  readonly refused?: Refused
  readonly meanwhile?: Meanwhile
}

