/**
 * A stream entry to what it asks for. Total: whatever an entry holds, the answer is a wish or a refusal. Fields that are
 * not known are passed over, so that a newer sender can talk to an older controller; an optional field that is empty says
 * nothing. A spec may hold secrets: no message and no payload has a value of it, nor of a field that is not known, which may
 * be a spec by a wrong name.
 */
import { Result } from "effect"
import { type Admission, admissionProblem, noLimits } from "../domain/Admission.ts"
import type { Failure } from "../domain/ErrorCode.ts"
import { RestartPolicy } from "../domain/Game.ts"
import { type GameId, isGameId } from "../domain/GameId.ts"
import { decodeSpec, type GameSpec, maximumSpecBytes } from "../domain/GameSpec.ts"
import { imageRefProblem } from "../domain/ImageRef.ts"
import { type JobIntake, StopReason, type StartWish, type StopWish } from "../domain/Job.ts"
import type { JobStreamEntry } from "./Streams.ts"

/** A value longer than this is refused before anything reads it. */
const maximumChars = { field: 1024, spec: maximumSpecBytes }
/** What is kept of an entry for people to look at. */
const keptFields = 64

type Fields = Readonly<Record<string, string>>

export const decodeJob = (entry: JobStreamEntry, admission: Admission = noLimits): JobIntake => {
  if (entry.isUnread) {
    return refused(entry, {}, dead(`delivered ${entry.deliveries} times and never taken: it is given up unread, it may be too big for a controller`))
  }
  if (entry.fields === null) return refused(entry, {}, dead("the entry was trimmed from its stream before it was taken"))
  const decoded: Result.Result<StartWish | StopWish, Refusal> = entry.kind === "start" ? startWish(entry.fields, admission) : stopWish(entry.fields)
  return Result.isSuccess(decoded)
    ? { ...identity(entry), _tag: "Wish", wish: decoded.success, payload: kept(entry.fields) }
    : refused(entry, entry.fields, decoded.failure)
}

/** The game as the entry names it; empty when it names none. */
export const gameOf = (job: JobIntake): string => job._tag === "Wish" ? job.wish.gameId : job.gameId

interface Refusal {
  readonly failure: Failure
  readonly dead: boolean
  readonly imageRef?: string
}

const dead = (message: string): Refusal => ({
  failure: { code: "invalid_request", reason: "InvalidJob", message },
  dead: true
})

const unusable = (imageRef: string, message: string): Refusal => ({
  failure: { code: "start_config_invalid", reason: "SpecInvalid", message },
  dead: false,
  imageRef
})

const identity = ({ entryId, kind, life, stream }: JobStreamEntry) => ({ entryId, kind, life, stream })

const refused = (entry: JobStreamEntry, fields: Fields, refusal: Refusal): JobIntake => ({
  ...identity(entry),
  _tag: "Refused",
  gameId: printable(own(fields, "game_id") ?? "", 51),
  failure: refusal.failure,
  payload: kept(fields),
  dead: refusal.dead,
  imageRef: refusal.imageRef
})

const startWish = (fields: Fields, admission: Admission): Result.Result<StartWish, Refusal> => {
  const head = common(fields)
  if (Result.isFailure(head)) return Result.fail(head.failure)
  const imageRef = own(fields, "image_ref")
  if (imageRef === undefined || imageRef === "") return Result.fail(dead("image_ref is missing; it takes an image like galaxy/engine:1.4.2"))
  const policy = said(fields, "restart_policy")
  if (policy !== undefined && !isOneOf(RestartPolicy.literals, policy)) {
    return Result.fail(dead(`restart_policy is none of what it takes: ${RestartPolicy.literals.join(", ")}`))
  }
  const problem = imageRefProblem(imageRef)
  if (problem !== undefined) return Result.fail(unusable(printable(imageRef, 200), `image_ref ${shown(imageRef)} ${problem}`))
  const spec = specOf(said(fields, "spec"))
  if (Result.isFailure(spec)) return Result.fail(unusable(imageRef, spec.failure))
  const refusal = admissionProblem(imageRef, (spec.success ?? {}) as GameSpec, admission)
  return refusal !== undefined
    ? Result.fail(unusable(imageRef, `${refusal.path}: ${refusal.message}`))
    : Result.succeed({ kind: "start", gameId: head.success, imageRef, restartPolicy: policy, spec: spec.success })
}

