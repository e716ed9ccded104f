/** Whether a game differs from its row as far as a list and a survey show. Pure: it asks the decision, and only acts on nothing. */
import { Result } from "effect"
import { decodeSpec, emptySpec, type PullPolicy } from "../../src/domain/GameSpec.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { FoundContainer } from "../../src/domain/Observation.ts"
import type { Row } from "../../src/domain/Row.ts"
import { hasObserved } from "../../src/domain/RuntimeRecord.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import type { ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import type { SurveyRow } from "../../src/store/GameReader.ts"
import type { Settled } from "../../src/store/GameWriter.ts"
import { decide } from "./decide/decide.ts"
import { isRestartAsked } from "./decide/restartInPlace.ts"
import { assess, isAnothers, notInspected } from "./observe/assess.ts"
import { areTold } from "./record/conditions.ts"

const none: ReadonlyArray<ContainerSummary> = []

/** A game to look at: now, or when it is due. */
export interface Due {
  readonly gameId: GameId
  readonly inMs: number
}

export interface DriftOptions {
  readonly instance: string
  readonly timing: Timing
  readonly pullPolicy: PullPolicy
  readonly engineId: string
  readonly nowMs: number
  /** What is due later is left to the next resync. */
  readonly withinMs: number
}

export interface Compared {
  /** The games that must be looked at, and those that wait for a time within `withinMs`: whoever held their timers may be gone. */
  readonly due: ReadonlyArray<Due>
  /** The games at which nothing is to be done, now or later, until somebody writes or a container turns up. */
  readonly settled: ReadonlyArray<Settled>
}

/** One list beside the pages of a survey. A list is not fresh and proves no absence, so nothing but a closer look follows. */
export interface Comparison {
  readonly page: (rows: ReadonlyArray<SurveyRow>, options: DriftOptions) => Compared
  /** Once all pages were compared: games of the list that none of them named, settled and removed ones among them. */
  readonly unnamed: () => ReadonlyArray<Due>
}

/** `instance`: this installation. What another one made is nothing to it, but where a record names it. */
export const compareWith = (containers: ReadonlyArray<ContainerSummary>, instance: string): Comparison => {
  const { anothers = none, own = none } = Object.groupBy(containers, (one) => isAnothers(one, instance) ? "anothers" : "own")
  const byGame = Map.groupBy(own, ({ gameId }) => gameId)
  const anothersById = new Map(anothers.map((one) => [one.id, one]))
  const take = ({ gameId, record }: SurveyRow): ReadonlyArray<ContainerSummary> => {
    const found = byGame.get(gameId) ?? none
    byGame.delete(gameId)
    const recorded = anothersById.get(record?.currentContainerId ?? "")
    return recorded === undefined ? found : [recorded, ...found]
  }
  const page: Comparison["page"] = (rows, options) => {
    const due: Array<Due> = []
    const settled: Array<Settled> = []
    for (const row of rows) {
      const seen = take(row)
      const inMs = isQuiet(row, seen, instance) ? undefined : dueInMs(row, seen, options)
      if (inMs === undefined && seen.length === 0 && isAtRest(row)) settled.push(seenOf(row))
      if (inMs !== undefined && inMs <= options.withinMs) due.push({ gameId: row.gameId, inMs })
    }
    return { due, settled }
  }
  return { page, unnamed: () => [...byGame.keys()].map((gameId) => ({ gameId, inMs: 0 })) }
}

/** A survey in one page. */
export const differing = (rows: ReadonlyArray<SurveyRow>, containers: ReadonlyArray<ContainerSummary>, options: DriftOptions): ReadonlyArray<Due> => {
  const comparison = compareWith(containers, options.instance)
  return [...comparison.page(rows, options).due, ...comparison.unnamed()]
}

/** It holds no container, so no list can miss one. */
const isAtRest = ({ record }: SurveyRow): boolean => record !== null && record.status !== "running" && record.currentContainerId === null

const seenOf = ({ game, gameId, record }: SurveyRow): Settled => ({ gameId, version: record?.version ?? 0, generation: game?.generation ?? null })

/** The common case, told at a glance: it runs, and nothing has changed since. */
const isQuiet = ({ claims, game, pendingJobs, record }: SurveyRow, own: ReadonlyArray<ContainerSummary>, instance: string): boolean =>
  game?.state === "running" && record?.status === "running" && pendingJobs === 0 && own.length === 1 &&
  own[0]!.id === record.currentContainerId && own[0]!.state === "running" && !isAnothers(own[0]!, instance) &&
  record.stopping === null && record.rollout === null && record.refused === null &&
  hasObserved(record, game) && !isRestartAsked(game, record) && record.lastErrorCode === null && record.specHash !== null && areTold(record, null, {}) &&
  claims.length <= record.ports.length

/** 0: it differs; undefined: it is as it is to be, or waits for something that happens. */
const dueInMs = ({ claims, game, gameId, pendingJobs, record }: SurveyRow, own: ReadonlyArray<ContainerSummary>, options: DriftOptions): number | undefined => {
  // How long its grace is, only its spec and its container say.
  if (record?.stopping != null) return 0
  if (pendingJobs > 0 || (game !== null && !hasObserved(record, game))) return 0
  if (record?.currentContainerId != null && !own.some((container) => container.id === record.currentContainerId)) return 0
  const { step } = decide(assess({
    gameId,
    instance: options.instance,
    row: game && rowOf(game, record),
    record,
    jobs: [],
    lastHealth: null,
    containers: own.map((container) => found(container, record)),
    pull: { _tag: "None" },
    claims: claims.filter(({ engineId }) => engineId === options.engineId),
    exchangesFull: false,
    engineId: options.engineId,
    nowMs: options.nowMs,
    timing: options.timing,
    pullPolicy: options.pullPolicy
  }))
  return step._tag === "Wait" ? step.againMs ?? undefined : 0
}

/** A survey has of a spec only how the game is restarted: what was carried out, or refused, is taken to be what the row asks for. */
const rowOf = ({ desiredHash, generation, imageRef, restartPolicy, restartRequestedAtMs, spec, state }: SurveyRow["game"] & {}, record: SurveyRow["record"]): Row => ({
  state,
  restartPolicy,
  generation,
  desiredHash,
  restartRequestedAtMs,
  problem: record?.lastErrorCode === "start_config_invalid" ? { path: "", message: record.lastErrorMessage ?? "" } : null,
  revision: { imageRef, spec: Result.getOrElse(decodeSpec(spec), () => emptySpec), specHash: record?.specHash ?? unknownHash }
})

const unknownHash = "unknown"

/** A list knows less than an inspect: what it does not know is taken to be as recorded. */
const found = (container: ContainerSummary, record: SurveyRow["record"]): FoundContainer => {
  const recorded = container.id === record?.currentContainerId
  const ended = container.state === "exited" || container.state === "dead"
  return {
    ...container,
    // A record without a hash: what runs was never found to be what the row asks for.
    ...(recorded && record.specHash === null ? { specHash: container.specHash && "", imageRef: "" } : {}),
    startedAtMs: recorded ? record.startedAtMs : null,
    exit: ended ? { code: record?.exitCode ?? 0, oomKilled: false, finishedAtMs: record?.stoppedAtMs ?? null } : null,
    ...notInspected,
    ...(recorded ? { ports: record.ports } : {})
  }
}
