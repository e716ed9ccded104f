/** Parts that need nobody else: the work queue, and the resync's comparison. */
import { Effect } from "effect"
import { differing } from "../../controllers/game/drift.ts"
import { freshRecord } from "../../controllers/game/record/commit.ts"
import { conditionsOf } from "../../controllers/game/record/conditions.ts"
import { makeWorkQueue } from "../../src/controller/WorkQueue.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { defaultBackoff } from "../../src/domain/Timing.ts"
import { specHash } from "../../src/domain/specHash.ts"
import type { ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import type { SurveyRow } from "../../src/store/GameReader.ts"
import type { Figures } from "./figures.ts"

export const workQueue = async (figures: Figures): Promise<void> => {
  const rounds = 1_000_000
  const perSecond = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const queue = yield* makeWorkQueue<number>({ name: "bench" })
    const startedMs = performance.now()
    for (let round = 0; round < rounds; round++) {
      yield* queue.add(round % 1000)
      const taken = yield* queue.get
      yield* queue.done(taken!.key)
    }
    return rounds / ((performance.now() - startedMs) / 1000)
  })))
  figures.add("work queue: add, get, done", perSecond, "/s", "more", 500_000)
}

const image = "galaxy/engine:1.4.2"
const timing = { stopGraceMs: 30_000, retentionMs: 1e9, backoff: defaultBackoff }
const options = { timing, pullPolicy: "if_missing", engineId: "e", instance: "i", nowMs: 0, withinMs: 30_000 } as const

const quietGame = (index: number): { readonly row: SurveyRow; readonly container: ContainerSummary } => {
  const gameId = `g${index}` as GameId
  const hash = specHash(image, {})
  const id = index.toString(16).padStart(64, "0")
  const record = {
    ...freshRecord(gameId), status: "running", currentContainerId: id, observedGeneration: 1, specHash: hash, engineId: "e", version: 1
  } as const
  return {
    row: {
      gameId, pendingJobs: 0, claims: [], game: { state: "running", imageRef: image, restartPolicy: "always", generation: 1, desiredHash: "d", restartRequestedAtMs: null, spec: {} },
      record: { ...record, conditions: conditionsOf({ conditions: [], currentContainerId: null }, record, null, {}, 0) }
    },
    container: { id, gameId, name: `galaxy-game-${gameId}`, state: "running", createdAtMs: 0, imageRef: image, specHash: hash, generation: 1 }
  }
}

export const resync = async (figures: Figures): Promise<void> => {
  const games = Array.from({ length: 10_000 }, (_, index) => quietGame(index))
  const rows = games.map(({ row }) => row)
  const containers = games.map(({ container }) => container)
  const before = process.cpuUsage()
  const found = differing(rows, containers, options)
  const { system, user } = process.cpuUsage(before)
  if (found.length > 0) throw new Error("nothing was to differ")
  figures.add("resync over 10,000 games without drift: CPU", (user + system) / 1000, "ms", "less", 100)
}
