/** The fakes behave as the things they stand for, as far as a controller can tell. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Exit, Fiber, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { GameId } from "../../src/domain/GameId.ts"
import { ContainerEngine, type ContainerTemplate, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { GameReader, type StoreChange } from "../../src/store/GameReader.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { Streams } from "../../src/streams/Streams.ts"
import { commitOf, g1, image, recordOf } from "../contract/store/OpenStore.ts"
import { FakeEngine, layer as engineLayer } from "../support/fakes/FakeEngine.ts"
import { standingStoreLayer } from "../support/fakes/FakeLease.ts"
import { FakeStore } from "../support/fakes/FakeStore.ts"
import { FakeStreams, layer as streamsLayer, makeFakeStreams } from "../support/fakes/FakeStreams.ts"
import { faultAt, faultyEngine, faultyWriter, kill, makeLife } from "../support/fakes/faults.ts"
import { jobStreams } from "../support/fakes/StreamsWorld.ts"

const templateOf = (args: ReadonlyArray<string> = [], imageRef = image): ContainerTemplate => ({
  gameId: g1, imageRef, generation: 1, specHash: "v1:x", createdAtMs: 5, stopGraceMs: 1000, spec: { args }
})
const reasonOf = <A, E extends EngineError | StoreError>(effect: Effect.Effect<A, E>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** Starts it, and lets the time pass until the engine looks at its program. */
const startNow = Effect.fnUntraced(function*(engine: ContainerEngine["Service"], id: string) {
  const starting = yield* Effect.forkChild(engine.start(id), { startImmediately: true })
  yield* TestClock.adjust(100)
  return yield* Fiber.join(starting)
})

/** An engine with the image on its host. */
const withEngine = <A, E>(body: (engine: ContainerEngine["Service"], world: FakeEngine["Service"]) => Effect.Effect<A, E, never>) =>
  Effect.gen(function*() {
    const world = yield* FakeEngine
    yield* TestClock.adjust("1 second")
    world.image(image)
    return yield* body(yield* ContainerEngine, world)
  }).pipe(Effect.provide(engineLayer()), Random.withSeed("engine"))

