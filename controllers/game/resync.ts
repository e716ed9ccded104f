/** The resync: one list and one query, and only the games that differ, or are due before the next one, are looked at. */
import { Clock, Effect, Metric } from "effect"
import { monotonicMs } from "../../src/clock/monotonic.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { PullPolicy } from "../../src/domain/GameSpec.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import { ContainerEngine, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { GameReader } from "../../src/store/GameReader.ts"
import * as metrics from "../../src/telemetry/metrics.ts"
import type { Exchanges } from "./act/Exchanges.ts"
import { differing } from "./drift.ts"

export interface ResyncOptions {
  readonly timing: Timing
  readonly pullPolicy: PullPolicy
  readonly engineId: Effect.Effect<string, EngineError>
  readonly exchanges: Exchanges["Service"]
  /** Looks at the game, now (0) or later. */
  readonly enqueue: (gameId: GameId, inMs: number) => Effect.Effect<void>
  /** The next resync comes after this long. */
  readonly resyncMs: number
}

/** Answers how many games differ. */
export const resync = Effect.fnUntraced(function*(options: ResyncOptions) {
  const engine = yield* ContainerEngine
  const reader = yield* GameReader
  const startedMs = yield* monotonicMs
  const engineId = yield* options.engineId
  // The list comes first: what is made after it is also recorded after it, and a look at it too many does no harm.
  const containers = yield* engine.list()
  const rows = yield* reader.survey
  yield* options.exchanges.seed(rows.flatMap(({ gameId, record }) => record?.rollout != null ? [gameId] : []))
  const nowMs = yield* Clock.currentTimeMillis
  const due = differing(rows, containers, { ...options, engineId, nowMs, withinMs: options.resyncMs })
  yield* Effect.forEach(due, ({ gameId, inMs }) => options.enqueue(gameId, inMs), { discard: true })
  const differ = due.filter(({ inMs }) => inMs === 0).length
  yield* Metric.update(metrics.sweepSeconds, ((yield* monotonicMs) - startedMs) / 1000)
  yield* Metric.update(metrics.sweepDrift, differ)
  yield* Effect.logDebug("resync", { games: rows.length, containers: containers.length, differing: differ })
  return differ
})
