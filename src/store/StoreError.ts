/** Why the database did not do what was asked. */
import { Schema } from "effect"

export const StoreReason = Schema.Literals([
  /** Not reached, connection lost: whether a write was committed is unknown. */
  "Unavailable",
  /** No answer before the deadline: whether a write was committed is unknown. */
  "Timeout",
  /** Another write is in the way, or the record changed since it was read: nothing was written, look again. */
  "Conflict",
  /** Another controller holds the lease: this one must stop acting. */
  "Fenced",
  /** It was restored or failed over since jobs were taken last, and may lack some: nothing was written. */
  "HistoryChanged",
  /** The database refused the values (a constraint, a trigger). */
  "Invalid",
  /** A row is not what the schema says; the message names the game and the place. */
  "Undecodable"
])
export type StoreReason = typeof StoreReason.Type

export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  operation: Schema.String,
  reason: StoreReason,
  message: Schema.String
}) {}
