/**
 * Carries one action out on the engine. Each handler is safe to repeat and safe to lose the answer of: it fails when the
 * end is unknown, and the next look at the engine tells what happened. `slowDone` is run when what keeps the engine busy is
 * done.
 */
import { Clock, Effect } from "effect"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import { isRunning, type Observation, type ObservedContainer, type Target } from "../../../src/domain/Observation.ts"
import { noPorts, type PortSettings, type PublishedPort } from "../../../src/domain/ports.ts"
import { withoutValues } from "../../../src/domain/withoutValues.ts"
import { ContainerEngine, EngineError, isTransient } from "../../../src/engine/ContainerEngine.ts"
import { wantedPull } from "../decide/pull.ts"
import type { Action } from "../decide/step.ts"
import type { Outcome } from "../record/outcome.ts"
import { claimAsMade, claimFor, mostExchanged, takenOf, tooManyTaken } from "./ports.ts"
import { Pulls } from "./Pulls.ts"

export interface ApplyOptions {
  /** Default: none. */
  readonly slowDone?: Effect.Effect<void>
  readonly ports?: PortSettings
}

/** What every handler of a start is given. */
interface Starting {
  readonly seen: Observation
  readonly slowDone: Effect.Effect<void>
  readonly ports: PortSettings
}

export const apply = (seen: Observation, action: Action, { ports = noPorts, slowDone = Effect.void }: ApplyOptions = {}) =>
  Effect.mapError(carryOut({ seen, slowDone, ports }, action), (error) => error instanceof EngineError ? withoutSpec(seen, error) : error)

/** The engine's words may repeat what it was asked for, secrets too. */
const withoutSpec = ({ target }: Observation, error: EngineError): EngineError =>
  target === null ? error : new EngineError({ ...error, message: withoutValues(error.message, target.spec) })

const carryOut = Effect.fnUntraced(function*(starting: Starting, action: Action) {
  const engine = yield* ContainerEngine
  switch (action._tag) {
    case "Create":
      return yield* create(starting, action.target)
    case "Start":
      return yield* startAgain(starting, action.container)
    case "FetchImage":
      return yield* fetchImage(starting, action.target)
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

/** How a start went that may be tried in another way at once. */
type Attempt = Outcome | { readonly _tag: "PortTaken"; readonly containerId: string; readonly error: EngineError }

/** A present image is used as it is, without asking anybody; a missing one is pulled in the background. */
const create = Effect.fnUntraced(function*(starting: Starting, target: Target) {
  const { ports: settings, seen } = starting
  const engine = yield* ContainerEngine
  let claimed = yield* claimFor(seen, target, settings)
  let isNew = true
  for (let exchanged = 0; claimed._tag === "Ports";) {
    const outcome: Attempt = yield* createOnce(starting, target, claimed.ports)
    if (outcome._tag === "PortTaken") {
      yield* engine.remove(outcome.containerId)
      const taken = takenOf(outcome.error, claimed.ports)
      const [first] = taken
      // Whatever it is that the engine means, it is none of these.
      if (first === undefined) return startFailed(startFailure(outcome.error))
      claimed = yield* claimFor(seen, target, settings, { taken })
      if (claimed._tag === "Ports" && exchanged++ >= mostExchanged) return startFailed(tooManyTaken(first))
    } else if (isStranded(outcome) && isNew) {
      // It was made for a network that was remembered and is gone; the engine's client has forgotten it by now.
      yield* engine.remove(outcome.containerId)
      isNew = false
    } else return outcome
  }
  return startFailed(claimed.failure)
})

const createOnce = Effect.fnUntraced(function*(starting: Starting, target: Target, ports: ReadonlyArray<PublishedPort>) {
  const { seen } = starting
  const engine = yield* ContainerEngine
  const { generation, imageRef, spec, specHash, stopGraceMs } = target
  const createdAtMs = yield* Clock.currentTimeMillis
  const made = yield* Effect.result(engine.create({ gameId: seen.gameId, imageRef, generation, specHash, createdAtMs, stopGraceMs, spec, ports }))
  if (made._tag === "Success") return yield* startContainer(starting, made.success)
  const error = made.failure
  return error.reason === "ImageMissing" ? yield* missingImage(seen, target) : yield* verdict(seen, error)
})

type Stranded = Extract<Outcome, { readonly _tag: "StartFailed" }> & { readonly containerId: string }

/** Made for a network that is gone: it can never start. */
const isStranded = (outcome: Attempt): outcome is Stranded =>
  outcome._tag === "StartFailed" && outcome.failure.reason === "NetworkMissing" && outcome.containerId !== undefined

/** The image is not on the host: somebody must bring it, once more where it went while the game waited, unless nobody may. */
const missingImage = Effect.fnUntraced(function*(seen: Observation, target: Target) {
  if (target.pullPolicy === "never") return noImage(`image ${target.imageRef} is not on the host and its pull policy is never`)
  const { pull } = seen
  if (pull._tag === "Pulled" && pull.again) return noImage(`image ${target.imageRef} was pulled but is not on the host`)
  return yield* fetch(seen, target, false, pull._tag === "Pulled")
})

/** What runs is not taken down for another before the ports of that one are the game's. */
const fetchImage = Effect.fnUntraced(function*({ ports, seen }: Starting, target: Target) {
  if (isRunning(seen.main)) {
    const claimed = yield* claimFor(seen, target, ports, { keep: true })
    if (claimed._tag === "None") return startFailed(claimed.failure)
  }
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
const startAgain = Effect.fnUntraced(function*(starting: Starting, container: ObservedContainer) {
  const { ports: settings, seen } = starting
  const claimed = yield* claimAsMade(seen, container.ports, settings)
  if (claimed._tag === "None") return yield* portsLost(seen, container, claimed.failure)
  const outcome: Attempt = yield* startContainer(starting, container.id)
  if (outcome._tag === "PortTaken") {
    const again = yield* claimAsMade(seen, container.ports, settings, { taken: takenOf(outcome.error, container.ports) })
    return yield* portsLost(seen, container, again._tag === "None" ? again.failure : startFailure(outcome.error))
  }
  if (!isStranded(outcome)) return outcome
  yield* (yield* ContainerEngine).remove(container.id)
  return removed
})

/** A container cannot change its ports: where the range may have others, another one is made with those. */
const portsLost = Effect.fnUntraced(function*({ target }: Observation, { id, ours }: ObservedContainer, failure: Failure) {
  if (!ours || !target?.spec.ports?.some(({ host }) => host === undefined)) return startFailed(failure, id)
  yield* (yield* ContainerEngine).remove(id)
  return removed
})

const startContainer = Effect.fnUntraced(function*({ seen, slowDone }: Starting, id: string) {
  const start = yield* Effect.result((yield* ContainerEngine).start(id, slowDone))
  if (start._tag === "Success") return { _tag: "Started", container: start.success } satisfies Attempt
  const error = withoutSpec(seen, start.failure)
  return error.reason === "PortTaken" ? { _tag: "PortTaken", containerId: id, error } satisfies Attempt : yield* verdict(seen, error, id)
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