describe("the fake engine", () => {
  it.effect("walks a container through Docker's states", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const id = yield* engine.create(templateOf(["stop=200"]))
      assert.match(id, /^[0-9a-f]{64}$/)
      const stateNow = Effect.map(engine.inspect(id), (seen) => seen === "gone" ? seen : seen.state)
      assert.strictEqual(yield* stateNow, "created")
      assert.deepInclude(yield* startNow(engine, id), { state: "running", startError: "" })
      assert.deepInclude(yield* engine.start(id), { state: "running" })
      assert.strictEqual(yield* stateNow, "running")
      assert.strictEqual(yield* reasonOf(engine.remove(id)), "Conflict")
      world.pause(id)
      assert.strictEqual(yield* reasonOf(engine.start(id)), "Conflict")
      yield* engine.kill(id, "SIGTERM")
      assert.strictEqual(yield* stateNow, "running")
      yield* TestClock.adjust(200)
      const ended = yield* engine.inspect(id)
      assert.deepInclude(ended, { state: "exited", exit: { code: 0, oomKilled: false, finishedAtMs: 1300 } })
      yield* engine.kill(id, "SIGKILL")
      yield* engine.remove(id)
      yield* engine.remove(id)
      assert.strictEqual(yield* stateNow, "gone")
      assert.strictEqual(yield* reasonOf(engine.start(id)), "NotFound")
      assert.deepStrictEqual(world.history.map(({ action }) => action), ["create", "start", "pause", "unpause", "die", "destroy"])
    })))

  it.effect("ends processes as their words say", () =>
    withEngine(Effect.fnUntraced(function*(_, world) {
      const crash = world.run({ name: "crash", image, command: ["exit=3", "after=500", "times=1"] })
      const oom = world.run({ name: "oom", image, command: ["oom"] })
      const stubborn = world.run({ name: "stubborn", image, command: ["stop=never"] })
      yield* TestClock.adjust(499)
      assert.strictEqual(crash.state, "running")
      assert.deepInclude(oom.exit, { code: 137, oomKilled: true })
      yield* TestClock.adjust(1)
      assert.deepInclude(crash.exit, { code: 3, oomKilled: false })
      world.start(crash.id)
      world.stop(stubborn.id, 10_000)
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual([crash.state, stubborn.state], ["running", "running"])
      yield* TestClock.adjust(1)
      assert.strictEqual(stubborn.exit?.code, 137)
    })))

  it.effect("says who holds a name, and lets nobody take it before a removal has ended", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      world.quirks.removalMs = 2000
      const holder = world.run({ name: "galaxy-game-g1", image })
      const error = yield* Effect.flip(engine.create(templateOf()))
      assert.deepInclude(error, { reason: "NameTaken" })
      assert.deepInclude(error.holder, { id: holder.id, gameId: null })
      world.removeByForce(holder.id)
      assert.strictEqual(yield* reasonOf(engine.create(templateOf())), "NameTaken")
      assert.strictEqual(yield* reasonOf(engine.remove(holder.id)), "Conflict")
      yield* TestClock.adjust("2 seconds")
      yield* engine.create(templateOf())
      assert.strictEqual(world.count("create", "g1"), 3)
    })))

  it.effect("refuses what cannot be started, with the reason kept on the container", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      assert.strictEqual(yield* reasonOf(engine.create(templateOf([], "galaxy/none:1"))), "ImageMissing")
      const id = yield* engine.create(templateOf(["unstartable"]))
      assert.strictEqual(yield* reasonOf(engine.start(id)), "StartFailed")
      const seen = yield* engine.inspect(id)
      assert.isTrue(seen !== "gone" && seen.state === "created" && seen.startError !== "" && seen.exit === null)
      assert.strictEqual(yield* reasonOf(engine.start("abc")), "Invalid")
      const other = world.make({ name: "other", image })
      world.removeNetwork()
      assert.strictEqual(yield* reasonOf(engine.start(other.id)), "NetworkMissing")
    })))

  it.effect("answers a start when the program had its chance to fail, or when it ended", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const command = (...args: ReadonlyArray<string>) => world.make({ name: args.join("-"), image, command: args, init: true, labels: world.byHand("g1", image).labels! }).id
      const late = yield* Effect.forkChild(reasonOf(engine.start(command("missing", "after=99"))), { startImmediately: true })
      const early = yield* Effect.forkChild(reasonOf(engine.start(command("noexec", "after=5"))), { startImmediately: true })
      const own = yield* Effect.forkChild(engine.start(command("exit=3", "after=5")), { startImmediately: true })
      const up = yield* Effect.forkChild(engine.start(command("up")), { startImmediately: true })
      yield* TestClock.adjust(5)
      assert.strictEqual(yield* Fiber.join(early), "StartFailed")
      assert.deepInclude(yield* Fiber.join(own), { state: "exited", startError: "" })
      yield* TestClock.adjust(95)
      assert.strictEqual(yield* Fiber.join(late), "StartFailed")
      assert.deepInclude(yield* Fiber.join(up), { state: "running" })
      const gone = yield* Effect.forkChild(reasonOf(engine.start(command("gone"))), { startImmediately: true })
      world.switchTo("another")
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(gone), "NotFound")
    })))

  it.effect("leaves an exit code to the program that no init process ran", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const byHand = world.run(world.byHand("g2", image, { command: ["exit=127"] }))
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* engine.inspect(byHand.id), { state: "exited", startError: "" })
    })))

  it.effect("lists containers with our labels, made by hand too, but none that an image labels", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      world.image("evil:1", { labels: world.byHand("g9", "evil:1").labels! })
      world.run({ name: "anything", image: "evil:1" })
      world.run({ name: "foreign", image })
      const hand = world.run(world.byHand("g2", image))
      const ours = yield* engine.create(templateOf())
      assert.deepStrictEqual((yield* engine.list()).map(({ id }) => id), [hand.id, ours])
      assert.deepStrictEqual((yield* engine.list("g2" as GameId)).map(({ specHash }) => specHash), [null])
      world.quirks.emptyList = true
      assert.deepStrictEqual(yield* engine.list(), [])
    })))

  it.effect("is unreachable when down, and when silent carries out later what it was asked meanwhile", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      world.answers.down()
      assert.strictEqual(yield* reasonOf(engine.list()), "Unavailable")
      world.answers.silence()
      const created = yield* Effect.forkChild(Effect.exit(engine.create(templateOf())), { startImmediately: true })
      const listed = yield* Effect.forkChild(Effect.exit(engine.list()), { startImmediately: true })
      yield* TestClock.adjust("61 seconds")
      const exits: ReadonlyArray<Exit.Exit<unknown, EngineError>> = [yield* Fiber.join(created), yield* Fiber.join(listed)]
      assert.isTrue(exits.every((exit) => String(exit).includes("did not answer")))
      assert.deepStrictEqual(world.calls, [])
      world.answers.up()
      assert.deepStrictEqual(world.calls.map(({ result, verb }) => `${verb} ${result}`), ["create ok"])
    })))

  it.effect("hangs on one stuck container only, while lists answer", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const stuck = yield* engine.create(templateOf())
      const well = world.run(world.byHand("g2", image))
      world.get(stuck)!.answers.silence()
      const asked = yield* Effect.forkChild(reasonOf(engine.inspect(stuck)), { startImmediately: true })
      assert.deepInclude(yield* engine.inspect(well.id), { state: "running" })
      assert.lengthOf(yield* engine.list(), 2)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(asked), "Timeout")
    })))

  it.effect("loses the ends of its containers when it is killed, and knows them when it is asked to end", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const id = yield* engine.create(templateOf())
      for (const how of ["asked", "killed"] as const) {
        yield* startNow(engine, id)
        world.goDown(how)
        world.answers.up()
        const seen = yield* engine.inspect(id)
        assert.isTrue(seen !== "gone" && seen.state === "exited" && (seen.exit?.finishedAtMs === null) === (how === "killed"))
      }
      world.switchTo("another")
      assert.strictEqual(yield* engine.inspect(id), "gone")
      assert.strictEqual((yield* engine.identity).id, "another")
    })))

  it.effect("tells events after Opened, says nothing while the line is off, and opens it anew", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const heard: Array<string> = []
      yield* Effect.forkChild(Stream.runForEach(engine.events, (event) => Effect.sync(() => {
        heard.push(event._tag === "Opened" ? "opened" : event.action)
      })), { startImmediately: true })
      yield* TestClock.adjust(0)
      const id = yield* engine.create(templateOf())
      yield* startNow(engine, id)
      world.exit(id, 0)
      yield* TestClock.adjust(0)
      world.events.line.mode = "silent"
      world.start(id)
      world.events.line.mode = "on"
      world.goDown("killed")
      world.answers.up()
      yield* TestClock.adjust("1 second")
      world.events.line.maxDelayMs = 500
      world.start(id)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(heard, ["opened", "die", "opened", "start"])
    })))

  it.effect("pulls once for all who wait, asks no registry for an image on the host, and fails as a registry does", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      world.image("slow:1", { onHost: false, pullMs: 3000 })
      world.image("hung:1", { onHost: false, registry: "hung" })
      const waiting = yield* Effect.forkChild(Effect.all([engine.pull("slow:1"), engine.pull("slow:1")], { concurrency: 2 }), { startImmediately: true })
      const hung = yield* Effect.forkChild(reasonOf(engine.pull("hung:1")), { startImmediately: true })
      assert.isFalse(yield* engine.hasImage("slow:1"))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(waiting)
      assert.isTrue(yield* engine.hasImage("slow:1"))
      assert.strictEqual(yield* reasonOf(engine.pull("none:1")), "PullFailed")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(hung), "PullStalled")
      assert.deepStrictEqual(world.registryCalls, ["slow:1", "hung:1", "none:1"])
    })))
})

