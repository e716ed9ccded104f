/** Reads the row, the record, the pending jobs and the engine's containers of one game into one observation. */
import { Effect, Result } from "effect"
import type { Game } from "../../src/domain/Game.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { decodeSpec, emptySpec } from "../../src/domain/GameSpec.ts"
import { imageRefProblem } from "../../src/domain/ImageRef.ts"
import type { Desired, Observation, ObservedContainer, Recorded } from "../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { matchesSpec, specHash } from "../../src/domain/specHash.ts"
import { type ContainerDetail, ContainerEngine, type ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../src/engine/ImagePuller.ts"
import { Store } from "../../src/store/Store.ts"

export const observe = Effect.fnUntraced(function*(gameId: GameId, engineId: string) {
  const store = yield* Store
  const engine = yield* ContainerEngine
  const puller = yield* ImagePuller
  const state = yield* store.load(gameId)
  // "There is no such game" is not said on a hint.
  const hint = state.game === null && state.jobs.length > 0 ? undefined : engine.known(gameId)
  const known = hint ?? (yield* engine.list(gameId)).map(({ id }) => id)
  const desired = state.game && decodeDesired(state.game)
  const found = yield* Effect.forEach(idsToInspect(known, state.record), inspectOne(engine, gameId), { concurrency: 4 })
  const containers = found.flatMap((one) => one.container === "gone" ? [] : [observed(one.container, desired, state.record)])
  // Only the engine that held a container can say that it is gone, and another one may answer since `engineId` was asked.
  const missing = recordedFate(state.record, containers, engineId) === "gone"
  const answering = missing ? (yield* engine.identity).id : engineId
  const seen: Observation = {
    gameId,
    desired,
    record: state.record,
    jobs: state.jobs,
    containers,
    recorded: recordedFate(state.record, containers, answering),
    engineId: answering,
    pull: desired === null ? { _tag: "None" } : puller.state(gameId, desired.imageRef, desired.generation)
  }
  return seen
})

/** The row as the plan reads it: a spec or image that cannot be carried out becomes its `problem`. */
export const decodeDesired = (game: Game): Desired => {
  const spec = decodeSpec(game.spec)
  const imageProblem = imageRefProblem(game.imageRef)
  const valid = Result.isSuccess(spec) ? spec.success : emptySpec
  return {
    state: game.state,
    imageRef: game.imageRef,
    restartPolicy: game.restartPolicy,
    generation: game.generation,
    spec: valid,
    specHash: specHash(game.imageRef, valid),
    problem: Result.isFailure(spec)
      ? { path: `spec${spec.failure.path === "" ? "" : `.${spec.failure.path}`}`, message: spec.failure.message }
      : imageProblem === undefined ? null : { path: "image_ref", message: imageProblem }
  }
}

/** The recorded container is asked for by its id even where no list shows it: only its own 404 proves it gone. */
const idsToInspect = (known: ReadonlyArray<string>, record: RuntimeRecord | null): ReadonlyArray<string> => [
  ...new Set([
    ...known,
    ...(record?.currentContainerId != null ? [record.currentContainerId] : [])
  ])
]

type Found = { readonly container: ContainerDetail | Unresponsive | "gone" }
type Unresponsive = ContainerSummary & { readonly unresponsive: true }

/** A container whose inspect hangs while a list answers and shows it is `unresponsive`; any other failure is the engine's. */
const inspectOne = (engine: ContainerEngine["Service"], gameId: GameId) => (id: string) =>
  engine.inspect(id).pipe(
    Effect.map((container): Found => ({ container })),
    Effect.catchIf((error) => error.reason === "Timeout", (error) =>
      Effect.flatMap(engine.list(gameId), (listed) => {
        const shown = listed.find((one) => one.id === id)
        return shown ? Effect.succeed<Found>({ container: { ...shown, unresponsive: true } }) : Effect.fail(error)
      }))
  )

const recordedFate = (
  record: RuntimeRecord | null,
  containers: ReadonlyArray<ObservedContainer>,
  engineId: string
): Recorded => {
  const id = record?.currentContainerId
  if (record === null || id == null) return "none"
  if (containers.some((container) => container.id === id)) return "present"
  return record.engineId === null || record.engineId === engineId ? "gone" : "elsewhere"
}

const observed = (
  container: ContainerDetail | Unresponsive,
  desired: Desired | null,
  record: RuntimeRecord | null
): ObservedContainer => {
  const detail = "unresponsive" in container ? undefined : container
  return {
    id: container.id,
    name: container.name,
    state: detail === undefined ? "unresponsive" : detail.state === "restarting" ? "running" : detail.state,
    ours: container.specHash !== null && container.generation !== null,
    generation: container.generation,
    runsWanted: runsWanted(container, desired, record),
    imageRef: container.imageRef,
    createdAtMs: container.createdAtMs,
    startedAtMs: detail?.startedAtMs ?? null,
    exit: detail?.exit ?? null,
    startError: detail?.startError ?? "",
    stopSignal: detail?.stopSignal ?? "SIGTERM",
    restartsByItself: detail?.restartsByItself ?? false,
    endpoint: detail?.endpoint ?? ""
  }
}

/**
 * The record's hash comes first: an adopted container runs what was agreed on at its adoption, whatever its labels say.
 * One that carries no hash and was never recorded is taken at its image's word.
 */
const runsWanted = (container: ContainerSummary, desired: Desired | null, record: RuntimeRecord | null): boolean => {
  if (desired === null) return true
  const recorded = container.id === record?.currentContainerId ? record.specHash : null
  const hash = recorded ?? container.specHash
  return hash === null ? container.imageRef === desired.imageRef : matchesSpec(hash, desired.imageRef, desired.spec)
}
