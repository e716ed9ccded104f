import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { GameId } from "../../../src/domain/GameId.ts"
import { ContainerEngine, EngineError } from "../../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../../src/engine/ImagePuller.ts"

const g1 = "g1" as GameId
const image = "a/b:1"

/** A puller whose engine pulls as `pull` says. */
const withPuller = <A>(pull: () => Effect.Effect<void, EngineError>, body: (puller: ImagePuller["Service"]) => Effect.Effect<A>) =>
  Effect.flatMap(ImagePuller, body).pipe(
    Effect.provide(ImagePuller.layer.pipe(Layer.provide(Layer.mock(ContainerEngine, { known: () => undefined, pull: () => Effect.suspend(pull) }))))
  )
const failed = (reason: EngineError["reason"]) => new EngineError({ operation: "pull", reason, message: `it is ${reason}` })

/** Asks for the image; answers how often the game was looked at again. */
const request = Effect.fnUntraced(function*(puller: ImagePuller["Service"], generation = 1) {
  const looked = { times: 0 }
  yield* puller.request(g1, image, generation, Effect.sync(() => void looked.times++))
  return looked
})

describe("ImagePuller", () => {
  it.effect("has its game looked at again when the image is there", () =>
    withPuller(() => Effect.sleep("5 seconds"), Effect.fnUntraced(function*(puller) {
      const looked = yield* request(puller)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual([puller.state(g1, image, 1)._tag, looked.times], ["Pulling", 0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([puller.state(g1, image, 1)._tag, looked.times], ["Pulled", 1])
    })))

  it.effect("knows nothing of another generation or image", () =>
    withPuller(() => Effect.void, Effect.fnUntraced(function*(puller) {
      yield* request(puller)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([puller.state(g1, image, 2)._tag, puller.state(g1, "a/b:2", 1)._tag], ["None", "None"])
    })))

  it.effect("keeps a refusal as the game's failure", () =>
    withPuller(() => Effect.fail(failed("PullFailed")), Effect.fnUntraced(function*(puller) {
      const looked = yield* request(puller)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(puller.state(g1, image, 1), {
        _tag: "Failed", failure: { code: "image_pull_failed", reason: "PullFailed", message: "it is PullFailed" }
      })
      assert.strictEqual(looked.times, 1)
    })))

  it.effect("asks again, ever more rarely, while the engine is away, and only then has the game looked at", () => {
    const atMs: Array<number> = []
    return withPuller(() => Effect.flatMap(Effect.clockWith((clock) => clock.currentTimeMillis), (nowMs) => {
      atMs.push(nowMs)
      return atMs.length < 5 ? Effect.fail(failed("Unavailable")) : Effect.void
    }), Effect.fnUntraced(function*(puller) {
      const looked = yield* request(puller)
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual([atMs, puller.state(g1, image, 1)._tag, looked.times], [[0, 1000, 3000, 7000], "Pulling", 0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([puller.state(g1, image, 1)._tag, looked.times], ["Pulled", 1])
    }))
  })

  it.effect("lets no game wait for ever, whatever ended its pull", () =>
    withPuller(() => Effect.die(new TypeError("a bug")), Effect.fnUntraced(function*(puller) {
      const looked = yield* request(puller)
      yield* TestClock.adjust(1)
      const state = puller.state(g1, image, 1)
      assert.include(state._tag === "Failed" ? state.failure.message : "", "a bug")
      assert.strictEqual(looked.times, 1)
    })))

  it.effect("ends a pull that nobody wants any more, and begins anew for the next generation", () => {
    let running = 0
    const pull = () => Effect.acquireUseRelease(Effect.sync(() => running++), () => Effect.never, () => Effect.sync(() => running--))
    return withPuller(pull, Effect.fnUntraced(function*(puller) {
      yield* request(puller, 1)
      yield* request(puller, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(running, 1)
      yield* request(puller, 2)
      yield* TestClock.adjust(1)
      assert.strictEqual(running, 1)
      yield* puller.release(g1)
      assert.strictEqual(running, 0)
      assert.strictEqual(puller.state(g1, image, 2)._tag, "None")
    }))
  })
})
