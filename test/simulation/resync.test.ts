import { assert, describe, it } from "@effect/vitest"
import { compareWith, differing } from "../../controllers/game/drift.ts"
import type { ContainerState, ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import { hasObserved } from "../../src/domain/RuntimeRecord.ts"
import type { SurveyRow } from "../../src/store/GameReader.ts"
import { nextAny } from "../support/planGraph.ts"
import { gameId, planWorld, timing, wantedImage, type World } from "../support/planModel.ts"
import { space } from "../support/planSpace.ts"

const resyncMs = 30_000

/** What one query shows of it. */
const surveyOf = ({ claims, engineId, jobs, record, row }: World): SurveyRow => ({
  gameId,
  game: row && { state: row.state, imageRef: wantedImage, restartPolicy: row.restartPolicy, generation: row.generation, desiredHash: row.desiredHash, restartRequestedAtMs: row.restartRequestedAtMs, spec: row.revision.spec },
  record,
  pendingJobs: jobs.length,
  claims: claims.map((claim) => ({ ...claim, engineId }))
})

/** What one list shows of it. */
const listOf = (world: World): ReadonlyArray<ContainerSummary> =>
  world.containers.map(({ createdAtMs, generation, id, imageRef, instance, name, specHash, state }) => ({
    id, gameId, name, createdAtMs, imageRef, state: state as ContainerState, generation, specHash, ...(instance === undefined ? {} : { instance })
  }))

/** A list does not show that a container answers nobody, that it runs another time, nor who restarts it. */
const isShown = ({ containers, record }: World): boolean =>
  containers.every(({ id, restartsByItself, startedAtMs, state }) =>
    state !== "unresponsive" && !(restartsByItself && id === record?.currentContainerId) && (id !== record?.currentContainerId || state !== "running" || record.status !== "running" || startedAtMs === record.startedAtMs))

/** A record that says of a generation that it was carried out, or failed, is right about it. */
const isPlausible = ({ record, row }: World): boolean => {
  if (row?.state !== "running" || record === null || !hasObserved(record, row)) return true
  return row.problem === null ? record.lastErrorCode !== null || record.specHash === row.revision.specHash : record.lastErrorCode === "start_config_invalid"
}

describe("the resync, over the plan's whole state space", () => {
  it("overlooks no game that the plan would do something for, now or before the next one", () => {
    const overlooked = new Map<string, string>()
    for (const one of space()) {
      if (one.world.pull._tag !== "None" || !isPlausible(one.world)) continue
      for (const world of nextAny(one.world)) {
        if (world.record === one.world.record || world.pull._tag !== "None" || !isShown(world)) continue
        const { reason, step } = planWorld(world)
        const inMs = step._tag === "Wait" ? step.againMs ?? Infinity : 0
        const [found] = differing([surveyOf(world)], listOf(world), { timing, pullPolicy: "if_missing", engineId: world.engineId, instance: world.instance, nowMs: world.nowMs, withinMs: resyncMs })
        if (inMs <= resyncMs && !(found && found.inMs <= inMs) && !overlooked.has(reason)) overlooked.set(reason, `${planWorld(one.world).reason} of ${one.row} | ${one.record} | ${one.actual} | ${one.job}`)
      }
    }
    assert.deepStrictEqual([...overlooked], [])
  })

  it("finds settled only what the plan leaves as it is, however much time passes, and what it would find nothing to do for again", () => {
    const wrong = new Map<string, string>()
    const settled = new Set<string>()
    const year = 365 * 86_400_000
    for (const one of space()) {
      if (one.world.pull._tag !== "None" || !isPlausible(one.world)) continue
      for (const world of nextAny(one.world)) {
        if (world.record === one.world.record || !isShown(world)) continue
        const options = { timing, pullPolicy: "if_missing", engineId: world.engineId, instance: world.instance, nowMs: world.nowMs, withinMs: resyncMs } as const
        const row = surveyOf(world)
        if (compareWith(listOf(world), world.instance).page([row], options).settled.length === 0) continue
        settled.add(`${row.game?.state} ${row.game?.restartPolicy} ${row.record?.status}`)
        const later = { ...world, nowMs: world.nowMs + year, exchangesFull: false, engineId: "e9" }
        const { reason, step } = planWorld({ ...later, pull: { _tag: "None" } })
        const found = differing([row], [], { ...options, engineId: "e9", nowMs: later.nowMs, withinMs: Infinity })
        if ((step._tag !== "Wait" || step.againMs !== null || found.length > 0) && !wrong.has(reason)) wrong.set(reason, `${one.row} | ${one.record} | ${one.actual} | ${one.job}`)
      }
    }
    assert.deepStrictEqual([...wrong], [])
    assert.includeMembers([...settled], ["running never stopped", "stopped always stopped", "stopped never stopped", "removed always removed"])
  })
})