const stopWish = (fields: Fields): Result.Result<StopWish, Refusal> => {
  const head = common(fields)
  if (Result.isFailure(head)) return Result.fail(head.failure)
  const reason = own(fields, "reason")
  return reason === undefined || !isOneOf(StopReason.literals, reason)
    ? Result.fail(dead(`reason is ${reason === undefined ? "missing" : "none of what it takes"}: ${StopReason.literals.join(", ")}`))
    : Result.succeed({ kind: "stop", gameId: head.success, reason })
}

/** What both kinds have: the game, and when it was asked for. */
const common = (fields: Fields): Result.Result<GameId, Refusal> => {
  const gameId = own(fields, "game_id")
  if (!isGameId(gameId)) {
    return Result.fail(dead(`game_id is ${shown(gameId)}; it takes 1 to 51 characters a-z, 0-9 and -, not at its ends`))
  }
  const requested = said(fields, "requested_at_ms")
  return requested !== undefined && !milliseconds.test(requested)
    ? Result.fail(dead("requested_at_ms is not what it takes: milliseconds since 1970"))
    : Result.succeed(gameId)
}

export const milliseconds = /^\d{1,16}$/

const specOf = (text: string | undefined): Result.Result<Readonly<Record<string, unknown>> | undefined, string> => {
  if (text === undefined) return Result.succeed(undefined)
  if (text.length > maximumChars.spec) return Result.fail(`spec has ${text.length} characters; it takes at most ${maximumChars.spec}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return Result.fail("spec is no JSON; it takes a JSON object")
  }
  const spec = decodeSpec(value)
  // With a blank after each comma and colon, as the database counts, or more.
  const bytes = Result.isSuccess(spec) ? Buffer.byteLength(JSON.stringify(value, null, 1)) : 0
  if (bytes > maximumSpecBytes) return Result.fail(`spec has ${bytes} bytes; it takes at most ${maximumSpecBytes}`)
  return Result.isSuccess(spec)
    ? Result.succeed(value as Readonly<Record<string, unknown>>)
    : Result.fail(`spec${spec.failure.path === "" ? "" : `.${spec.failure.path}`}: ${spec.failure.message}`)
}

const isOneOf = <A extends string>(values: ReadonlyArray<A>, value: string): value is A => (values as ReadonlyArray<string>).includes(value)

/** A field of the entry itself, never one that every object inherits; a monstrous value reads as its beginning. */
const own = (fields: Fields, name: string): string | undefined => {
  if (!Object.hasOwn(fields, name)) return undefined
  const value = fields[name]!
  return name === "spec" || value.length <= maximumChars.field ? value : value.slice(0, maximumChars.field)
}

/** An optional field: one that is empty says nothing, as senders write it who fill in every field. */
const said = (fields: Fields, name: string): string | undefined => own(fields, name) || undefined

const shown = (value: string | undefined): string => value === undefined ? "missing" : JSON.stringify(printable(value, 100))

export const printable = (text: string, length: number): string =>
  (text.length > length ? `${cut(text, length - 1)}…` : text).toWellFormed().replace(/\p{Cc}/gu, "\ufffd")

/** Never through the middle of a character. */
const cut = (text: string, length: number): string => text.slice(0, /[\ud800-\udbff]/.test(text.charAt(length - 1)) ? length - 1 : length)

/** Which values of an entry people may see. Of all others only the length is kept. */
const shows: Readonly<Record<string, (value: string) => boolean>> = {
  game_id: (value) => value.length <= maximumChars.field,
  image_ref: (value) => value.length <= maximumChars.field,
  requested_at_ms: (value) => milliseconds.test(value),
  restart_policy: (value) => isOneOf(RestartPolicy.literals, value),
  reason: (value) => isOneOf(StopReason.literals, value)
}

/** The entry for people, cut to a size that can be stored; its names too may be anything. */
const kept = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).slice(0, keptFields).map(([name, value]) => [
      printable(name, 256),
      value === "" || (Object.hasOwn(shows, name) && shows[name]!(value)) ? value : `(${value.length} characters)`
    ])
  )
