/**
 * Whole systems from a seed: a script of what people and fate do, faults at any call, then calm. `RTM_SIMULATION_SEEDS=7` or
 * `1000-1999` runs other seeds, `RTM_SIMULATION_TRACE=1` adds every step of the controller to the trace of a failure.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { type FaultRates, randomFaults } from "../support/fakes/faults.ts"
import { broken, cannotRun } from "./checks.ts"
import { resyncMs } from "./ControllerProcess.ts"
import { calm, drawScript, type Happening, images } from "./script.ts"
import { simulate, type Simulation, startController } from "./world.ts"

const seedsOf = (text: string): ReadonlyArray<number> => {
  const [first = 1, last = first] = text.split("-").map(Number)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
const seeds = seedsOf(process.env.RTM_SIMULATION_SEEDS ?? "1-200")

/** How bad it gets: one of these a seed. */
const moods: ReadonlyArray<FaultRates> = [
  { slow: 0, refused: 0, lost: 0, late: 0, crash: 0, maxDelayMs: 1 },
  { slow: 0.1, refused: 0.02, lost: 0.02, late: 0.01, crash: 0.01, maxDelayMs: 300 },
  { slow: 0.4, refused: 0.1, lost: 0.1, late: 0.05, crash: 0.01, maxDelayMs: 300 },
  { slow: 0.2, refused: 0, lost: 0, late: 0, crash: 0.05, maxDelayMs: 100 }
]
const settleMs = 240_000
const mutating: ReadonlySet<string> = new Set(["create", "start", "kill", "unpause", "remove"])

const play = Effect.fnUntraced(function*(simulation: Simulation, script: ReadonlyArray<Happening>): Effect.fn.Return<void, never, Scope.Scope> {
  const { engine } = simulation
  engine.image(images.present)
  engine.image(images.pullable, { onHost: false, pullMs: 800 })
  engine.image(images.slow, { onHost: false, pullMs: 7000 })
  yield* startController(simulation, "c0")
  for (const { afterMs, happen, text } of script) {
    yield* TestClock.adjust(afterMs)
    simulation.note(text)
    yield* happen(simulation)
  }
  yield* calm(simulation)
  yield* TestClock.adjust(settleMs)
})

/** Calls on settled games. One that cannot run is tried again and again; one that runs as its row says is not even looked at. */
const needlessCalls = Effect.fnUntraced(function*(simulation: Simulation) {
  const { engine, store } = simulation
  const before = engine.calls.length
  yield* TestClock.adjust(2 * resyncMs + 1000)
  return engine.calls.slice(before).flatMap(({ gameId, verb }) => {
    const row = store.games.get(gameId ?? "")
    const record = store.records.get(gameId ?? "")
    const isRetried = row !== undefined && cannotRun(simulation, row) && record?.next_restart_at != null
    const isSettled = record?.status === "running" && record.engine_id === engine.engineId && record.last_error_code === null &&
      engine.of(gameId ?? "").length === 1
    return (mutating.has(verb) && !isRetried) || (verb === "inspect" && isSettled) ? [`${verb} of ${gameId} though nothing differs`] : []
  })
})

/** Plays a seed to its end: everything that is wrong, and how it came to be. */
const playSeed = (seed: number) =>
  Effect.scoped(simulate(seed, Effect.fnUntraced(function*(simulation) {
    const script = yield* Effect.map(Random.Random, drawScript).pipe(Random.withSeed(`${seed} script`))
    const mood = moods[seed % moods.length]!
    simulation.faults = yield* Effect.map(Random.Random, (random) => randomFaults(random, mood)).pipe(Random.withSeed(`${seed} faults`))
    yield* play(simulation, script)
    const problems = [...simulation.violations, ...broken(simulation), ...yield* needlessCalls(simulation)]
    return { problems, simulation }
  })))

describe("the whole system, on a virtual clock, from a seed", () => {
  it.effect.each([...seeds])("seed %d settles with the engine as the rows say, everything told once, nothing touched any more", (seed) =>
    Effect.map(playSeed(seed), ({ problems, simulation: { trace } }) => {
      assert.deepStrictEqual(problems, [], `seed ${seed}\n${trace.join("\n")}\n\nseed ${seed}:\n${problems.join("\n")}\n`)
    }))

  it.effect("the same seed is the same story", () =>
    Effect.gen(function*() {
      const first = yield* playSeed(2)
      const second = yield* playSeed(2)
      assert.deepStrictEqual(second.simulation.trace, first.simulation.trace)
      assert.deepStrictEqual(second.simulation.engine.calls, first.simulation.engine.calls)
      assert.deepStrictEqual(second.simulation.store.told, first.simulation.store.told)
    }))

  it.effect("a broken promise is noticed: a container taken away, a message lost, when nobody is there to see to it", () =>
    Effect.scoped(simulate("broken", Effect.fnUntraced(function*(simulation) {
      const { engine, store, streams } = simulation
      engine.image(images.present)
      const controller = yield* startController(simulation, "c0")
      store.insert({ game_id: "g1", image_ref: images.present })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(broken(simulation), [])
      yield* controller.kill
      engine.removeByForce("galaxy-game-g1")
      streams.startJob({ game_id: "g1", image_ref: images.present })
      streams.log.shift()
      assert.deepStrictEqual(broken(simulation).map((problem) => problem.replaceAll(/\d+-0|[0-9a-f]{12}/g, "ID").split(" {")[0]), [
        "g1: the record names a container that is gone",
        "g1: recorded as running, but its container is none",
        "job ID runtime:start_jobs",
        "health of ID: container_started was told last, but it is gone",
        "runtime:start_jobs has entries that nobody acknowledged",
        "runtime:health_events was not told everything once and in order"
      ])
    }))))
})
