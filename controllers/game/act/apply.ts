/**
 * Carries one action out on the engine. Each handler is safe to repeat and safe to lose the answer of: it fails when the
 * end is unknown, and the next look at the engine tells what happened. `slowDone` is run when what keeps the engine busy is
 * done.
 */
import { Clock, Effect } from "effect"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { Observation, Target } from "../../../src/domain/Observation.ts"
import { withoutValues } from "../../../src/domain/withoutValues.ts"
import { ContainerEngine, EngineError, isTransient } from "../../../src/engine/ContainerEngine.ts"
import { wantedPull } from "../decide/pull.ts"
import type { Action } from "../decide/step.ts"
import type { Outcome } from "../record/outcome.ts"
import { Pulls } from "./Pulls.ts"

export const apply = (seen: Observation, action: Action, slowDone: Effect.Effect<void> = Effect.void) =>
  Effect.mapError(carryOut(seen, action, slowDone), (error) => withoutSpec(seen, error))

/** The engine's words may repeat what it was asked for, secrets too. */
const withoutSpec = ({ target }: Observation, error: EngineError): EngineError =>
  target === null ? error : new EngineError({ ...error, message: withoutValues(error.message, target.spec) })

const carryOut = Effect.fnUntraced(function*(seen: Observation, action: Action, slowDone: Effect.Effect<void>) {
  const engine = yield* ContainerEngine
  switch (action._tag) {
    case "Create":
      return yield* create(seen, action.target, slowDone)
    case "Start":
      return yield* startAgain(seen, action.container.id, slowDone)
    case "FetchImage":
      return yield* fetchImage(seen, action.target)
    case "Signal":
      return yield* signal(action.container.id, action.signal)
    case "Kill":
      yield* engine.kill(action.container.id, "SIGKILL")
      return done
    case "Unpause":
      yield* engine.unpause(action.container.id)
      return done
    case "Disarm":
      yield* engine.disarm(action.container.id)
      return done
    case "Remove":
      yield* engine.remove(action.container.id)
      return removed
  }
})

const done: Outcome = { _tag: "Done" }
const fetching: Outcome = { _tag: "Fetching" }
const removed: Outcome = { _tag: "Removed" }
const signalled: Extract<Outcome, { readonly _tag: "Signalled" }> = { _tag: "Signalled" }

/** A signal that the engine does not know ends nobody: the grace runs, and SIGKILL comes after it. */
const signal = Effect.fnUntraced(function*(id: string, name: string) {
  const sent = yield* Effect.result((yield* ContainerEngine).kill(id, name))
  if (sent._tag === "Success") return signalled
  const { message, reason } = sent.failure
  if (reason !== "Invalid") return yield* sent.failure
  yield* Effect.logWarning(`the engine refuses ${name}; SIGKILL comes when the grace is over`, { reason: message })
  return { ...signalled, refusal: message }
})

/** A present image is used as it is, without asking anybody; a missing one is pulled in the background. */
const create = Effect.fnUntraced(function*(seen: Observation, target: Target, slowDone: Effect.Effect<void>) {
  const outcome = yield* createOnce(seen, target, slowDone)
  if (!isStranded(outcome)) return outcome
  // It was made for a network that was remembered and is gone; the engine's client has forgotten it by now.
  yield* (yield* ContainerEngine).remove(outcome.containerId)
  return yield* createOnce(seen, target, slowDone)
})

const createOnce = Effect.fnUntraced(function*(seen: Observation, target: Target, slowDone: Effect.Effect<void>) {
  const engine = yield* ContainerEngine
  const { generation, imageRef, spec, specHash, stopGraceMs } = target
  const createdAtMs = yield* Clock.currentTimeMillis
  const made = yield* Effect.result(engine.create({ gameId: seen.gameId, imageRef, generation, specHash, createdAtMs, stopGraceMs, spec }))
  if (made._tag === "Success") return yield* startContainer(seen, made.success, slowDone)
  const error = made.failure
  return error.reason === "ImageMissing" ? yield* missingImage(seen, target) : yield* verdict(seen, error)
})

type Stranded = Extract<Outcome, { readonly _tag: "StartFailed" }> & { readonly containerId: string }

/** Made for a network that is gone: it can never start. */
const isStranded = (outcome: Outcome): outcome is Stranded =>
  outcome._tag === "StartFailed" && outcome.failure.reason === "NetworkMissing" && outcome.containerId !== undefined

/** The image is not on the host: somebody must bring it, once more where it went while the game waited, unless nobody may. */
const missingImage = Effect.fnUntraced(function*(seen: Observation, target: Target) {
  if (target.pullPolicy === "never") return noImage(`image ${target.imageRef} is not on the host and its pull policy is never`)
  const { pull } = seen
  if (pull._tag === "Pulled" && pull.again) return noImage(`image ${target.imageRef} was pulled but is not on the host`)
  return yield* fetch(seen, target, false, pull._tag === "Pulled")
})

const fetchImage = Effect.fnUntraced(function*(seen: Observation, target: Target) {
  const isOnHost = target.pullPolicy !== "always" && (yield* (yield* ContainerEngine).hasImage(target.imageRef))
  return isOnHost || target.pullPolicy === "always" ? yield* fetch(seen, target, isOnHost) : yield* missingImage(seen, target)
})

const fetch = Effect.fnUntraced(function*(seen: Observation, target: Target, isOnHost: boolean, again = false) {
  const { desiredHash, problem, restartPolicy, state } = seen.desired!
  const id = wantedPull({ state, restartPolicy, problem, desiredHash, generation: target.generation, revision: target }, seen.record)
  if (id !== undefined) yield* (yield* Pulls).fetch(seen.gameId, id, target, { isOnHost, again })
  return fetching
})

const noImage = (message: string): Outcome => startFailed({ code: "image_pull_failed", reason: "ImageMissing", message })

/** A container whose network was pruned can never start again; the game's state is in its volume, so another one is made. */
const startAgain = Effect.fnUntraced(function*(seen: Observation, id: string, slowDone: Effect.Effect<void>) {
  const outcome = yield* startContainer(seen, id, slowDone)
  if (!isStranded(outcome)) return outcome
  yield* (yield* ContainerEngine).remove(id)
  return removed
})

const startContainer = Effect.fnUntraced(function*(seen: Observation, id: string, slowDone: Effect.Effect<void>) {
  const start = yield* Effect.result((yield* ContainerEngine).start(id, slowDone))
  if (start._tag === "Failure") return yield* verdict(seen, start.failure, id)
  const outcome: Outcome = { _tag: "Started", container: start.success }
  return outcome
})

/** An answer of the engine is a verdict on the attempt; no answer is none, and a name held by our own game means a race. */
const verdict = (seen: Observation, told: EngineError, containerId?: string): Effect.Effect<Outcome, EngineError> => {
  const error = withoutSpec(seen, told)
  const heldByUs = error.reason === "NameTaken" && error.holder?.gameId === seen.gameId
  if (isTransient(error) || heldByUs) return Effect.fail(error)
  return Effect.succeed(startFailed(startFailure(error), containerId))
}

export const startFailure = ({ message, reason }: EngineError): Failure => ({ code: "container_start_failed", reason, message })

const startFailed = (failure: Failure, containerId?: string): Outcome => ({
  _tag: "StartFailed",
  failure,
  ...(containerId === undefined ? {} : { containerId })
})
