/**
 * `npm run bench [-- PART]`: speed, each figure beside what it is to reach, peers measured in the same run. Prints a table
 * and writes `.local/bench.json`. Measure on a machine that does nothing else.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { Figures } from "../test/bench/figures.ts"
import { resync, workQueue } from "../test/bench/pure.ts"
import type { Engine } from "./lib/engines.ts"
import { say } from "./lib/run.ts"
import { down, type TestEnvironment, up } from "./lib/testEnvironment.ts"

const only = process.argv[2]
const figures = new Figures()

const part = async (name: string, work: () => Promise<void>): Promise<void> => {
  if (only !== undefined && !name.includes(only)) return
  say(name)
  await work()
}

const onEngines = async ({ engines }: TestEnvironment): Promise<void> => {
  // Their environment is read when they are loaded.
  const { startsAgainstPeers, startsAgainstPlain } = await import("../test/bench/starts.ts")
  const { disappearances, firstCall } = await import("../test/bench/reaction.ts")
  const { exchanges, inBurst } = await import("../test/bench/order.ts")
  const { resyncBesideSettled } = await import("../test/bench/settled.ts")
  const { portClaims } = await import("../test/bench/ports.ts")
  const { oversizedEntry, oversizedRows } = await import("../test/bench/oversized.ts")
  const { idle, replays } = await import("../test/bench/standing.ts")
  const onFirst: ReadonlyArray<readonly [string, (engine: Engine, found: Figures) => Promise<void>]> = [
    ["reaction", firstCall], ["disappeared", disappearances], ["replay", replays], ["idle", idle]
  ]
  for (const engine of engines) await part(`starts on ${engine.name}`, () => startsAgainstPlain(engine, figures))
  const modern = engines.find(({ name }) => name.includes("28"))
  if (modern) await part("peers", () => startsAgainstPeers(modern, figures))
  for (const engine of engines) {
    await part(`exchanges on ${engine.name}`, () => exchanges(engine, figures))
    await part(`burst on ${engine.name}`, () => inBurst(engine, figures))
  }
  await part("resync beside settled games", () => resyncBesideSettled(figures))
  await part("port claims", () => portClaims(figures))
  await part("oversized", async () => {
    await oversizedRows(figures)
    await oversizedEntry(figures)
  })
  for (const [name, work] of onFirst) await part(name, () => work(engines[0]!, figures))
}

await part("queue", () => workQueue(figures))
await part("resync", () => resync(figures))
if (only !== "queue") {
  try {
    await onEngines(await up())
  } finally {
    await down()
  }
}
figures.print()
mkdirSync(new URL("../.local/", import.meta.url), { recursive: true })
writeFileSync(new URL("../.local/bench.json", import.meta.url), JSON.stringify(figures.all, null, 2))
process.exit(0)
