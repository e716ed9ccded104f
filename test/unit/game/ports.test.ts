/** Ports of the host from the decision to the engine: claimed before, exchanged where they are taken, given back after. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { apply } from "../../../controllers/game/act/apply.ts"
import { mostExchanged } from "../../../controllers/game/act/ports.ts"
import { Pulls } from "../../../controllers/game/act/Pulls.ts"
import { decide } from "../../../controllers/game/decide/decide.ts"
import type { Action } from "../../../controllers/game/decide/step.ts"
import { assess } from "../../../controllers/game/observe/assess.ts"
import type { Outcome } from "../../../controllers/game/record/outcome.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { FoundContainer, Observation } from "../../../src/domain/Observation.ts"
import type { PortSpec } from "../../../src/domain/portSpec.ts"
import type { HostPort, PublishedPort } from "../../../src/domain/ports.ts"
import { ContainerEngine, type EngineError } from "../../../src/engine/ContainerEngine.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"
import type { StoreError } from "../../../src/store/StoreError.ts"
import { FakeEngine, layer } from "../../support/fakes/FakeEngine.ts"
import { standingTerm } from "../../support/fakes/FakeLease.ts"
import { FakeStore, makeFakeWriter } from "../../support/fakes/FakeStore.ts"
import { bare, changed, exited, facts, failed, type Given, image, live, never, noImage, observation, removed, row, running, startJob, stopped, stopWanted } from "../../support/observations.ts"

const port = (host: number, change: Partial<PublishedPort> = {}): PublishedPort => ({ container: 8080, protocol: "tcp", address: "0.0.0.0", host, ...change })
const process = (host: number): HostPort => ({ protocol: "tcp", address: "0.0.0.0", host })
const ports = { range: { from: 20_000, to: 20_019 }, address: "0.0.0.0" }

const writer = Layer.effect(GameWriter, Effect.map(FakeStore, (world) => makeFakeWriter(world, standingTerm(world).epoch))).pipe(Layer.provideMerge(FakeStore.layer))
const world = Layer.succeed(Pulls, { stateOf: () => Effect.succeed({ _tag: "None" }), fetch: () => Effect.void }).pipe(
  Layer.provideMerge(layer()), Layer.provideMerge(writer)
)
const act = (name: string, body: Effect.Effect<void, EngineError | StoreError, Layer.Success<typeof world> | Scope.Scope>) =>
  it.effect(name, () => Effect.scoped(Effect.provide(body, world)))

/** A game whose row asks for ports; `given` as seen. */
const scene = Effect.fnUntraced(function*(asked: ReadonlyArray<PortSpec>, given: Given = { record: null, containers: [] }) {
  const engine = yield* FakeEngine
  const store = yield* FakeStore
  engine.image(image)
  const seenWith = (more: Given) => assess(facts({ desired: row({ spec: { ports: asked } }), engineId: engine.engineId, ...given, ...more }))
  const carryOut = (action: (seen: Observation) => Action, more: Given = {}): Effect.Effect<Outcome, EngineError | StoreError, ContainerEngine | GameWriter | Pulls | Scope.Scope> =>
    Effect.gen(function*() {
      const seen = seenWith(more)
      const acting = yield* Effect.forkScoped(apply(seen, action(seen), { ports }))
      yield* TestClock.adjust("5 seconds")
      return yield* Fiber.join(acting)
    })
  const held = (gameId = "g1") => store.portsOf(gameId).map((one) => one.port)
  return { carryOut, engine, held, store }
})
const create = ({ target }: Observation): Action => ({ _tag: "Create", target: target! })
const start = ({ main }: Observation): Action => ({ _tag: "Start", container: main! })
const failureOf = (outcome: Outcome) => outcome._tag === "StartFailed" ? `${outcome.failure.code}: ${outcome.failure.message}` : outcome._tag

