/** How games are started again, by their policy or because somebody asked, story by story. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { condition, game, health, log, row, scene, starts } from "./scene.ts"
import { startController } from "./world.ts"
import type { StoreWorld } from "../support/fakes/StoreWorld.ts"

const ask = (store: StoreWorld, inMs = 0) => store.update(game, { restart_requested_at: new Date(store.nowMs + inMs).toISOString() })

describe("a restart in place", () => {
  scene("is carried out once, in the same container, and told as asked for", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, restart_policy: "never" })
      yield* TestClock.adjust("2 seconds")
      const { id } = engine.of(game)[0]!
      ask(store)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(engine.of(game).map((one) => [one.id, one.state]), [[id, "running"]])
      assert.deepStrictEqual(health(simulation).slice(1).map(([type, details]) => [type, { image_ref: undefined, ...details as object }]), [
        ["container_exited", { image_ref: undefined, exit_code: 0, expected: true, because: "restart" }],
        ["container_started", { image_ref: row.image_ref }]
      ])
      assert.deepStrictEqual(log(simulation), ["start desired_state success", "restart desired_state success"])
      assert.strictEqual(store.operations.at(-1)?.source_ref, store.games.get(game)?.restart_requested_at)
      assert.deepInclude(store.records.get(game), { restart_count: 0, restarting_since: null, observed_generation: 1 })
      yield* startController(simulation, "c1")
      yield* TestClock.adjust("2 minutes")
      assert.lengthOf(starts(simulation), 2)
    }))

  scene("comes at its time, also where the timer was lost with its controller", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      ask(store, 45_000)
      const dueMs = engine.steadyMs + 45_000
      yield* TestClock.adjust("10 seconds")
      yield* simulation.processes[0]!.kill
      yield* startController(simulation, "c1")
      yield* TestClock.adjust("60 seconds")
      assert.lengthOf(starts(simulation), 2)
      assert.isAtLeast(starts(simulation)[1]!, dueMs)
      assert.isBelow(starts(simulation)[1]!, dueMs + 3000)
    }))

  scene("does nothing for a game that is stopped, now or when it is started", (simulation) =>
    Effect.gen(function*() {
      const { store } = simulation
      store.insert({ ...row, state: "stopped" })
      yield* TestClock.adjust("2 seconds")
      ask(store)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(starts(simulation), [])
      store.update(game, { state: "running" })
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(log(simulation), ["start desired_state success"])
    }))
})

describe("a game that keeps ending", () => {
  scene("says so once, and when it is tried next", (simulation) =>
    Effect.gen(function*() {
      const { store } = simulation
      store.insert({ ...row, spec: { args: ["exit=1", "after=500"], restart: { base: "10s", max: "20s" } } })
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(condition(simulation, "Progressing"), { status: "True", reason: "BackOff" })
      yield* TestClock.adjust("10 seconds")
      const { next_restart_at, version } = store.records.get(game)!
      const told = condition(simulation, "Progressing")
      assert.deepInclude(told, { status: "True", reason: "CrashLoopBackOff", message: `next try at ${next_restart_at}, after 2 in a row that ended or could not be started` })
      const waitMs = Date.parse(next_restart_at!) - Date.parse(store.records.get(game)!.stopped_at!)
      assert.isTrue(waitMs >= 20_000 && waitMs < 25_000, String(waitMs))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(store.records.get(game)!.version, version)
    }))

  scene("is left by an exit code that it is never restarted on, until its row changes", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, spec: { restart: { never_on: [64] } } })
      yield* TestClock.adjust("2 seconds")
      const { id } = engine.of(game)[0]!
      engine.exit(id, 64)
      yield* TestClock.adjust("40 seconds")
      assert.deepInclude(store.records.get(game), { status: "stopped", exit_code: 64, final_exit: true, next_restart_at: null })
      assert.deepInclude(condition(simulation, "Ready"), { status: "False", reason: "NeverOn" })
      assert.lengthOf(starts(simulation), 1)
      store.update(game, { spec: { restart: { never_on: [65] } } })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(store.records.get(game), { status: "running", final_exit: false, current_container_id: id })
    }))
})
