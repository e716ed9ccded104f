/**
 * `spec`: what a game's container needs beyond its image. One Schema, published as JSON Schema (`docs/game-spec.schema.json`) and as
 * the table of docs/spec.md; unknown keys are refused with their path. Which field makes a new container: `spec/fields.ts`.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { isOwnLabel } from "./labels.ts"
import { Ports } from "./portSpec.ts"
import { RestartSpec } from "./RestartSpec.ts"
import { Env } from "./spec/env.ts"
import { doubledTarget, mountFields } from "./spec/mounts.ts"
import type { SpecProblem } from "./spec/problem.ts"
import { Resources } from "./spec/resources.ts"
import { Security } from "./spec/security.ts"
import { Logging, Networks } from "./spec/surroundings.ts"
import { AbsolutePath, byName, Duration, field, formed, listOf, Name, Text } from "./spec/values.ts"

export type { SpecProblem } from "./spec/problem.ts"
export { defaultPids } from "./spec/resources.ts"

/** Of its text, as the database says it. */
export const maximumSpecBytes = 262_144

const labelName = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/
const Labels = byName(Text, (name) =>
  isOwnLabel(name)
    ? "takes no label under com.galaxy"
    : labelName.test(name) ? undefined : "takes label names like team or example.org/team")

/** What Linux has, as the engine names it. 32 and 33 are the C library's own, and the engine sends neither. */
const signal = new RegExp("^(?:" +
  "(?:SIG)?(?:HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP|TTIN|TTOU|URG|" +
  "XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|RTMIN(?:\\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)" +
  "|[1-9]|[12][0-9]|3[014-9]|[45][0-9]|6[0-4])$")
const Signal = formed(signal, "a signal of Linux, like SIGTERM, INT, SIGRTMIN+3 or 10")

const user = /^(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10})(?::(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10}))?$/
const User = formed(user, "a user and group of the image, like game, 1000 or 1000:1000")

export const PullPolicy = Schema.Literals(["always", "if_missing", "never"])
export type PullPolicy = typeof PullPolicy.Type

export const GameSpec = Schema.Struct({
  command: field(listOf(Text, 1024), "Replaces the image's entrypoint.", "the image's"),
  args: field(listOf(Text, 1024), "Replaces the image's command: the arguments of the entrypoint.", "the image's"),
  working_dir: field(AbsolutePath, "Where the program is started; made when missing.", "the image's"),
  user: field(User, "Whom the program runs as, by name or number.", "the image's"),
  env: field(Env, "Environment beside `GAME_STATE_PATH` and `STORAGE_PATH`: values, marked values, files."),
  resources: field(Resources, "What the game may use."),
  init: field(Schema.Boolean, "An init process runs the program, passes signals on and reaps what it leaves behind.", "`true`"),
  tty: field(Schema.Boolean, "The program has a terminal.", "`false`"),
  stdin: field(Schema.Boolean, "Input can be attached to, for a console.", "`false`"),
  ...mountFields,
  networks: field(Networks, "Networks beside the games' own, on which it always is."),
  ports: field(Ports, "Ports of the container that are reached on its host."),
  labels: field(Labels, "Labels of the container beside the controller's own."),
  stop_signal: field(Signal, "Signal that asks the game to end.", "the image's, else `SIGTERM`"),
  stop_grace: field(Duration, "From the stop signal to SIGKILL, e.g. `30s`; `0s`: at once.", "`RTM_STOP_GRACE`"),
  pull_policy: field(PullPolicy, "When the image is pulled; `always`: before each start, in place too.", "`RTM_IMAGE_PULL_POLICY`"),
  restart: field(RestartSpec, "When it is restarted, and after which ends it is not."),
  registry_auth: field(Name, "Login for the image's registry: `RTM_REGISTRY_AUTH_ROOT`/name/config.json, as `docker login` writes it.", "that of `DOCKER_CONFIG`"),
  security: field(Security, "What the game may do beyond the hardening that all have, and less."),
  logging: field(Logging, "Where its output goes.")
}).check(Schema.makeFilter(doubledTarget)).annotate({ identifier: "GameSpec", title: "Runtime Manager game spec" })
export type GameSpec = typeof GameSpec.Type

export const emptySpec: GameSpec = {}

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
