/**
 * `spec`: what a game's container needs beyond its image. One Schema, published as JSON Schema
 * (`docs/game-spec.schema.json`); unknown keys are refused with their path.
 *
 * Every field but `stop_grace` and `pull_policy` is part of what runs: changing it makes a new container.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { isOwnLabel } from "./labels.ts"
import { durationPattern, memoryPattern, parseMemoryBytes } from "./Quantity.ts"

/** Of its text, as the database says it. */
export const maximumSpecBytes = 262_144
const noNul = Schema.makeFilter((text: string) => text.includes("\0") ? "takes text without NUL bytes" : undefined)
const Text = Schema.String.check(Schema.isMaxLength(131_072), noNul)
/** A record whose keys are checked one by one, so that the path of the refusal names the key. */
const textByName = (problem: (name: string) => string | undefined) =>
  Schema.Record(Schema.String, Text).check(
    Schema.makeFilter((record: Readonly<Record<string, string>>) => {
      const name = Object.keys(record).find((key) => problem(key) !== undefined)
      return name === undefined ? undefined : { path: [name], issue: problem(name)! }
    })
  )
const envName = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/
const Env = textByName((name) =>
  envName.test(name) && name !== "__proto__" ? undefined : "takes environment variable names like GAME_MODE")
const labelName = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/
const Labels = textByName((name) =>
  isOwnLabel(name)
    ? "takes no label under com.galaxy"
    : labelName.test(name) ? undefined : "takes label names like team or example.org/team")
const Duration = Schema.String.check(
  Schema.isPattern(durationPattern, { expected: "a duration like 500ms, 30s or 5m" })
)
const Memory = Schema.String.check(
  Schema.isPattern(memoryPattern, { expected: "a size like 512Mi, 1Gi or 536870912" }),
  Schema.makeFilter((text: string) =>
    (parseMemoryBytes(text) ?? 0) < 6 * 2 ** 20 ? "takes at least 6Mi (the engine's minimum)" : undefined)
)

/** What Linux has, as the engine names it. 32 and 33 are the C library's own, and the engine sends neither. */
const signal = new RegExp("^(?:" +
  "(?:SIG)?(?:HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP|TTIN|TTOU|URG|" +
  "XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|RTMIN(?:\\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)" +
  "|[1-9]|[12][0-9]|3[014-9]|[45][0-9]|6[0-4])$")
const Signal = Schema.String.check(Schema.isPattern(signal, { expected: "a signal of Linux, like SIGTERM, INT, SIGRTMIN+3 or 10" }))

export const PullPolicy = Schema.Literals(["always", "if_missing", "never"])
export type PullPolicy = typeof PullPolicy.Type

/** Processes and threads of a game whose spec and whose settings say nothing else. */
export const defaultPids = 512

export const Resources = Schema.Struct({
  /** CPUs the container may use, e.g. `0.5` or `2`. Default: `RTM_DEFAULT_CPUS`. */
  cpus: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1024 }))),
  /** Memory and swap together, e.g. `512Mi`. Default: `RTM_DEFAULT_MEMORY`. */
  memory: Schema.optionalKey(Memory),
  /** Processes and threads. Default: `RTM_DEFAULT_PIDS`. */
  pids: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4_194_304 })))
})

export const GameSpec = Schema.Struct({
  /** Replaces the image's entrypoint. */
  command: Schema.optionalKey(Schema.Array(Text).check(Schema.isMaxLength(1024))),
  /** Replaces the image's command: the arguments of the entrypoint. */
  args: Schema.optionalKey(Schema.Array(Text).check(Schema.isMaxLength(1024))),
  /** Added to `GAME_STATE_PATH` and `STORAGE_PATH`. */
  env: Schema.optionalKey(Env),
  resources: Schema.optionalKey(Resources),
  /** Labels of the container beside the controller's own. */
  labels: Schema.optionalKey(Labels),
  /** Signal that asks the game to end. Default: the image's, else SIGTERM. */
  stop_signal: Schema.optionalKey(Signal),
  /** From the stop signal to SIGKILL, e.g. `30s`. Default: `RTM_STOP_GRACE`. */
  stop_grace: Schema.optionalKey(Duration),
  /** When the image is pulled; `always`: before each start, in place too. Default: `RTM_IMAGE_PULL_POLICY`. */
  pull_policy: Schema.optionalKey(PullPolicy)
}).annotate({ identifier: "GameSpec", title: "Runtime Manager game spec" })
export type GameSpec = typeof GameSpec.Type

export const emptySpec: GameSpec = {}

/**
 * Where a spec is wrong and why: `path` is like `resources.memory`, empty for the whole. Neither says a value of the spec: it
 * may be a secret.
 */
export interface SpecProblem {
  readonly path: string
  readonly message: string
}

const decode = Schema.decodeUnknownResult(GameSpec, { onExcessProperty: "error", errors: "first" })
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const pathText = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined): string =>
  (path ?? []).map((part) => nameText(String(typeof part === "object" ? part.key : part))).join(".")

const nameChars = 64
/** What follows a name and = is a value that was written in the wrong place. */
const nameText = (name: string): string => {
  const shown = name.replace(/=.+$/s, "=…")
  return shown.length > nameChars ? `${shown.slice(0, nameChars - 1).toWellFormed()}…` : shown
}

/** Decodes a spec as the database or a job holds it; unknown keys are refused with their path. */
export const decodeSpec = (value: unknown): Result.Result<GameSpec, SpecProblem> =>
  Result.mapError(decode(value), (error) => {
    const first = format(error.issue).issues[0]
    return { path: pathText(first?.path), message: first?.message ?? "is not a game spec" }
  })
