/** What an act does on the engine, where more than one call is made of it; the contract's point in brackets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { apply } from "../../../controllers/game/act/apply.ts"
import { makePulls, Pulls } from "../../../controllers/game/act/Pulls.ts"
import { wantedPull } from "../../../controllers/game/decide/pull.ts"
import type { Action } from "../../../controllers/game/decide/step.ts"
import { assess } from "../../../controllers/game/observe/assess.ts"
import { makeBackground } from "../../../src/controller/Background.ts"
import type { PullPolicy } from "../../../src/domain/GameSpec.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import { ContainerEngine, type EngineError } from "../../../src/engine/ContainerEngine.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"
import type { StoreError } from "../../../src/store/StoreError.ts"
import { FakeEngine, layer } from "../../support/fakes/FakeEngine.ts"
import { standingTerm } from "../../support/fakes/FakeLease.ts"
import { FakeStore, makeFakeWriter } from "../../support/fakes/FakeStore.ts"
import { changed, exited, facts, type Given, image, running } from "../../support/observations.ts"

const newer = changed().imageRef

/** A game that ended, whose row asks for a newer image by now. */
const scene = Effect.fnUntraced(function*(given: Given, onHost: boolean) {
  const engine = yield* FakeEngine
  engine.image(image)
  engine.image(newer, { onHost, pullMs: 1000 })
  const old = engine.run(engine.byHand("g1", image))
  engine.exit(old.id, 0)
  const known = facts({ desired: changed(), record: running({ currentContainerId: old.id }), containers: [exited(0, { id: old.id })], ...given })
  const seen = assess(known)
  /** What is known of the pull that the act began. */
  const pull = Effect.flatMap(Pulls, (pulls) => Effect.map(pulls.stateOf(seen.gameId, wantedPull(known.row, known.record)), ({ _tag }) => _tag))
  return { act: (action: (seen: Observation) => Action) => apply(seen, action(seen)), engine, old, pull }
})

const fetchImage = ({ target }: Observation): Action => ({ _tag: "FetchImage", target: target! })
const create = ({ target }: Observation): Action => ({ _tag: "Create", target: target! })
const policy = (pull_policy: PullPolicy) => ({ desired: changed({ spec: { pull_policy } }) })

const writer = Layer.effect(GameWriter, Effect.map(FakeStore, (world) => makeFakeWriter(world, standingTerm(world).epoch))).pipe(Layer.provideMerge(FakeStore.layer))
const world = Layer.effect(Pulls, Effect.gen(function*() {
  return makePulls(yield* ContainerEngine, yield* makeBackground({ wake: () => Effect.void }))
})).pipe(Layer.provideMerge(layer()), Layer.provideMerge(writer))
const act = (name: string, body: Effect.Effect<void, EngineError | StoreError, Layer.Success<typeof world> | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(Effect.provide(body, world)))

describe("to have an image on the host", () => {
  act("no registry is asked when it is there", Effect.gen(function*() {
    const { act, engine, pull } = yield* scene({}, true)
    assert.deepStrictEqual(yield* act(fetchImage), { _tag: "Fetching" })
    yield* TestClock.adjust(1)
    assert.deepStrictEqual([yield* pull, engine.registryCalls], ["Pulled", []])
  }))

  act("it is pulled when it is missing, and nobody waits for it", Effect.gen(function*() {
    const { act, pull } = yield* scene({}, false)
    assert.deepStrictEqual(yield* act(fetchImage), { _tag: "Fetching" })
    assert.strictEqual(yield* pull, "Pulling")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* pull, "Pulled")
  }))

  act("it fails when it is missing and must not be pulled (4)", Effect.gen(function*() {
    const { act } = yield* scene(policy("never"), false)
    const outcome = yield* act(fetchImage)
    assert.deepInclude(outcome._tag === "StartFailed" ? outcome.failure : {}, { code: "image_pull_failed", reason: "ImageMissing" })
  }))

  act("a newer one is asked for where it always is", Effect.gen(function*() {
    const { act, pull } = yield* scene(policy("always"), true)
    yield* act(fetchImage)
    assert.strictEqual(yield* pull, "Pulling")
  }))
})

