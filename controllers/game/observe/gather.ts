/** Reads the row, the record, the pending jobs and the engine's containers of one game. I/O only: nothing in here judges. */
import { Effect } from "effect"
import type { Admission } from "../../../src/domain/Admission.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { PullPolicy } from "../../../src/domain/GameSpec.ts"
import type { Facts, FoundContainer } from "../../../src/domain/Observation.ts"
import { decodeRow } from "../../../src/domain/Row.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { Timing } from "../../../src/domain/Timing.ts"
import { ContainerEngine, type ContainerSummary, type EngineError } from "../../../src/engine/ContainerEngine.ts"
import { GameReader } from "../../../src/store/GameReader.ts"
import { Exchanges } from "../act/Exchanges.ts"
import { Pulls } from "../act/Pulls.ts"
import { wantedPull } from "../decide/pull.ts"
import { fateOf, notInspected } from "./assess.ts"
import { ClockSteps } from "./ClockSteps.ts"

export interface GatherOptions {
  /** This installation. */
  readonly instance: string
  readonly timing: Timing
  /** Where the spec says nothing else. */
  readonly pullPolicy: PullPolicy
  /** What rows may ask for. Default: all that the Schema lets be, but steering labels. */
  readonly admission?: Admission
  /** The engine that answers now; a change of it must be noticed before a 404 is believed. */
  readonly engineId: Effect.Effect<string, EngineError>
}

/** The facts but for the time: they are as old as the oldest of them. */
export const gather = Effect.fnUntraced(function*(gameId: GameId, options: GatherOptions) {
  const engine = yield* ContainerEngine
  const expected = yield* options.engineId
  const { claims, game, jobs, lastHealth, record: written } = yield* (yield* GameReader).load(gameId)
  const record = yield* (yield* ClockSteps).follow(gameId, written)
  // "There is no such game" is not said on a hint.
  const hint = game === null && jobs.length > 0 ? undefined : engine.known(gameId)
  const known = hint ?? (yield* engine.list(gameId)).map(({ id }) => id)
  const found = yield* Effect.forEach(idsToInspect(known, record), inspectOne(engine, gameId), { concurrency: 4 })
  const containers = found.filter((one) => one !== "gone")
  // Only the engine that held a container can say that it is gone, and another one may answer since `expected` was asked.
  const { admission, instance } = options
  const engineId = fateOf(record, containers, { engineId: expected, instance }) === "gone" ? (yield* engine.identity).id : expected
  const row = game && decodeRow(game, admission)
  const exchanges = yield* Exchanges
  yield* exchanges.note(gameId, record !== null && record.rollout !== null)
  return {
    gameId,
    instance,
    row,
    record,
    jobs,
    lastHealth,
    containers,
    engineId,
    claims: claims.filter((claim) => claim.engineId === engineId),
    pull: yield* (yield* Pulls).stateOf(gameId, wantedPull(row, record)),
    exchangesFull: exchanges.isFull(gameId),
    timing: options.timing,
    pullPolicy: options.pullPolicy
  } satisfies Omit<Facts, "nowMs">
})

/** The recorded container is asked for by its id even where no list shows it: only its own 404 proves it gone. */
const idsToInspect = (known: ReadonlyArray<string>, record: RuntimeRecord | null): ReadonlyArray<string> => [
  ...new Set([
    ...known,
    ...(record?.currentContainerId != null ? [record.currentContainerId] : [])
  ])
]

/** A container whose inspect hangs, or makes no sense, while a list answers and shows it is `unresponsive`; any other failure is the engine's. */
const inspectOne = (engine: ContainerEngine["Service"], gameId: GameId) => (id: string): Effect.Effect<FoundContainer | "gone", EngineError> =>
  engine.inspect(id).pipe(
    Effect.catchIf((error) => error.reason === "Timeout" || error.reason === "Undecodable", (error) =>
      Effect.flatMap(engine.list(gameId), (listed) => {
        const shown = listed.find((one) => one.id === id)
        return shown ? Effect.succeed<FoundContainer>(unresponsive(shown)) : Effect.fail(error)
      }))
  )

const unresponsive = (shown: ContainerSummary): FoundContainer => ({
  ...shown,
  state: "unresponsive",
  startedAtMs: null,
  exit: null,
  ...notInspected
})
