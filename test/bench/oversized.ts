/** Rows and entries that are too big for anybody: what they cost beside others. */
import { Effect } from "effect"
import type { GameId } from "../../src/domain/GameId.ts"
import { openStore } from "../support/openStore.ts"
import { openStreams } from "../support/openStreams.ts"
import type { Figures } from "./figures.ts"

const mib = (bytes: number): number => bytes / 1024 / 1024
const rows = 8
const rowMiB = 100
const entryMiB = 256

/** As they are left by a release without a limit. */
export const oversizedRows = async (figures: Figures): Promise<void> => {
  const { close, reader, sql } = await openStore()
  try {
    const limit = await sql<Array<{ name: string }>>`SELECT conname::text AS name FROM pg_constraint WHERE conname LIKE 'spec of a game to run%'`
    for (const { name } of limit) await sql`ALTER TABLE rtmanager.games DROP CONSTRAINT ${sql(name)}`
    for (let row = 1; row <= rows; row++) {
      await sql`INSERT INTO rtmanager.games (game_id, image_ref, spec)
        VALUES (${`g${row}`}, 'a:1', jsonb_build_object('env', jsonb_build_object('A', repeat('x', ${rowMiB * 1024 * 1024}::int))))`
    }
    const load = (row: number) => reader.load(`g${row}` as GameId)
    await Effect.runPromise(load(1))
    const before = process.memoryUsage.rss()
    const startedMs = performance.now()
    const found = await Effect.runPromise(Effect.forEach(Array.from({ length: rows }, (_, index) => index + 1), load, { concurrency: rows }))
    if (found.some(({ game }) => game?.specBytes === undefined)) throw new Error("a spec of 100 MiB was let in")
    figures.add(`${rows} rows of ${rowMiB} MiB looked at, together`, performance.now() - startedMs, "ms", "less", 2000)
    figures.add("the same: memory beyond that before it", mib(process.memoryUsage.rss() - before), "MiB", "less", 16)
  } finally {
    await close()
  }
}

/** One that five controllers died of, before jobs that anybody can take. */
export const oversizedEntry = async (figures: Figures): Promise<void> => {
  const { add, close, name, options, redis, streams } = await openStreams()
  try {
    const stream = `${name}:start`
    const huge = await add("start", { game_id: "g1", spec: "x".repeat(entryMiB * 1024 * 1024) })
    await redis.xgroup("CREATE", stream, options.group, "0")
    await redis.call("XREADGROUP", "GROUP", options.group, options.consumer, "COUNT", "1", "STREAMS", stream, ">")
    await redis.call("XCLAIM", stream, options.group, options.consumer, "0", huge, "RETRYCOUNT", "5", "JUSTID")
    await add("start", { game_id: "g2" })
    const before = process.memoryUsage.rss()
    const startedMs = performance.now()
    for (let taken = ""; taken !== "g2";) {
      const entries = await Effect.runPromise(streams.read(16))
      await Effect.runPromise(streams.acknowledge(entries))
      taken = entries.at(-1)?.fields?.game_id ?? ""
    }
    figures.add(`a job behind an entry of ${entryMiB} MiB that was delivered five times`, performance.now() - startedMs, "ms", "less", 500)
    figures.add("the same: memory beyond that before it", mib(process.memoryUsage.rss() - before), "MiB", "less", 16)
  } finally {
    await close()
  }
}
