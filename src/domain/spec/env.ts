/** `env`: values as they are, values that are marked secret, and values that are read from files at each create. */
import { Schema } from "effect"
import { byName, field, formed, needed, Text } from "./values.ts"

/** Below a root: a file may be called `..data`, but no part of the path leads up or nowhere. */
const filePath = /^(?!.{513})(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+)*$/u

const FromFile = Schema.Struct({
  from_file: needed(formed(filePath, "a path below RTM_SECRETS_ROOT like g1/token, without . and .."),
    "File below `RTM_SECRETS_ROOT`, read at each create; one newline at its end is cut. The spec's hash holds for the path, not for what is in the file.")
})
const Marked = Schema.Struct({
  value: needed(Text, "The value itself."),
  secret: field(Schema.Boolean, "Shown to nobody who reads the spec by an API.", "`false`")
})
export const EnvValue = Schema.Union([Text, FromFile, Marked])
export type EnvValue = typeof EnvValue.Type

const envName = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/
export const Env = byName(EnvValue, (name) =>
  envName.test(name) && name !== "__proto__" ? undefined : "takes environment variable names like GAME_MODE")

/** What the spec itself says; undefined: a file does. */
export const literalOf = (value: EnvValue): string | undefined =>
  typeof value === "string" ? value : "value" in value ? value.value : undefined

export const fileOf = (value: EnvValue): string | undefined =>
  typeof value === "object" && "from_file" in value ? value.from_file : undefined
