/** What an act does on the engine, where more than one call is made of it; the contract's point in brackets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { apply } from "../../../controllers/game/apply.ts"
import type { Action } from "../../../controllers/game/step.ts"
import { view } from "../../../controllers/game/view.ts"
import type { EngineError } from "../../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../../src/engine/ImagePuller.ts"
import type { FakeContainer } from "../../support/fakes/container.ts"
import type { EngineWorld } from "../../support/fakes/EngineWorld.ts"
import { FakeEngine, layer } from "../../support/fakes/FakeEngine.ts"
import { changed, exited, type Given, image, now, observation, running, settings } from "../../support/observations.ts"

const newer = changed().imageRef
const pulled = { _tag: "Pulled" } as const

/** A game that ended, whose row asks for a newer image by now. */
const scene = Effect.fnUntraced(function*(given: Given, onHost: boolean) {
  const engine = yield* FakeEngine
  engine.image(image)
  engine.image(newer, { onHost, pullMs: 1000 })
  const old = engine.run(engine.byHand("g1", image))
  engine.exit(old.id, 0)
  const seen = view(observation({ desired: changed(), record: running({ currentContainerId: old.id }), ...given }), settings, now)
  const act = (action: (container: ReturnType<typeof exited>) => Action) =>
    apply(seen, action(exited(0, { id: old.id })), { pullPolicy: "if_missing", lookAgain: () => Effect.void })
  return { act, engine, old }
})

const replaced = (container: ReturnType<typeof exited>): Action => ({ _tag: "Remove", container, because: "replaced" })
const stands = (engine: EngineWorld, old: FakeContainer) => engine.get(old.id) !== undefined

const world = Layer.provideMerge(ImagePuller.layer, layer())
const act = (name: string, body: Effect.Effect<void, EngineError, Layer.Success<typeof world> | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(Effect.provide(body, world)))

describe("to make room for another image", () => {
  act("a container goes once that image is on the host, and no registry is asked", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({}, true)
    assert.deepStrictEqual(yield* act(replaced), { _tag: "Removed" })
    assert.isFalse(stands(engine, old))
    assert.deepStrictEqual(engine.registryCalls, [])
  }))

  act("a container stays while that image is pulled", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({}, false)
    assert.deepStrictEqual(yield* act(replaced), { _tag: "Pulling" })
    assert.isTrue(stands(engine, old))
  }))

  act("a container stays when that image is missing and must not be pulled (4)", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({ desired: changed({ spec: { pull_policy: "never" } }) }, false)
    const outcome = yield* act(replaced)
    assert.deepInclude(outcome._tag === "StartFailed" ? outcome.failure : {}, { code: "image_pull_failed", reason: "ImageMissing" })
    assert.isTrue(stands(engine, old))
  }))

  act("a container stays until a newer image was asked for, where it always is", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({ desired: changed({ spec: { pull_policy: "always" } }) }, true)
    assert.deepStrictEqual(yield* act(replaced), { _tag: "Pulling" })
    assert.isTrue(stands(engine, old))
  }))

  act("a container goes when the newer image has come", Effect.gen(function*() {
    const { act } = yield* scene({ desired: changed({ spec: { pull_policy: "always" } }), pull: pulled }, true)
    assert.deepStrictEqual(yield* act(replaced), { _tag: "Removed" })
  }))

  act("a leftover goes at once: it could not run anyway", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({}, false)
    assert.deepStrictEqual(yield* act((container) => ({ _tag: "Remove", container, because: "leftover" })), { _tag: "Removed" })
    assert.isFalse(stands(engine, old))
  }))
})

describe("to start again", () => {
  act("a container goes whose network was pruned: it can never start, and its state is in the volume (6)", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({}, true)
    engine.removeNetwork()
    assert.deepStrictEqual(yield* act((container) => ({ _tag: "Start", container })), { _tag: "Removed" })
    assert.isFalse(stands(engine, old))
  }))
})
