/** What the controller asks of Redis: job entries in, messages out. At least once, both ways. */
import { Context, type Effect, Schema } from "effect"
import type { JobKind } from "../domain/Job.ts"
import type { OutboxEntry } from "../domain/Message.ts"

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
  /** Which life of the stream it belongs to: another one after the stream was lost and made anew. Empty: not known. */
  readonly life: string
  readonly entryId: string
  /** null: the entry was trimmed away before it was acknowledged. It stays pending until then. */
  readonly fields: Readonly<Record<string, string>> | null
  /** How often it was delivered, this time included. */
  readonly deliveries: number
  /** It was delivered so often without an end that nobody reads it any more; `fields` is null. */
  readonly isUnread?: boolean
}

/** Milliseconds of an entry id `<ms>-<n>`, by Redis' clock. */
export const entryMs = (id: string): number => Number(id.slice(0, id.indexOf("-")))

/** How a job stream does. */
export interface JobStreamState {
  readonly stream: string
  /** When it was read well last, by the monotonic clock; undefined: never. */
  readonly lastReadMs: number | undefined
  /** Why it cannot be read; undefined: it can. */
  readonly problem: string | undefined
  /** The oldest entry that is delivered and not acknowledged, when last looked. */
  readonly oldestPending: string | undefined
}

export class Streams extends Context.Service<Streams, {
  /**
   * Some entries of both job streams, at most about `count`, in the order they were written: first what this consumer was
   * given before and did not acknowledge, then new ones. Empty after at most a few seconds without any. Makes a missing group.
   * A stream that cannot be read by itself (another type of key, its node of a cluster is away) is left aside until it can, and
   * holds up no other; it fails when none can be read.
   */
  readonly read: (count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  /** The next `read` begins with what this consumer was given before and did not acknowledge. */
  readonly rewind: Effect.Effect<void>
  /**
   * Entries delivered before to any consumer and not acknowledged for `minIdleMs`; now this consumer's. None while `read` has
   * older ones to give: they would be overtaken.
   */
  readonly reclaim: (minIdleMs: number, count: number) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  /**
   * Entries that were delivered and are not older than `sinceMs` (of the epoch), acknowledged or not, in the order they were
   * written; at most about `count`, those after the last of `after`. None: there are no more.
   */
  readonly recent: (sinceMs: number, count: number, after?: ReadonlyArray<JobStreamEntry>) => Effect.Effect<ReadonlyArray<JobStreamEntry>, StreamsError>
  readonly acknowledge: (entries: ReadonlyArray<Pick<JobStreamEntry, "stream" | "entryId">>) => Effect.Effect<void, StreamsError>
  /**
   * Appends the messages in order, each with its `event_id`; all of them, or an error. Those of one topic are appended all or
   * none when they are `Refused`; after any other error any may be there.
   */
  readonly append: (messages: ReadonlyArray<OutboxEntry>) => Effect.Effect<void, StreamsError>
  /**
   * Changes whenever the server that messages are appended to may be another one, which may lack what was appended last. Read
   * after an append and again later: the same says that nothing of the kind was noticed.
   */
  readonly generation: Effect.Effect<string>
  /** Whether Redis answers, and takes writes. */
  readonly ping: Effect.Effect<void, StreamsError>
  /** How each job stream does, as this consumer's own reads tell. */
  readonly state: Effect.Effect<ReadonlyArray<JobStreamState>>
}>()("rtmanager/streams/Streams") {}
