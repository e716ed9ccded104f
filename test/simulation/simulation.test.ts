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

/** Calls that changed something though nothing differs; games that cannot run are tried again and again. */
const needlessCalls = Effect.fnUntraced(function*(simulation: Simulation) {
  const { calls } = simulation.engine
  const before = calls.length
  yield* TestClock.adjust(2 * resyncMs + 1000)
  return calls.slice(before).flatMap(({ gameId, verb }) => {
    const row = simulation.store.games.get(gameId ?? "")
    return mutating.has(verb) && !(row && cannotRun(simulation, row)) ? [`${verb} of ${gameId} though nothing differs`] : []
  })
})

describe("the whole system, on a virtual clock, from a seed", () => {
  it.effect.each([...seeds])("seed %d settles with the engine as the rows say, everything told once, nothing touched any more", (seed) =>
    simulate(seed, Effect.fnUntraced(function*(simulation) {
      const script = yield* Effect.map(Random.Random, drawScript).pipe(Random.withSeed(`${seed} script`))
      simulation.faults = yield* Effect.map(Random.Random, (random) => randomFaults(random, moods[seed % moods.length]!)).pipe(Random.withSeed(`${seed} faults`))
      yield* play(simulation, script)
      const problems = [...simulation.violations, ...broken(simulation), ...yield* needlessCalls(simulation)]
      assert.deepStrictEqual(problems, [], `seed ${seed}\n${simulation.trace.join("\n")}\n\nseed ${seed}:\n${problems.join("\n")}\n`)
    })))
})