/** A store under a standing term. */
const withStore = <A, E>(body: (reader: GameReader["Service"], writer: GameWriter["Service"], world: FakeStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    return yield* body(yield* GameReader, yield* GameWriter, yield* FakeStore)
  }).pipe(Effect.provide(standingStoreLayer), Random.withSeed("store"))

describe("the fake store", () => {
  it.effect("is unreachable when down, and when silent carries out later what it was asked to write meanwhile", () =>
    withStore(Effect.fnUntraced(function*(reader, writer, world) {
      const write = writer.commit(commitOf({ record: recordOf() }))
      world.answers.down()
      assert.deepStrictEqual([yield* reasonOf(reader.ping), yield* reasonOf(write)], ["Unavailable", "Unavailable"])
      world.answers.silence()
      const asked = yield* Effect.forkChild(reasonOf(write), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(asked), "Timeout")
      assert.strictEqual(world.records.size, 0)
      world.answers.up()
      assert.strictEqual(world.records.get("g1")?.version, 1)
    })))

  it.effect("says nothing of changes while the line is off, and opens it anew", () =>
    withStore(Effect.fnUntraced(function*(reader, _writer, world) {
      const heard: Array<StoreChange["_tag"]> = []
      yield* Effect.forkChild(Stream.runForEach(reader.changes, ({ _tag }) => Effect.sync(() => heard.push(_tag))), { startImmediately: true })
      yield* TestClock.adjust(0)
      world.changes.line.mode = "silent"
      world.insert({ game_id: "g1", image_ref: image })
      world.changes.line.mode = "on"
      world.changes.cut()
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(heard, ["Opened", "Opened"])
    })))

  it.effect("keeps everything it was ever told, in order, also what was struck out", () =>
    withStore(Effect.fnUntraced(function*(_reader, writer, world) {
      yield* writer.commit(commitOf({ messages: [{ topic: "dead_jobs", fields: { n: "1" } }, { topic: "dead_jobs", fields: { n: "2" } }] }))
      yield* writer.markSent((yield* writer.unsent(1)).map(({ id }) => id))
      assert.deepStrictEqual(world.told.map(({ fields }) => fields.n), ["1", "2"])
      assert.deepStrictEqual([...world.outbox.values()].map(({ fields }) => fields.n), ["2"])
    })))
})

