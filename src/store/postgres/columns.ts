/** How columns read as JSON. */
import { Schema, SchemaTransformation } from "effect"

/** A time: milliseconds here, ISO 8601 there. `infinity`, which a timestamptz can be, is no time. */
export const Time = Schema.String.pipe(Schema.decodeTo(Schema.Finite, SchemaTransformation.transform({
  decode: (text: string) => Date.parse(text),
  encode: (ms: number) => new Date(ms).toISOString()
})))
export const NullableTime = Schema.NullOr(Time)
export const NullableText = Schema.NullOr(Schema.String)
