/** Single stories of a whole system on the virtual clock, from what people do to what they see. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { condition, game, health, intents, log, results, row, scene, starts } from "./scene.ts"
import { images } from "./script.ts"
import { startController } from "./world.ts"

describe("the whole system, story by story", () => {
  scene("a back-off lasts as long as it was to last when another controller takes over in it", (simulation) =>
    Effect.gen(function*() {
      simulation.store.insert({ ...row, spec: { args: ["exit=1", "after=100", "times=4"] } })
      yield* TestClock.adjust("8 seconds")
      assert.lengthOf(starts(simulation), 4)
      const due = starts(simulation)[3]! + 100 + 8000
      yield* simulation.processes[0]!.kill
      yield* startController(simulation, "c1")
      yield* TestClock.adjust("10 seconds")
      assert.approximately(starts(simulation)[4]!, due, 50)
    }))

  scene("an image that is always pulled is pulled once for a change of the row, before the old container ends", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, spec: { pull_policy: "always" } })
      yield* TestClock.adjust("5 seconds")
      store.update(game, { image_ref: images.pullable })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(engine.registryCalls, [images.present, images.pullable])
      assert.deepStrictEqual(log(simulation), ["start desired_state success", "reconcile_recreate desired_state success"])
    }))

  scene("an image that is always pulled is pulled at each start, in place too, and a newer one of its name is what runs then", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, spec: { pull_policy: "always", args: ["exit=1", "after=5000", "times=3"] } })
      yield* TestClock.adjust("20 seconds")
      const [first] = engine.of(game)
      assert.deepStrictEqual([engine.registryCalls.length, starts(simulation).length], [3, 3])
      engine.image(images.present, { registryId: "sha256:newer" })
      yield* TestClock.adjust("6 seconds")
      const [second, ...others] = engine.of(game)
      assert.deepStrictEqual([others.length, second?.imageId, second?.state], [0, "sha256:newer", "running"])
      assert.notStrictEqual(second!.id, first!.id)
      assert.lengthOf(engine.registryCalls, 4)
      assert.deepStrictEqual(log(simulation), [
        "start desired_state success", "reconcile_restart auto_reconcile success", "reconcile_restart auto_reconcile success",
        "reconcile_recreate auto_reconcile success"
      ])
      assert.deepStrictEqual(health(simulation).filter(([type]) => type === "container_disappeared"), [])
    }))

  scene("what the engine warned of is said for as long as that container is the game's", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      engine.quirks.warnings = ["memory limit discarded"]
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      const told = () => condition(simulation, "AsSpecified")
      assert.deepInclude(told(), { status: "False", reason: "EngineWarned", message: "memory limit discarded" })
      engine.quirks.warnings = []
      engine.exit(`galaxy-game-${game}`, 3)
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(told(), { status: "False" })
      store.update(game, { spec: { env: { MODE: "b" } } })
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(told())
    }))

  scene("a pull that nobody wants any more ends", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      engine.image(images.pullable, { pullMs: 60_000 })
      store.insert({ ...row, image_ref: images.pullable })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(engine.registryCalls, [images.pullable])
      store.update(game, { state: "stopped" })
      yield* TestClock.adjust("2 minutes")
      assert.isFalse(engine.images.get(images.pullable)?.onHost)
    }))

  scene("a stopped game keeps its container when its new image cannot be pulled", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert({ ...row, restart_policy: "never" })
      yield* TestClock.adjust("2 seconds")
      store.update(game, { state: "stopped" })
      yield* TestClock.adjust("2 seconds")
      const [old] = engine.of(game)
      streams.startJob({ game_id: game, image_ref: images.missing })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(results(simulation), ["failure image_pull_failed"])
      assert.lengthOf(intents(simulation), 1)
      assert.deepStrictEqual(engine.of(game).map(({ id }) => id), [old!.id])
    }))

  scene("a game gets an answer to each of its jobs within seconds, however many they are", (simulation) =>
    Effect.gen(function*() {
      const { store, streams } = simulation
      store.insert({ ...row, restart_policy: "never" })
      yield* TestClock.adjust("35 seconds")
      for (let count = 0; count < 2500; count++) streams.startJob({ game_id: game, image_ref: images.present })
      yield* TestClock.adjust("20 seconds")
      assert.lengthOf(results(simulation), 2500)
      assert.deepStrictEqual(store.waitingGames, [])
    }))

  scene("a row that was made again without its triggers is carried out by what it says, whatever its generation", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert({ ...row, restart_policy: "never" })
      store.update(game, { spec: { args: ["exit=0", "after=100"] } })
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(store.records.get(game)?.status, "stopped")
      store.restore({ ...row, restart_policy: "never", spec: { args: ["exit=0", "after=100"] } })
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual([store.records.get(game)?.observed_generation, starts(simulation).length], [1, 1], "it says what it said")
      store.restore({ ...row, restart_policy: "never", image_ref: images.pullable })
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(engine.of(game).map(({ image, state }) => [image, state]), [[images.pullable, "running"]])
      assert.deepInclude(store.records.get(game), { observed_generation: 1, status: "running" })
    }))

  scene("a game that is over is settled by a resync, and every one after that passes it over until its row is written", (simulation) =>
    Effect.gen(function*() {
      const { store } = simulation
      store.insert({ ...row, state: "stopped" })
      yield* TestClock.adjust("70 seconds")
      assert.deepStrictEqual([store.surveyed("open", "", 9), store.surveyed("settled", "", 9)], [[], [game]])
      store.update(game, { state: "running" })
      assert.deepStrictEqual(store.surveyed("open", "", 9), [game])
      yield* TestClock.adjust("70 seconds")
      assert.strictEqual(store.records.get(game)?.status, "running")
      assert.deepStrictEqual(store.surveyed("settled", "", 9), [])
    }))

  scene("a settled game whose row was made again without its triggers is found by a resync, though nothing tells of it", (simulation) =>
    Effect.gen(function*() {
      const { store } = simulation
      store.insert({ ...row, state: "stopped" })
      yield* TestClock.adjust("70 seconds")
      store.restore({ ...row, state: "stopped" })
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(store.surveyed("settled", "", 9), [game], "it says what it said")
      store.restore({ ...row, restart_policy: "never" })
      yield* TestClock.adjust("40 seconds")
      assert.deepInclude(store.records.get(game), { observed_generation: 1, status: "running" })
    }))

  scene("a game whose first row was made without triggers is found by a resync, though nothing tells of it", (simulation) =>
    Effect.gen(function*() {
      simulation.store.restore(row)
      yield* TestClock.adjust("40 seconds")
      assert.deepInclude(simulation.store.records.get(game), { observed_generation: 1, status: "running" })
    }))

  scene("a game whose network was pruned starts on the new one, and no failure is told", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      engine.removeNetwork()
      engine.exit(`galaxy-game-${game}`, 1)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(log(simulation), ["start desired_state success", "reconcile_recreate auto_reconcile success"])
      assert.lengthOf(intents(simulation), 0)
      assert.strictEqual(condition(simulation, "Ready")?.status, "True")
    }))

  scene("a stop job for a container that nobody has looked at yet stops it", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      engine.events.line.mode = "refused"
      engine.events.cut()
      engine.run(engine.byHand(game, images.present))
      streams.stopJob({ game_id: game, reason: "orphan_cleanup" })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(results(simulation), ["success"])
      assert.deepStrictEqual(log(simulation), ["reconcile_adopt auto_reconcile success", "stop job_stream success"])
      assert.deepInclude(store.games.get(game), { state: "stopped", restart_policy: "never", generation: 1 })
    }))

  scene("readiness is known again when the container answers again, and a second outage is told anew", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      const [container] = engine.of(game)
      for (const _outage of ["first", "second"]) {
        container!.answers.silence()
        streams.startJob(row)
        yield* TestClock.adjust("15 seconds")
        assert.strictEqual(condition(simulation, "Ready")?.status, "Unknown")
        container!.answers.up()
        yield* TestClock.adjust("40 seconds")
        assert.strictEqual(condition(simulation, "Ready")?.status, "True")
      }
      assert.deepStrictEqual(results(simulation), ["success replay_no_op", "success replay_no_op"])
    }))

  scene("jobs fail at once while another engine answers, and what was asked for is done when the first one is back", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      engine.switchTo("another-engine")
      yield* TestClock.adjust("2 seconds")
      streams.startJob(row)
      yield* TestClock.adjust("2 seconds")
      streams.stopJob({ game_id: game, reason: "finished" })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(results(simulation), ["failure service_unavailable", "failure service_unavailable"])
      assert.strictEqual(store.records.get(game)?.status, "running")
      engine.switchTo(simulation.homeEngine)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(store.records.get(game)?.status, "stopped")
      assert.strictEqual(engine.of(game)[0]?.state, "exited")
    }))

  scene("a container is not missed because another engine answers than everybody thinks", (simulation) =>
    Effect.gen(function*() {
      const { engine, store, streams } = simulation
      store.insert(row)
      yield* TestClock.adjust("2 seconds")
      // Its events would say that another one may answer.
      engine.events.line.mode = "refused"
      engine.switchTo("another-engine")
      streams.startJob(row)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(health(simulation).map(([type]) => type), ["container_started"])
      assert.deepStrictEqual(results(simulation), ["failure service_unavailable"])
      assert.strictEqual(condition(simulation, "Ready")?.reason, "EngineChanged")
    }))

  scene("a failed pull is asked for again by the next try, which is well by then", (simulation) =>
    Effect.gen(function*() {
      const { engine, store } = simulation
      engine.image("galaxy/late:1", { onHost: false, registry: "missing" })
      store.insert({ ...row, image_ref: "galaxy/late:1" })
      // The first attempt is of another generation than was observed before it: only the third is like the second.
      yield* TestClock.adjust("1500 millis")
      assert.deepStrictEqual(log(simulation), ["start desired_state failure", "start auto_reconcile failure"])
      engine.image("galaxy/late:1", { registry: "there" })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(log(simulation).slice(2), ["start auto_reconcile success"])
      assert.lengthOf(engine.registryCalls, 3)
    }))
})
