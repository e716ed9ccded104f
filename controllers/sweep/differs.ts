/** Whether a game differs from its row as far as a list and a survey show. Pure: it asks the plan, and only acts on nothing. */
import { emptySpec } from "../../src/domain/GameSpec.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { Observation, ObservedContainer } from "../../src/domain/Observation.ts"
import type { ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import type { SurveyRow } from "../../src/store/Store.ts"
import { plan } from "../game/plan.ts"
import type { Settings } from "../game/view.ts"

const none: ReadonlyArray<ContainerSummary> = []

/** A game to look at: now, or when it is due. */
export interface Due {
  readonly gameId: GameId
  readonly inMs: number
}

/**
 * The games that must be looked at, and those that wait for a time within `withinMs`: whoever held their timers may be gone.
 * A list is not fresh and proves no absence, so nothing but a closer look follows.
 */
export const differing = (
  rows: ReadonlyArray<SurveyRow>,
  containers: ReadonlyArray<ContainerSummary>,
  settings: Settings,
  engineId: string,
  nowMs: number,
  withinMs: number
): ReadonlyArray<Due> => {
  const byGame = new Map<GameId, Array<ContainerSummary>>()
  for (const container of containers) {
    const known = byGame.get(container.gameId)
    if (known) known.push(container)
    else byGame.set(container.gameId, [container])
  }
  const found: Array<Due> = []
  for (const row of rows) {
    const own = byGame.get(row.gameId) ?? none
    byGame.delete(row.gameId)
    const inMs = isQuiet(row, own) ? undefined : dueInMs(row, own, settings, engineId, nowMs)
    if (inMs !== undefined && inMs <= withinMs) found.push({ gameId: row.gameId, inMs })
  }
  // Containers of games that no row or record in use names.
  for (const gameId of byGame.keys()) found.push({ gameId, inMs: 0 })
  return found
}

/** The common case, told at a glance: it runs, and nothing has changed since. */
const isQuiet = ({ game, pendingJobs, record }: SurveyRow, own: ReadonlyArray<ContainerSummary>): boolean =>
  game?.state === "running" && record?.status === "running" && pendingJobs === 0 && own.length === 1 &&
  own[0]!.id === record.currentContainerId && own[0]!.state === "running" && record.stoppingSinceMs === null &&
  record.observedGeneration === game.generation && record.lastErrorCode === null && record.specHash !== null &&
  record.conditions.every((condition) => condition.status !== "Unknown")

/** 0: it differs; undefined: it is as it is to be, or waits for something that happens. */
const dueInMs = (
  row: SurveyRow,
  own: ReadonlyArray<ContainerSummary>,
  settings: Settings,
  engineId: string,
  nowMs: number
): number | undefined => {
  const { game, record } = row
  if (row.pendingJobs > 0 || (game !== null && game.generation !== record?.observedGeneration)) return 0
  if (record?.currentContainerId != null && !own.some((container) => container.id === record.currentContainerId)) return 0
  const known = own.map((container) => observed(container, row))
  const seen: Observation = {
    gameId: row.gameId,
    desired: game && {
      ...game,
      spec: emptySpec,
      specHash: record?.specHash ?? "",
      problem: record?.lastErrorCode === "start_config_invalid" ? { path: "spec", message: record.lastErrorMessage ?? "" } : null
    },
    record,
    jobs: [],
    containers: known,
    recorded: record?.currentContainerId == null ? "none" : "present",
    engineId,
    pull: { _tag: "None" }
  }
  const { step } = plan(seen, settings, nowMs)
  return step._tag === "Wait" ? step.againMs ?? undefined : 0
}

/** A list knows less than an inspect: what it does not know is taken to be as recorded. */
const observed = (container: ContainerSummary, { record }: SurveyRow): ObservedContainer => {
  const recorded = container.id === record?.currentContainerId
  const ended = container.state === "exited" || container.state === "dead"
  return {
    id: container.id,
    name: container.name,
    state: container.state === "restarting" ? "running" : container.state,
    ours: container.specHash !== null,
    generation: container.generation,
    // A record without a hash: what runs was never found to be what the row asks for.
    runsWanted: (recorded && record.specHash !== null) || (container.specHash !== null && container.specHash === record?.specHash),
    imageRef: container.imageRef,
    createdAtMs: container.createdAtMs,
    startedAtMs: recorded ? record.startedAtMs : null,
    exit: ended ? { code: record?.exitCode ?? 0, oomKilled: false, finishedAtMs: record?.stoppedAtMs ?? null } : null,
    startError: "",
    stopSignal: "SIGTERM",
    restartsByItself: false,
    endpoint: ""
  }
}
