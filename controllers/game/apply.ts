/**
 * Carries one action out on the engine. Each handler is safe to repeat and safe to lose the answer of: it fails when the
 * end is unknown, and the next look at the engine tells what happened.
 */
import { Clock, Effect } from "effect"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { PullPolicy } from "../../src/domain/GameSpec.ts"
import type { Desired, ObservedContainer } from "../../src/domain/Observation.ts"
import { parseMemoryBytes } from "../../src/domain/Quantity.ts"
import {
  ContainerEngine, type ContainerTemplate, EngineError, isTransient
} from "../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../src/engine/ImagePuller.ts"
import type { Outcome } from "./outcome.ts"
import type { Action } from "./step.ts"
import type { View } from "./view.ts"

export interface ApplyOptions {
  /** Where the spec says nothing else. */
  readonly pullPolicy: PullPolicy
  /** Looks at the game again; run when its image pull ended. */
  readonly lookAgain: (gameId: View["gameId"]) => Effect.Effect<void>
}

export const apply = Effect.fnUntraced(function*(seen: View, action: Action, options: ApplyOptions) {
  const engine = yield* ContainerEngine
  switch (action._tag) {
    case "Create":
      return yield* create(seen, seen.desired!, options)
    case "Start":
      return yield* startAgain(seen, action.container.id)
    case "Replace":
      return yield* replace(seen, seen.desired!, action.container, options)
    case "Stop":
      return yield* signal(seen, action.container)
    case "Kill":
      yield* engine.kill(action.container.id, "SIGKILL")
      return done
    case "Unpause":
      yield* engine.unpause(action.container.id)
      return done
    case "Disarm":
      yield* engine.disarm(action.container.id)
      return done
    case "Remove": {
      const missing = action.because === "replaced" ? yield* withoutImage(seen, seen.desired!, options) : undefined
      if (missing) return missing
      yield* engine.remove(action.container.id)
      return removed
    }
  }
})

const done: Outcome = { _tag: "Done" }
const pulling: Outcome = { _tag: "Pulling" }
const removed: Outcome = { _tag: "Removed" }
const signalled: Outcome = { _tag: "Signalled" }

const signal = Effect.fnUntraced(function*(seen: View, container: ObservedContainer) {
  const engine = yield* ContainerEngine
  yield* engine.kill(container.id, seen.desired?.spec.stop_signal ?? container.stopSignal)
  return signalled
})

/** A present image is used as it is, without asking anybody; a missing one is pulled in the background. */
const create = Effect.fnUntraced(function*(seen: View, desired: Desired, options: ApplyOptions) {
  const engine = yield* ContainerEngine
  const policy = desired.spec.pull_policy ?? options.pullPolicy
  if (policy === "always" && seen.pull._tag !== "Pulled") return yield* pull(seen, desired, options)
  const nowMs = yield* Clock.currentTimeMillis
  const made = yield* Effect.result(engine.create(template(seen, desired, nowMs)))
  if (made._tag === "Success") return yield* startContainer(seen, made.success)
  const error = made.failure
  if (error.reason === "ImageMissing") {
    return policy === "never" || seen.pull._tag === "Pulled"
      ? failed({ code: "image_pull_failed", reason: "ImageMissing", message: missingText(desired.imageRef, policy) })
      : yield* pull(seen, desired, options)
  }
  return yield* verdict(seen, error)
})

const missingText = (imageRef: string, policy: PullPolicy): string =>
  policy === "never"
    ? `image ${imageRef} is not on the host and its pull policy is never`
    : `image ${imageRef} was pulled but is not on the host`

const pull = Effect.fnUntraced(function*(seen: View, desired: Desired, options: ApplyOptions) {
  const puller = yield* ImagePuller
  yield* puller.request(seen.gameId, desired.imageRef, desired.generation, options.lookAgain(seen.gameId))
  return pulling
})

/** The old container runs on until the new image is on the host. */
const replace = Effect.fnUntraced(function*(seen: View, desired: Desired, container: ObservedContainer, options: ApplyOptions) {
  return (yield* withoutImage(seen, desired, options)) ?? (yield* signal(seen, container))
})

/** Why the old container must not go yet; undefined: the image of the new one is on the host. */
const withoutImage = Effect.fnUntraced(function*(seen: View, desired: Desired, options: ApplyOptions) {
  const engine = yield* ContainerEngine
  const policy = desired.spec.pull_policy ?? options.pullPolicy
  if (seen.pull._tag === "Pulled" || (policy !== "always" && (yield* engine.hasImage(desired.imageRef)))) return undefined
  return policy === "never"
    ? failed({ code: "image_pull_failed", reason: "ImageMissing", message: missingText(desired.imageRef, policy) })
    : yield* pull(seen, desired, options)
})

/** A container whose network was pruned can never start again; the game's state is in its volume, so another one is made. */
const startAgain = Effect.fnUntraced(function*(seen: View, id: string) {
  const engine = yield* ContainerEngine
  const outcome = yield* startContainer(seen, id)
  if (outcome._tag !== "StartFailed" || outcome.failure.reason !== "NetworkMissing") return outcome
  yield* engine.remove(id)
  return removed
})

const startContainer = Effect.fnUntraced(function*(seen: View, id: string) {
  const engine = yield* ContainerEngine
  const start = yield* Effect.result(engine.start(id))
  if (start._tag === "Failure") return yield* verdict(seen, start.failure, id)
  const detail = yield* engine.inspect(id)
  if (detail === "gone") {
    return yield* new EngineError({ operation: "start", reason: "NotFound", message: `container ${id} is gone right after its start` })
  }
  const container: ObservedContainer = {
    ...detail,
    state: detail.state === "restarting" ? "running" : detail.state,
    ours: detail.specHash !== null && detail.generation !== null,
    runsWanted: true
  }
  return { _tag: "Started", container } as Outcome
})

/** An answer of the engine is a verdict on the attempt; no answer is none, and a name held by our own game means a race. */
const verdict = (seen: View, error: EngineError, containerId?: string): Effect.Effect<Outcome, EngineError> => {
  const heldByUs = error.reason === "NameTaken" && error.holder?.gameId === seen.gameId
  if (isTransient(error) || heldByUs) return Effect.fail(error)
  const failure: Failure = { code: "container_start_failed", reason: error.reason, message: error.message }
  return Effect.succeed(failed(failure, containerId))
}

const failed = (failure: Failure, containerId?: string): Outcome => ({
  _tag: "StartFailed",
  failure,
  ...(containerId === undefined ? {} : { containerId })
})

const template = (seen: View, desired: Desired, nowMs: number): ContainerTemplate => ({
  gameId: seen.gameId,
  imageRef: desired.imageRef,
  generation: desired.generation,
  specHash: desired.specHash,
  createdAtMs: nowMs,
  command: desired.spec.command,
  args: desired.spec.args,
  env: desired.spec.env ?? {},
  labels: desired.spec.labels ?? {},
  cpus: desired.spec.resources?.cpus,
  memoryBytes: desired.spec.resources?.memory === undefined ? undefined : parseMemoryBytes(desired.spec.resources.memory),
  pids: desired.spec.resources?.pids,
  stopSignal: desired.spec.stop_signal
})