describe("a container with ports", () => {
  act("gets those that were claimed for it, and none is made where they are not to be had", Effect.gen(function*() {
    const { carryOut, engine, held } = yield* scene([{ container: 8080, count: 2 }, { container: 9000, host: 7777 }])
    assert.strictEqual((yield* carryOut(create))._tag, "Started")
    assert.deepStrictEqual([held(), engine.of("g1")[0]?.ports.map(({ host }) => host)], [[7777, 20_000, 20_001], [20_000, 20_001, 7777]])
    const other = yield* scene([{ container: 8080, host: 7777 }])
    const outcome = yield* other.carryOut(create, { gameId: "g2" as never })
    assert.strictEqual(failureOf(outcome), "no_port_free: port 7777 (tcp) of the host is held by game g1")
    assert.lengthOf(engine.containers, 1)
  }))

  act("is made anew with others where the engine finds some taken, within one attempt", Effect.gen(function*() {
    const { carryOut, engine, held, store } = yield* scene([{ container: 8080, count: 2 }])
    engine.processes.push(process(20_001))
    engine.run({ name: "web", image, ports: [port(20_003)] })
    assert.strictEqual((yield* carryOut(create))._tag, "Started")
    assert.deepStrictEqual([held(), engine.of("g1").map(({ ports }) => ports.map(({ host }) => host))], [[20_004, 20_005], [[20_004, 20_005]]])
    const holders = [...store.ports.values()].filter(({ holder }) => holder !== null).map(({ holder, port }) => `${port} ${holder?.split(" (")[0]}`)
    assert.deepStrictEqual(holders, ["20001 a process of the host", "20003 container web"])
  }))

  act("is not looked a place for without end", Effect.gen(function*() {
    const { carryOut, engine } = yield* scene([{ container: 8080 }])
    for (let host = 20_000; host < 20_015; host++) engine.processes.push(process(host))
    assert.match(failureOf(yield* carryOut(create)), /^no_port_free: port 20008 .* held by a process of the host, and so were/)
    assert.deepStrictEqual([engine.count("create"), engine.containers], [mostExchanged + 1, []])
  }))

  act("fails with the name of whoever has a port that it names, and leaves nothing behind", Effect.gen(function*() {
    const { carryOut, engine, held } = yield* scene([{ container: 8080, host: 7777 }])
    engine.processes.push(process(7777))
    assert.strictEqual(failureOf(yield* carryOut(create)), "no_port_free: port 7777 (tcp) of the host is held by a process of the host")
    assert.deepStrictEqual([engine.containers, held()], [[], []])
  }))

  act("keeps its ports when it is started again, and gives way to another where they are taken and others may do", Effect.gen(function*() {
    const { carryOut, engine, held } = yield* scene([{ container: 8080 }])
    yield* carryOut(create)
    const { id, ports } = engine.of("g1")[0]!
    engine.exit(id, 1)
    const again: Given = { record: stopped(1, { currentContainerId: id }), containers: [exited(1, { id, ports })], claims: [process(20_000)] }
    assert.strictEqual((yield* carryOut(start, again))._tag, "Started")
    engine.exit(id, 1)
    engine.processes.push(process(20_000))
    assert.strictEqual((yield* carryOut(start, again))._tag, "Removed")
    assert.deepStrictEqual([engine.of("g1"), held()], [[], []])
  }))

  act("stays where its own named port is taken, and the attempt fails", Effect.gen(function*() {
    const { carryOut, engine } = yield* scene([{ container: 8080, host: 7777 }])
    yield* carryOut(create)
    const { id, ports } = engine.of("g1")[0]!
    engine.exit(id, 1)
    engine.processes.push(process(7777))
    const again: Given = { record: stopped(1, { currentContainerId: id }), containers: [exited(1, { id, ports })], claims: [process(7777)] }
    assert.strictEqual(failureOf(yield* carryOut(start, again)), "no_port_free: port 7777 (tcp) of the host is held by a process of the host")
    assert.lengthOf(engine.of("g1"), 1)
  }))

  act("that somebody made by hand is never removed for its ports", Effect.gen(function*() {
    const { carryOut, engine } = yield* scene([{ container: 8080 }])
    const made = engine.run(engine.byHand("g1", image, { ports: [port(20_000)] }))
    engine.exit(made.id, 1)
    engine.processes.push(process(20_000))
    const given: Given = { record: stopped(1, { currentContainerId: made.id }), containers: [exited(1, { id: made.id, ports: made.ports, specHash: null, generation: null })] }
    assert.match(failureOf(yield* carryOut(start, given)), /^no_port_free/)
    assert.isDefined(engine.get(made.id))
  }))

  act("is taken down for another only when the ports of that one are the game's, and those it has are kept meanwhile", Effect.gen(function*() {
    const fetch = ({ target }: Observation): Action => ({ _tag: "FetchImage", target: target! })
    const { carryOut, held, store } = yield* scene([{ container: 8080, host: 7777 }])
    yield* carryOut(create)
    const now: Given = { desired: changed({ imageRef: image, spec: { ports: [{ container: 8080, host: 7778 }] } }), record: running(), containers: [live({ ports: [port(7777)] })], claims: [process(7777)] }
    assert.strictEqual((yield* carryOut(fetch, now))._tag, "Fetching")
    assert.deepStrictEqual(held(), [7777, 7778])
    store.claimPorts(store.lease.epoch, { game_id: "g2" as GameId, engine_id: (yield* FakeEngine).engineId, wants: [{ container: 1, protocol: "tcp", address: "0.0.0.0", host: 7779, count: 1 }], keep: false, taken: [] })
    const refused = { ...now, desired: changed({ imageRef: image, spec: { ports: [{ container: 8080, host: 7779 }] } }) }
    assert.strictEqual(failureOf(yield* carryOut(fetch, refused)), "no_port_free: port 7779 (tcp) of the host is held by game g2")
    assert.deepStrictEqual(held(), [7777, 7778])
  }))
})

