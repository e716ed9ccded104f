/** The resync: one list and one query, and only the games that differ, or are due before the next one, are looked at. */
import { Clock, Effect, Metric } from "effect"
import type { GameId } from "../../src/domain/GameId.ts"
import { ContainerEngine, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { Store } from "../../src/store/Store.ts"
import * as metrics from "../../src/telemetry/metrics.ts"
import type { Settings } from "../game/view.ts"
import { differing } from "./differs.ts"

export interface SweepOptions {
  readonly settings: Settings
  readonly engineId: Effect.Effect<string, EngineError>
  /** Looks at the game, now (0) or later. */
  readonly enqueue: (gameId: GameId, inMs: number) => Effect.Effect<void>
  /** The next resync comes after this long. */
  readonly resyncMs: number
}

/** Answers how many games differ. */
export const sweep = Effect.fnUntraced(function*(options: SweepOptions) {
  const store = yield* Store
  const engine = yield* ContainerEngine
  const startedMs = yield* Clock.currentTimeMillis
  const engineId = yield* options.engineId
  // The list comes first: what is made after it is also recorded after it, and a look at it too many does no harm.
  const containers = yield* engine.list()
  const rows = yield* store.survey
  const nowMs = yield* Clock.currentTimeMillis
  const due = differing(rows, containers, options.settings, engineId, nowMs, options.resyncMs)
  yield* Effect.forEach(due, ({ gameId, inMs }) => options.enqueue(gameId, inMs), { discard: true })
  const differ = due.filter(({ inMs }) => inMs === 0).length
  yield* Metric.update(metrics.sweepSeconds, (nowMs - startedMs) / 1000)
  yield* Metric.update(metrics.sweepDrift, differ)
  yield* Effect.logDebug("resync", { games: rows.length, containers: containers.length, differing: differ })
  return differ
})
