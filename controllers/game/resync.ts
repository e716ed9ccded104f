/** The resync: one list and a survey, and only the games that differ, or are due before the next one, are looked at. */
import { Clock, Effect, Metric, Ref } from "effect"
import { monotonicMs } from "../../src/clock/monotonic.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { PullPolicy } from "../../src/domain/GameSpec.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import { ContainerEngine, type ContainerSummary, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { firstPage, GameReader, type SurveyPage, type SurveyPart, type SurveyRow } from "../../src/store/GameReader.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import * as metrics from "../../src/telemetry/metrics.ts"
import type { Exchanges } from "./act/Exchanges.ts"
import { type Comparison, compareWith, type Due } from "./drift.ts"
import { isAnothers } from "./observe/assess.ts"

export interface ResyncOptions {
  readonly instance: string
  readonly timing: Timing
  readonly pullPolicy: PullPolicy
  readonly engineId: Effect.Effect<string, EngineError>
  readonly exchanges: Exchanges["Service"]
  /** Looks at the game, now (0) or later. */
  readonly enqueue: (gameId: GameId, inMs: number) => Effect.Effect<void>
  /** Told of each list. */
  readonly noteList: (containers: ReadonlyArray<ContainerSummary>) => Effect.Effect<void>
  /** The next resync comes after this long. */
  readonly resyncMs: number
  /** Where the next resync goes on with what none needs to look at: each compares one page of it. */
  readonly recheckFrom: Ref.Ref<RecheckFrom>
}

export type RecheckFrom = Readonly<Record<Exclude<SurveyPart, "open">, string>>

export const recheckFirst: RecheckFrom = { settled: firstPage, unnoted: firstPage }

/** What has come of the pages so far: of all games only those that differ. */
interface Found {
  readonly due: Array<Due>
  readonly exchanging: Array<GameId>
  games: number
}

const namesSaid = 20

/** Reports what other installations have on this engine, once each time it is something else. */
export const makeNoteAnothers = (instance: string): ResyncOptions["noteList"] => {
  let said = ""
  return (containers) =>
    Effect.suspend(() => {
      const found = containers.filter((container) => isAnothers(container, instance)).map(({ instance: by, name }) => `${name} (${by})`).sort()
      const now = found.join(", ")
      if (now === said) return Effect.void
      said = now
      const names = [...found.slice(0, namesSaid), ...(found.length > namesSaid ? ["..."] : [])].join(", ")
      return found.length === 0
        ? Effect.logInfo("no container of another installation is on this engine any more")
        : Effect.logWarning(`${found.length} containers of other installations are on this engine: ${names}; they are left alone`)
    })
}

/** Answers how many games differ. */
export const resync = Effect.fnUntraced(function*(options: ResyncOptions) {
  const engine = yield* ContainerEngine
  const startedMs = yield* monotonicMs
  const engineId = yield* options.engineId
  // The list comes first: what is made after it is also recorded after it, and a look at it too many does no harm.
  const containers = yield* engine.list()
  yield* options.noteList(containers)
  const comparison = compareWith(containers, options.instance)
  const found: Found = { due: [], exchanging: [], games: 0 }
  const compare = comparing(options, engineId, comparison, found)
  yield* compareOpen(compare)
  yield* recheck(options, compare)
  yield* options.exchanges.seed(found.exchanging)
  const due = [...found.due, ...comparison.unnamed()]
  yield* Effect.forEach(due, ({ gameId, inMs }) => options.enqueue(gameId, inMs), { discard: true })
  const differ = due.filter(({ inMs }) => inMs === 0).length
  yield* Metric.update(metrics.sweepSeconds, ((yield* monotonicMs) - startedMs) / 1000)
  yield* Metric.update(metrics.sweepDrift, differ)
  yield* Effect.logDebug("resync", { games: found.games, containers: containers.length, differing: differ })
  return differ
})

type Compare = (rows: ReadonlyArray<SurveyRow>) => Effect.Effect<ReturnType<Comparison["page"]>>

const comparing = (options: ResyncOptions, engineId: string, comparison: Comparison, found: Found): Compare => (rows) =>
  Effect.map(Clock.currentTimeMillis, (nowMs) => {
    const compared = comparison.page(rows, { ...options, engineId, nowMs, withinMs: options.resyncMs })
    found.due.push(...compared.due)
    found.exchanging.push(...rows.flatMap(({ gameId, record }) => record?.rollout != null ? [gameId] : []))
    found.games += rows.length
    return compared
  })

/** Page by page, so that neither a statement nor what is held of it grows with the games. */
const compareOpen = Effect.fnUntraced(function*(compare: Compare) {
  const reader = yield* GameReader
  const writer = yield* GameWriter
  for (let after: string | null = firstPage; after !== null;) {
    const page: SurveyPage = yield* reader.survey("open", after)
    const { settled } = yield* compare(page.rows)
    if (settled.length > 0) yield* writer.settle(settled)
    after = page.next
  }
})

/**
 * What was found settled may not be so any more by a release that judges otherwise, or by rows that were written without triggers; and
 * of rows that were made without them nobody tells.
 */
const recheck = Effect.fnUntraced(function*({ recheckFrom }: ResyncOptions, compare: Compare) {
  const reader = yield* GameReader
  for (const part of ["settled", "unnoted"] as const) {
    const { next, rows } = yield* reader.survey(part, (yield* Ref.get(recheckFrom))[part])
    yield* compare(rows)
    yield* Ref.update(recheckFrom, (from) => ({ ...from, [part]: next ?? firstPage }))
  }
})
