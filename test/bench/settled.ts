/** A resync beside a million games at which nothing is to be done: they cost it nothing. */
import { Effect, Layer, Ref } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type postgres from "postgres"
import { makeExchanges } from "../../controllers/game/act/Exchanges.ts"
import { freshRecord } from "../../controllers/game/record/commit.ts"
import { conditionsOf } from "../../controllers/game/record/conditions.ts"
import { recheckFirst, resync } from "../../controllers/game/resync.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import { defaultBackoff } from "../../src/domain/Timing.ts"
import { ContainerEngine, type ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import { GameReader } from "../../src/store/GameReader.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import { openStore } from "../support/openStore.ts"
import type { Figures } from "./figures.ts"
import { median } from "./measure.ts"

const image = "galaxy/engine:1.4.2"
const settledGames = 1_000_000
const liveGames = 5000
const sweeps = 10

/** Rows as many matches leave them, without the triggers. */
const fill = async (sql: postgres.Sql): Promise<void> => {
  const record = { ...freshRecord("g" as GameId), observedGeneration: 1, version: 1 }
  const told = (change: Partial<typeof record>) => JSON.stringify(conditionsOf({ conditions: [], currentContainerId: null }, { ...record, ...change }, null, {}, 0))
  await sql.begin(async (open) => {
    await open`SET LOCAL session_replication_role = replica`
    await open`SET LOCAL synchronous_commit = off`
    await open`INSERT INTO rtmanager.games (game_id, image_ref, restart_policy) SELECT 's' || n, ${image}, 'never' FROM generate_series(1, ${settledGames}::int) n`
    await open`INSERT INTO rtmanager.runtime_records (game_id, status, observed_generation, exit_code, stopped_at, conditions, settled)
      SELECT 's' || n, 'stopped', 1, 0, now(), ${told({ exitCode: 0 })}::text::jsonb, true FROM generate_series(1, ${settledGames}::int) n`
    await open`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'l' || n, ${image} FROM generate_series(1, ${liveGames}::int) n`
    await open`INSERT INTO rtmanager.runtime_records (game_id, status, observed_generation, current_container_id, engine_id, spec_hash, conditions)
      SELECT 'l' || n, 'running', 1, lpad(n::text, 64, '0'), 'e', 'v1:x', ${told({ status: "running" })}::text::jsonb FROM generate_series(1, ${liveGames}::int) n`
  })
  await sql`VACUUM (ANALYZE, PARALLEL 0) rtmanager.games, rtmanager.runtime_records`
}

const containers: ReadonlyArray<ContainerSummary> = Array.from({ length: liveGames }, (_, index) => ({
  id: String(index + 1).padStart(64, "0"), gameId: `l${index + 1}` as GameId, name: `galaxy-game-l${index + 1}`, state: "running", createdAtMs: 0,
  imageRef: image, specHash: "v1:x", generation: 1
}))

const mib = (bytes: number): number => bytes / 1024 / 1024

export const resyncBesideSettled = async (figures: Figures): Promise<void> => {
  const opened = await openStore()
  try {
    await fill(opened.sql)
    const services = Layer.mergeAll(
      Layer.mock(ContainerEngine, { list: () => Effect.succeed(containers), known: () => undefined }),
      Layer.succeed(GameReader, opened.reader),
      Layer.succeed(GameWriter, opened.writer)
    )
    const recheckFrom = await Effect.runPromise(Ref.make(recheckFirst))
    const sweep = () => Effect.runPromise(resync({
      instance: "i", noteList: () => Effect.void,
      timing: { stopGraceMs: 30_000, retentionMs: 1e9, backoff: defaultBackoff }, pullPolicy: "if_missing", engineId: Effect.succeed("e"),
      exchanges: makeExchanges(8, () => Effect.void), enqueue: () => Effect.void, resyncMs: 30_000, recheckFrom
    }).pipe(Effect.provide(services)))
    // A process that has run for a while: its heap has the size that its work takes.
    for (let round = 0; round < sweeps; round++) if (await sweep() !== 0) throw new Error("nothing was to differ")
    const before = process.memoryUsage.rss()
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const took: Array<number> = []
    let most = before
    delay.enable()
    for (let round = 0; round < sweeps; round++) {
      const startedMs = performance.now()
      await sweep()
      took.push(performance.now() - startedMs)
      most = Math.max(most, process.memoryUsage.rss())
    }
    delay.disable()
    figures.add("resync of 5,000 games beside 1,000,000 settled ones", median(took), "ms", "less", 300)
    figures.add("the same: longest of ten", Math.max(...took), "ms", "less", 600)
    figures.add("the same: memory beyond that before it", mib(most - before), "MiB", "less", 50)
    figures.add("the same: event loop held up at most", delay.max / 1e6, "ms", "less", 50)
  } finally {
    await opened.close()
  }
}
