/** How games end, and what is told of it, story by story. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { condition, game, health, log, results, row, scene, starts } from "./scene.ts"
import { images } from "./script.ts"

describe("the end of a game", () => {
  scene("is told with what it was, at each turn of its life", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      engine.exit(`galaxy-game-${game}`, 3)
      yield* TestClock.adjust("3 seconds")
      store.update(game, { image_ref: images.pullable })
      yield* TestClock.adjust("3 seconds")
      store.update(game, { state: "stopped" })
      yield* TestClock.adjust("2 seconds")
      engine.removeByForce(`galaxy-game-${game}`)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(health(simulation), [
        ["container_started", { image_ref: images.present }],
        ["container_exited", { exit_code: 3, expected: false }],
        ["container_started", { image_ref: images.present, restart_count: 1 }],
        ["container_exited", { exit_code: 0, expected: true, because: "exchange" }],
        ["container_started", { image_ref: images.pullable }],
        ["container_exited", { exit_code: 0, expected: true, because: "row" }],
        ["container_disappeared", { last_status: "stopped" }]
      ])
    }))

  scene("that the engine refuses is told after some seconds, and comes when it refuses no more", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      engine.quirks.refusesChanges = true
      streams.stopJob({ game_id: game, reason: "finished" })
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(results(simulation), [])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(results(simulation), ["failure service_unavailable"])
      assert.deepInclude(condition(simulation, "Progressing"), { status: "True", reason: "EngineRefuses", message: "Signal: only reads are permitted" })
      assert.deepInclude(store.records.get(game), { status: "running" })
      engine.quirks.refusesChanges = false
      yield* TestClock.adjust("31 seconds")
      assert.deepInclude(store.records.get(game), { status: "stopped", refused: null })
      assert.deepInclude(condition(simulation, "Progressing"), { status: "False", reason: "Settled" })
      assert.deepStrictEqual(log(simulation), ["start desired_state success", "stop desired_state success"])
    }))

  scene("that is made way for another revision comes as its container was made for, not as the new row says", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, spec: { stop_signal: "SIGINT", stop_grace: "20s", args: ["stop=15000"] } })
      yield* TestClock.adjust("2 seconds")
      store.update(game, { spec: { stop_signal: "SIGUSR1", stop_grace: "1s" } })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(health(simulation).map(([type, details]) => [type, (details as { exit_code?: number }).exit_code]), [
        ["container_started", undefined], ["container_exited", 0], ["container_started", undefined]
      ])
      assert.strictEqual(engine.of(game)[0]?.stopSignal, "SIGUSR1")
    }))

  scene("by a signal that the engine does not know comes with SIGKILL after the grace, and people are told", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      engine.run(engine.byHand(game, images.present, { stopSignal: "SIGFOO" }))
      yield* TestClock.adjust("1 second")
      streams.stopJob({ game_id: game, reason: "finished" })
      yield* TestClock.adjust("1 second")
      assert.deepInclude(condition(simulation, "Progressing"), { status: "True", reason: "EngineRefuses", message: "Signal: Invalid signal: SIGFOO" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([results(simulation), store.records.get(game)?.exit_code], [["success"], 137])
      assert.deepInclude(store.records.get(game), { status: "stopped", refused: null })
      assert.strictEqual(engine.count("kill"), 2)
    }))

  scene("waits for an engine that cannot be reached, and so does its job: who does not answer refuses nothing", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      simulation.faults = ({ operation }) => operation === "kill" ? { _tag: "Refused", afterMs: 10, reason: "Unavailable" } : undefined
      streams.stopJob({ game_id: game, reason: "finished" })
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual([results(simulation), store.records.get(game)?.refused], [[], null])
      engine.answers.down()
      simulation.faults = () => undefined
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual([results(simulation), store.records.get(game)?.refused], [[], null])
      engine.answers.up()
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual([results(simulation), store.records.get(game)?.status], [["success"], "stopped"])
    }))

  scene("for its changed row comes to two games at a time, and to all in the end", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      const games = ["g1", "g2", "g3", "g4", "g5", "g6"]
      for (const each of games) store.insert({ ...row, game_id: each, spec: { args: ["stop=2000"] } })
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(starts(simulation), games.length)
      // Whoever waits for a commit has his place already.
      simulation.faults = ({ operation }) => operation === "commit" ? { _tag: "Slow", beforeMs: 20, afterMs: 20 } : undefined
      for (const each of games) store.update(each, { spec: { args: ["stop=2000"], env: { MODE: "b" } } })
      yield* TestClock.adjust("1500 millis")
      assert.lengthOf([...store.records.values()].filter(({ rollout }) => rollout !== null), 2)
      assert.lengthOf(engine.calls.filter(({ verb }) => verb === "kill"), 2)
      yield* TestClock.adjust("15 seconds")
      assert.lengthOf(starts(simulation), 2 * games.length)
      for (const each of games) assert.deepInclude(store.records.get(each), { status: "running", rollout: null, observed_generation: 2 })
    }))
})