describe("to make a container", () => {
  act("its missing image is pulled in the background", Effect.gen(function*() {
    const { act, pull } = yield* scene({}, false)
    assert.deepStrictEqual([yield* act(create), yield* pull], [{ _tag: "Fetching" }, "Pulling"])
  }))

  act("an image that was on the host and went while the game waited is pulled", Effect.gen(function*() {
    const { act, engine, pull } = yield* scene({ pull: { _tag: "Pulled", imageId: null } }, false)
    assert.deepStrictEqual(yield* act(create), { _tag: "Fetching" })
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual([yield* pull, engine.registryCalls], ["Pulled", [newer]])
  }))

  act("an image that was pulled once more and is gone again is a failure, not another pull", Effect.gen(function*() {
    const { act, engine } = yield* scene({ pull: { _tag: "Pulled", imageId: null, again: true } }, false)
    const outcome = yield* act(create)
    assert.deepInclude(outcome._tag === "StartFailed" ? outcome.failure : {}, { code: "image_pull_failed", reason: "ImageMissing" })
    assert.deepStrictEqual(engine.registryCalls, [])
  }))

  act("one that was made for a network that is gone is made once more, and not for ever (9)", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({ containers: [] }, true)
    engine.remove(old.id)
    const made = Effect.gen(function*() {
      const making = yield* Effect.forkScoped(act(create))
      yield* TestClock.adjust("1 second")
      return yield* Fiber.join(making)
    })
    engine.quirks.deadNetworks = 1
    assert.deepInclude(yield* made, { _tag: "Started" })
    assert.deepStrictEqual(engine.of("g1").map(({ state }) => state), ["running"])
    engine.removeByForce(engine.of("g1")[0]!.id)
    engine.quirks.deadNetworks = 2
    const outcome = yield* made
    assert.deepInclude(outcome._tag === "StartFailed" ? outcome.failure : {}, { code: "container_start_failed", reason: "NetworkMissing" })
  }))
})

describe("to start again", () => {
  act("a container goes whose network was pruned: it can never start, and its state is in the volume (6)", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({}, true)
    engine.removeNetwork()
    assert.deepStrictEqual(yield* act(({ main }) => ({ _tag: "Start", container: main! })), { _tag: "Removed" })
    assert.isUndefined(engine.get(old.id))
  }))
})

describe("what a spec names and nobody has", () => {
  act("is a failed start, with the path, and nothing is made", Effect.gen(function*() {
    const { act, engine, old } = yield* scene({ desired: changed({ spec: { networks: [{ name: "metrics" }] } }) }, true)
    engine.removeByForce(old.id)
    const outcome = yield* act(create)
    assert.deepStrictEqual(outcome, {
      _tag: "StartFailed",
      failure: { code: "container_start_failed", reason: "Unmet", message: "spec.networks.0.name: there is no network metrics" }
    })
    assert.deepStrictEqual(engine.of("g1"), [])
    engine.networks.add("metrics")
    const started = yield* Effect.forkChild(act(create))
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* Fiber.join(started))._tag, "Started")
  }))

  act("is a failed pull when it is a login", Effect.gen(function*() {
    const { act, engine, pull } = yield* scene({ desired: changed({ spec: { registry_auth: "galaxy" } }) }, false)
    yield* act(fetchImage)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* pull, "Failed")
    assert.deepStrictEqual(engine.registryCalls, [])
  }))

  act("is pulled by its login where there is one", Effect.gen(function*() {
    const { act, engine, pull } = yield* scene({ desired: changed({ spec: { registry_auth: "galaxy" } }) }, false)
    engine.logins.add("galaxy")
    yield* act(fetchImage)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* pull, "Pulled")
  }))
})
