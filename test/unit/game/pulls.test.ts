/** Pulls in the background: a game is looked at again when its own ended, and none goes on that nobody wants. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makePulls, type Pulls } from "../../../controllers/game/act/Pulls.ts"
import { makeBackground } from "../../../src/controller/Background.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import { type ContainerEngine, EngineError } from "../../../src/engine/ContainerEngine.ts"
import { observation } from "../../support/observations.ts"

const g1 = "g1" as GameId
const target = observation({}).target!

interface Scene {
  readonly pulls: Pulls["Service"]
  readonly looked: { times: number }
}

/** Pulls of an engine that pulls as `pull` says. */
const withPulls = (pull: () => Effect.Effect<unknown, EngineError>, body: (scene: Scene) => Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const looked = { times: 0 }
    const background = yield* makeBackground({ wake: () => Effect.sync(() => void looked.times++) })
    const engine = { pull: () => Effect.suspend(pull) } as unknown as ContainerEngine["Service"]
    yield* body({ pulls: makePulls(engine, background), looked })
  }))
const failed = (reason: EngineError["reason"]) => new EngineError({ operation: "pull", reason, message: `it is ${reason}` })
const seen = ({ looked, pulls }: Scene, id = "a") => Effect.map(pulls.stateOf(g1, id), ({ _tag }) => [_tag, looked.times])

describe("Pulls", () => {
  it.effect("have their game looked at again when the image is there", () =>
    withPulls(() => Effect.sleep("5 seconds"), Effect.fnUntraced(function*(scene) {
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* seen(scene), ["Pulling", 0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* seen(scene), ["Pulled", 1])
    })))

  it.effect("ask no registry for an image that is on the host", () =>
    withPulls(() => Effect.die(new Error("asked")), Effect.fnUntraced(function*(scene) {
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: true })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* seen(scene), ["Pulled", 1])
    })))

  it.effect("know nothing of another attempt, and forget what was known of the last", () =>
    withPulls(() => Effect.void, Effect.fnUntraced(function*(scene) {
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* seen(scene, "b"), ["None", 1])
      assert.deepStrictEqual(yield* seen(scene), ["None", 1])
    })))

  it.effect("keep a refusal as the game's failure", () =>
    withPulls(() => Effect.fail(failed("PullFailed")), Effect.fnUntraced(function*({ looked, pulls }) {
      yield* pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* pulls.stateOf(g1, "a"), {
        _tag: "Failed", failure: { code: "image_pull_failed", reason: "PullFailed", message: "it is PullFailed" }
      })
      assert.strictEqual(looked.times, 1)
    })))

  it.effect("ask again, ever more rarely, while the engine is away, and only then have the game looked at", () => {
    const atMs: Array<number> = []
    return withPulls(() => Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (nowMs) => {
      atMs.push(nowMs)
      return atMs.length < 5 ? Effect.fail(failed("Unavailable")) : Effect.void
    }), Effect.fnUntraced(function*(scene) {
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual([atMs, yield* seen(scene)], [[0, 1000, 3000, 7000], ["Pulling", 0]])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* seen(scene), ["Pulled", 1])
    }))
  })

  it.effect("let no game wait for ever, whatever ended its pull", () =>
    withPulls(() => Effect.die(new TypeError("a bug")), Effect.fnUntraced(function*({ looked, pulls }) {
      yield* pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust(1)
      const state = yield* pulls.stateOf(g1, "a")
      assert.include(state._tag === "Failed" ? state.failure.message : "", "a bug")
      assert.strictEqual(looked.times, 1)
    })))

  it.effect("bring an image once more that went while its game waited", () =>
    withPulls(() => Effect.succeed("sha256:1"), Effect.fnUntraced(function*({ looked, pulls }) {
      yield* pulls.fetch(g1, "a", target, { isOnHost: true })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* pulls.stateOf(g1, "a"), { _tag: "Pulled", imageId: null, again: false })
      yield* pulls.fetch(g1, "a", target, { isOnHost: false, again: true })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* pulls.stateOf(g1, "a"), { _tag: "Pulled", imageId: "sha256:1", again: true })
      assert.strictEqual(looked.times, 2)
    })))

  it.effect("end when nobody wants them any more, and begin anew for the next attempt", () => {
    let running = 0
    const pull = () => Effect.acquireUseRelease(Effect.sync(() => running++), () => Effect.never, () => Effect.sync(() => running--))
    return withPulls(pull, Effect.fnUntraced(function*(scene) {
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* scene.pulls.fetch(g1, "a", target, { isOnHost: false })
      yield* TestClock.adjust(1)
      assert.strictEqual(running, 1)
      yield* scene.pulls.fetch(g1, "b", target, { isOnHost: false })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([running, ...(yield* seen(scene, "b"))], [1, "Pulling", 0])
      yield* scene.pulls.stateOf(g1, undefined)
      yield* TestClock.adjust(1)
      assert.strictEqual(running, 0)
    }))
  })
})