const withStreams = <A, E>(body: (streams: Streams["Service"], world: FakeStreams["Service"]) => Effect.Effect<A, E, never>) =>
  Effect.gen(function*() {
    return yield* body(yield* Streams, yield* FakeStreams)
  }).pipe(Effect.provide(streamsLayer), Random.withSeed("streams"))

describe("the fake streams", () => {
  it.effect("deliver both streams in order, once, and block for two seconds where there is nothing", () =>
    withStreams(Effect.fnUntraced(function*(streams, world) {
      const first = world.startJob({ n: "1" })
      const second = world.stopJob({ n: "2" })
      assert.deepStrictEqual((yield* streams.read(10)).map(({ entryId, kind }) => [entryId, kind]), [[first, "start"], [second, "stop"]])
      const nothing = yield* Effect.forkChild(streams.read(10), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(nothing), [])
      const waiting = yield* Effect.forkChild(streams.read(10), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      world.startJob({ n: "3" })
      assert.deepStrictEqual((yield* Fiber.join(waiting)).map(({ fields }) => fields), [{ n: "3" }])
    })))

  it.effect("give an unacknowledged entry again after a rewind, and to another consumer once it is stale", () =>
    withStreams(Effect.fnUntraced(function*(streams, world) {
      world.startJob({ n: "1" })
      const [entry] = yield* streams.read(10)
      yield* streams.rewind
      assert.deepStrictEqual((yield* streams.read(10)).map(({ entryId }) => entryId), [entry!.entryId])
      const other = makeFakeStreams(world, "other")
      assert.deepStrictEqual(yield* other.reclaim(1000, 10), [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* other.reclaim(1000, 10)).map(({ deliveries }) => deliveries), [3])
      yield* other.acknowledge([entry!])
      assert.deepStrictEqual(world.pending(jobStreams.start), [])
    })))

  it.effect("tell of a trimmed entry once, and begin anew after a wipe", () =>
    withStreams(Effect.fnUntraced(function*(streams, world) {
      world.startJob({ n: "1" })
      yield* streams.read(10)
      world.trim(jobStreams.start, 0)
      assert.deepStrictEqual((yield* streams.reclaim(0, 10)).map(({ fields }) => fields), [null])
      assert.deepStrictEqual(yield* streams.reclaim(0, 10), [])
      world.wipe()
      world.startJob({ n: "2" })
      assert.deepStrictEqual((yield* streams.read(10)).map(({ fields }) => fields), [{ n: "2" }])
    })))
})

describe("faults", () => {
  it.effect("lose the answer of a call that was carried out", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const faulty = faultyEngine(makeLife(faultAt(0, () => true, { _tag: "Lost", beforeMs: 0, afterMs: 0, reason: "Unavailable" })), engine)
      assert.strictEqual(yield* reasonOf(faulty.create(templateOf())), "Unavailable")
      assert.lengthOf(world.containers, 1)
    })))

  it.effect("carry a call out after the caller gave up", () =>
    withEngine(Effect.fnUntraced(function*(engine, world) {
      const faulty = faultyEngine(makeLife(faultAt(0, () => true, { _tag: "Late", afterMs: 0, lateMs: 900, reason: "Timeout" })), engine)
      assert.strictEqual(yield* reasonOf(faulty.create(templateOf())), "Timeout")
      yield* TestClock.adjust(899)
      assert.lengthOf(world.containers, 0)
      yield* TestClock.adjust(1)
      assert.lengthOf(world.containers, 1)
    })))

  it.effect("let nothing of a dead controller reach the world, its finalizers included", () =>
    withStore(Effect.fnUntraced(function*(_reader, writer, world) {
      const life = makeLife(() => undefined)
      const faulty = faultyWriter(life, writer)
      const run = yield* Effect.forkChild(Effect.ensuring(Effect.never, Effect.exit(faulty.commit(commitOf({ record: recordOf() })))), { startImmediately: true })
      kill(life)
      yield* Fiber.interrupt(run)
      assert.strictEqual(world.records.size, 0)
    })))
})