describe("ports that the ledger keeps for a game", () => {
  const own = process(7777)
  const freed = (given: Given): ReadonlyArray<number> | undefined => {
    const { reason, step } = decide(observation({ claims: [own], ...given }))
    return reason === "PortsIdle" && step._tag === "Record" ? step.commit.freed?.ports.map(({ host }) => host) : undefined
  }
  const with7777 = (change: Partial<FoundContainer> = {}) => live({ ports: [port(7777)], ...change })

  it.each<readonly [string, Given]>([
    ["its container runs with them", { containers: [with7777()] }],
    ["its container ended and is kept", { desired: never(), record: stopped(0), containers: [exited(0, { ports: [port(7777)] })] }],
    ["it is stopped, and its container is kept", { desired: stopWanted(), record: stopped(0, { observedGeneration: 2 }), containers: [exited(0, { ports: [port(7777)] })] }],
    ["it is to start", { record: null, containers: [] }],
    ["its start failed and is tried again", { record: failed(noImage, { nextRestartAtMs: 1 }), containers: [] }],
    ["a job wants it to start", { desired: never(), record: stopped(0, { currentContainerId: null }), containers: [], jobs: [startJob()] }],
    ["it runs, and is to be exchanged for a container with them", { desired: changed(), containers: [live()] }],
    ["its container does not answer", { containers: [live({ state: "unresponsive" })], record: running({ conditions: [] }) }],
    ["its container is on another engine", { engineId: "e2", containers: [] }]
  ])("stay its own while %s", (_when, given) => {
    assert.isUndefined(freed(given))
  })

  it.each<readonly [string, Given, ReadonlyArray<number>]>([
    ["it was stopped and nothing of it is left", { desired: stopWanted(), record: bare({ observedGeneration: 2 }), containers: [] }, [7777]],
    ["it was removed", { desired: row({ state: "removed" }), record: removed(), containers: [] }, [7777]],
    ["it is over, and its container was pruned", { desired: never(), record: bare({ exitCode: 0 }), containers: [] }, [7777]],
    ["nobody knows of it any more", { desired: null, record: null, containers: [] }, [7777]],
    ["it runs as it is to, without that one", { containers: [with7777()], claims: [own, process(7778)] }, [7778]],
    ["its first start failed for good", { desired: never(), record: failed(noImage), containers: [] }, [7777]]
  ])("are given back when %s", (_when, given, expected) => {
    assert.deepStrictEqual(freed(given), expected)
  })
})
