/** What the controller asks of Redis: job entries in, messages out. At least once, both ways. */
import { Context, type Effect, Schema } from "effect"
import type { JobKind } from "../domain/Job.ts"
import type { OutboxEntry } from "../store/Store.ts"

export const StreamsReason = Schema.Literals(["Unavailable", "Timeout", "Refused"])
export class StreamsError extends Schema.TaggedError<StreamsError>()("StreamsError", {
  operation: Schema.String,
  reason: StreamsReason,
  message: Schema.String
}) {}

/** One entry of a job stream as it was delivered. */
export interface JobStreamEntry {
  readonly stream: string
  readonly kind: JobKind
  readonly entryId: string
  /** null: the entry was trimmed away before it was acknowledged. */
  readonly fields: Readonly<Record<string, string>> | null
  /** How often it was delivered, this time included. */
  readonly deliveries: number
}

export class Streams extends Context.Service<Streams, {
  /** New entries of both job streams in id order; empty after at most a few seconds without any. Makes a missing group. */
  readonly read: (count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  /** The next `read` begins with what this consumer was given before and did not acknowledge. */
  readonly rewind: Effect.Effect<void>
  /**
   * Entries delivered before to any consumer and not acknowledged for `minIdleMs`; now this consumer's.
   */
  readonly reclaim: (minIdleMs: number, count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  readonly acknowledge: (entries: ReadonlyArray<JobStreamEntry>) => Effect.Effect<void, StreamsError>
  /** Appends the messages in order, each with its `event_id`; all of them, or an error after which any may be there. */
  readonly append: (messages: ReadonlyArray<OutboxEntry>) => Effect.Effect<void, StreamsError>
  readonly ping: Effect.Effect<void, StreamsError>
}>()("rtmanager/streams/Streams") {}
