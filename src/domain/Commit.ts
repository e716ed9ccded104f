/** Everything one reconcile step makes known. The store commits it in one transaction, or not at all. */
import type { DesiredState, RestartPolicy } from "./Game.ts"
import type { GameId } from "./GameId.ts"
import type { HealthEvent } from "./Health.ts"
import type { JobResult, PendingJob } from "./Job.ts"
import type { Message } from "./Message.ts"
import type { Operation } from "./Operation.ts"
import type { HostPort } from "./ports.ts"
import type { RuntimeRecord } from "./RuntimeRecord.ts"

export interface Commit {
  readonly gameId: GameId
  /** `version` of the record that was read; 0 when there was none. */
  readonly expectedVersion: number
  /** The whole new record; null leaves it as it is (then nothing compares versions). `version` is set by the store. */
  readonly record: RuntimeRecord | null
  /** Writes the desired row of an adopted container. A Conflict when somebody wrote one meanwhile: theirs is the word. */
  readonly adopt: { readonly imageRef: string; readonly state: DesiredState; readonly restartPolicy: RestartPolicy } | null
  readonly operations: ReadonlyArray<Operation>
  /** Goes to `health_snapshots` (the last one) and to the outbox (each). */
  readonly health: ReadonlyArray<HealthEvent>
  /** Other messages for the outbox, in order, after `health`. */
  readonly messages: ReadonlyArray<Message>
  /** Answers for jobs that have none yet; an answered job keeps its first. Each is told on `job_results`. */
  readonly answers: ReadonlyArray<{ readonly job: PendingJob; readonly result: JobResult; readonly completedAtMs: number }>
  /** Ports that nothing of the game uses any more, which was seen on that engine: they are given back. */
  readonly freed?: { readonly engineId: string; readonly ports: ReadonlyArray<HostPort> }
}
