/**
 * What the order of work is judged by, measured on the real engine: a whole fleet exchanged at once, and games that end or are
 * to be stopped while hundreds of others start. For the tests and the benchmarks.
 */
import { environment } from "./environment.ts"
import type { EngineLog } from "./engineLog.ts"
import { until } from "./until.ts"
import type { World } from "./world.ts"

/** Inserts `count` rows in one statement, each `<prefix><n>`. */
export const insertGames = (world: World, prefix: string, count: number, spec: unknown = {}) =>
  world.sql`INSERT INTO rtmanager.games (game_id, image_ref, spec)
    SELECT ${prefix} || n, ${environment.images.game}, ${JSON.stringify(spec)}::text::jsonb FROM generate_series(1, ${count}) n`

/** How many games of that prefix are recorded like this. */
export const recorded = async (world: World, prefix: string, status: string): Promise<number> => {
  const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`} AND status = ${status}`
  return row!.n as number
}

export const allRunning = (world: World, prefix: string, count: number): Promise<unknown> =>
  until(`all ${count} of ${prefix} run`, async () => (await recorded(world, prefix, "running")) === count, 180_000, 100)

export interface FleetExchange {
  /** From each game's end to its next start, by the engine's events. */
  readonly downMs: ReadonlyArray<number>
  /** Games that were down at once, by the engine's events. */
  readonly mostDown: number
  /** Exchanges that the records said were under way at once. */
  readonly mostUnderWay: number
  readonly tookMs: number
}

/** All games of that prefix get another image in one statement; ends when all run it. */
export const exchangeFleet = async (world: World, log: EngineLog, prefix: string, count: number): Promise<FleetExchange> => {
  const from = log.actions.length
  const next = environment.images.gameNext
  let mostUnderWay = 0
  const startedMs = Date.now()
  await world.sql`UPDATE rtmanager.games SET image_ref = ${next} WHERE game_id LIKE ${`${prefix}%`}`
  await until("all run the new image", async () => {
    const [row] = await world.sql`SELECT count(*) FILTER (WHERE rollout IS NOT NULL)::int AS under_way,
      count(*) FILTER (WHERE status = 'running' AND current_image_ref = ${next} AND rollout IS NULL)::int AS exchanged
      FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`}`
    mostUnderWay = Math.max(mostUnderWay, row!.under_way as number)
    return row!.exchanged === count
  }, 180_000, 20)
  const tookMs = Date.now() - startedMs
  const of = new RegExp(`^${prefix}\\d`)
  await until("every start is told", () => log.of("start", of, from).length >= count)
  return { ...downTimes(log, of, from), mostUnderWay, tookMs }
}

/** A game is down from its end to its next start. */
const downTimes = (log: EngineLog, of: RegExp, from: number): Pick<FleetExchange, "downMs" | "mostDown"> => {
  const down = new Map<string, number>()
  const downMs: Array<number> = []
  let mostDown = 0
  const told = [...log.of("die", of, from), ...log.of("start", of, from)].sort((a, b) => a.atMs - b.atMs)
  for (const { action, atMs, gameId } of told) {
    if (action === "die") down.set(gameId, atMs)
    else {
      downMs.push(atMs - down.get(gameId)!)
      down.delete(gameId)
    }
    mostDown = Math.max(mostDown, down.size)
  }
  return { downMs, mostDown }
}

/** What became of games that were killed and stopped while others started. Times in ms, one a game; `...Starts`: starts of the burst within that time. */
export interface InBurst {
  /** From the engine's `die` to the message on the stream. */
  readonly toldMs: ReadonlyArray<number>
  /** From the engine's `die` to its next `start`. */
  readonly healedMs: ReadonlyArray<number>
  /** From the XADD of the stop job to the engine's `kill`. */
  readonly signalledMs: ReadonlyArray<number>
  readonly toldStarts: ReadonlyArray<number>
  readonly healedStarts: ReadonlyArray<number>
  readonly signalledStarts: ReadonlyArray<number>
  /** Containers of the burst that started between one round's beginning and the next one's. */
  readonly startsARound: ReadonlyArray<number>
}

/** The games of `disturbInBurst`: `kill<n>` and `stop<n>` run before. */
export const runDisturbed = async (world: World, rounds: number): Promise<void> => {
  await insertGames(world, "kill", rounds)
  await insertGames(world, "stop", rounds)
  await allRunning(world, "kill", rounds)
  await allRunning(world, "stop", rounds)
}

/**
 * `count` rows come at once; while they start, in each round a running game is killed and another one's stop job is sent.
 * Ends when each was answered, however many of the rows have not started yet.
 */
export const disturbInBurst = async (world: World, log: EngineLog, options: { readonly count: number; readonly rounds: number }): Promise<InBurst> => {
  const begunAt: Array<number> = []
  const healing: Array<Promise<Killed>> = []
  const stopping: Array<Promise<Span>> = []
  const started = () => log.of("start", /^burst\d/).length
  await insertGames(world, "burst", options.count)
  for (let round = 1; round <= options.rounds; round++) {
    // Each round begins with the engine at work on the burst.
    const before = started()
    await until("the burst goes on", () => started() >= before + 4)
    begunAt.push(Date.now())
    healing.push(kill(world, log, `kill${round}`))
    stopping.push(stop(world, log, `stop${round}`))
    await healing.at(-1)
  }
  const killed = await Promise.all(healing)
  const signalled = await Promise.all(stopping)
  const times = log.of("start", /^burst\d/).map(({ atMs }) => atMs)
  const ends = [...begunAt.slice(1), Date.now()]
  const startsIn = ({ fromMs, untilMs }: Span) => times.filter((atMs) => atMs > fromMs && atMs < untilMs).length
  const [told, healed] = [killed.map((game) => game.told), killed.map((game) => game.healed)]
  return {
    toldMs: told.map(lengthMs), healedMs: healed.map(lengthMs), signalledMs: signalled.map(lengthMs),
    toldStarts: told.map(startsIn), healedStarts: healed.map(startsIn), signalledStarts: signalled.map(startsIn),
    startsARound: begunAt.map((fromMs, round) => times.filter((atMs) => atMs >= fromMs && atMs < ends[round]!).length)
  }
}

interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

interface Killed {
  readonly told: Span
  readonly healed: Span
}

const lengthMs = ({ fromMs, untilMs }: Span): number => untilMs - fromMs

/** Redis' own clock says when the end was told: an entry's id begins with it. */
const entryMs = (id: string): number => Number(id.split("-", 1)[0])

const kill = async (world: World, log: EngineLog, gameId: string): Promise<Killed> => {
  const from = log.actions.length
  const { current_container_id: id } = (await world.record(gameId))!
  await world.docker.getContainer(id as string).kill({ signal: "SIGKILL" })
  const died = await log.next("die", gameId, from)
  const told = await until(`the end of ${gameId} is told`, async () =>
    (await world.entries("health_events")).find(({ fields }) => fields.container_id === id && fields.event_type === "container_exited"), 60_000, 20)
  const healed = await log.next("start", gameId, from, 60_000)
  return { told: { fromMs: died.atMs, untilMs: entryMs(told.id) }, healed: { fromMs: died.atMs, untilMs: healed.atMs } }
}

const stop = async (world: World, log: EngineLog, gameId: string): Promise<Span> => {
  const from = log.actions.length
  const job = await world.stopJob(gameId)
  const { atMs } = await until(`${gameId} is signalled`, () => log.of("kill", gameId, from).find(({ signal }) => signal === "15"), 60_000)
  return { fromMs: entryMs(job), untilMs: atMs }
}
