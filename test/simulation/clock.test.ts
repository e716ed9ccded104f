/** The wall clock is set while something is waited for: what this process counts itself goes on, and the future counts as now. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { game, row, scene, starts } from "./scene.ts"
import { type Simulation, startController } from "./world.ts"

const hour = 3_600_000
const steps = [["back", -hour], ["forward", hour]] as const

/** When each container ended, by the clock that nobody sets. */
const ends = ({ engine }: Simulation) => engine.history.flatMap(({ action, atMs }) => action === "die" ? [atMs] : [])

/** A game that hears no signal, a second after it was told to stop. */
const stopping = Effect.fnUntraced(function*({ engine, store }: Simulation) {
  store.insert({ ...row, spec: { stop_grace: "5s", args: ["stop=never"] } })
  yield* TestClock.adjust("2 seconds")
  store.update(game, { state: "stopped" })
  yield* TestClock.adjust("1 second")
  return engine.steadyMs - 1000
})

/** A game that has ended for the fourth time, and waits for 8 s: a second of it is over. */
const backingOff = Effect.fnUntraced(function*(simulation: Simulation) {
  simulation.store.insert({ ...row, spec: { args: ["exit=1", "after=100", "times=4"] } })
  yield* TestClock.adjust("8500 millis")
  const ended = ends(simulation)
  assert.lengthOf(ended, 4)
  return ended[3]! + 8000
})

/** The lease is given up when the clock goes forward, and taken again. */
const leaseMs = 500

describe("the whole system, while somebody sets the clock", () => {
  for (const [way, ms] of steps) {
    scene(`a stop's grace lasts as long as it was to last when the clock is set ${way} by an hour in it`, (simulation) =>
      Effect.gen(function*() {
        const toldMs = yield* stopping(simulation)
        simulation.wall.offsetMs = ms
        simulation.store.update(game, { restart_policy: "never" })
        yield* TestClock.adjust("30 seconds")
        assert.approximately(ends(simulation)[0]! - toldMs, 5000, 100 + leaseMs)
      }))

    scene(`a back-off lasts as long as it was to last when the clock is set ${way} by an hour in it`, (simulation) =>
      Effect.gen(function*() {
        const dueMs = yield* backingOff(simulation)
        simulation.wall.offsetMs = ms
        yield* TestClock.adjust("30 seconds")
        assert.approximately(starts(simulation)[4]!, dueMs, 100 + leaseMs)
      }))
  }

  scene("a controller that takes over after the clock was set back waits for no longer than a whole grace", (simulation) =>
    Effect.gen(function*() {
      yield* stopping(simulation)
      yield* simulation.processes[0]!.kill
      simulation.wall.offsetMs = -hour
      yield* startController(simulation, "c1")
      yield* TestClock.adjust("6100 millis")
      assert.lengthOf(ends(simulation), 0)
      yield* TestClock.adjust("6 seconds")
      assert.lengthOf(ends(simulation), 1)
      assert.deepInclude(simulation.store.records.get(game), { status: "stopped", stopping: null })
    }))

  scene("a controller that takes over after the clock was set back waits for no longer than a whole back-off", (simulation) =>
    Effect.gen(function*() {
      yield* backingOff(simulation)
      yield* simulation.processes[0]!.kill
      simulation.wall.offsetMs = -hour
      yield* startController(simulation, "c1")
      yield* TestClock.adjust("15 seconds")
      assert.lengthOf(starts(simulation), 5)
    }))

  scene("a stopped container is kept for no longer than its retention from when the clock was set back", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      store.update(game, { state: "stopped" })
      yield* TestClock.adjust("5 seconds")
      simulation.wall.offsetMs = -hour
      yield* TestClock.adjust("59 seconds")
      assert.lengthOf(engine.of(game), 1)
      yield* TestClock.adjust("20 seconds")
      assert.lengthOf(engine.of(game), 0)
    }))
})
