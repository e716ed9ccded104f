/**
 * One process of the controller as `src/main.ts` composes it, over the fakes: leader, store, engine, streams, game
 * controller, job consumer, outbox relay. It can die at any call, be told to end, or lose its way to a service.
 */
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Scope, SubscriptionRef } from "effect"
import { startActing } from "../../controllers/game/acting.ts"
import { makeClockSteps } from "../../controllers/game/observe/ClockSteps.ts"
import { lead } from "../../src/controller/Leader.ts"
import type { LeaderState } from "../../src/controller/role.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import { notLeader } from "../../src/engine/Permission.ts"
import { CurrentTerm, Lease, type Term } from "../../src/store/Lease.ts"
import { GameReader } from "../../src/store/GameReader.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import { Streams } from "../../src/streams/Streams.ts"
import { makeFakeEngine, withPermission } from "../support/fakes/FakeEngine.ts"
import { makeFakeLease } from "../support/fakes/FakeLease.ts"
import { makeFakeReader, makeFakeWriter } from "../support/fakes/FakeStore.ts"
import { makeFakeStreams } from "../support/fakes/FakeStreams.ts"
import { type FaultPlan, faultyEngine, faultyLease, faultyReader, faultyStreams, faultyWriter, kill, type Life, makeLife } from "../support/fakes/faults.ts"
import type { EngineWorld } from "../support/fakes/EngineWorld.ts"
import type { StoreWorld } from "../support/fakes/StoreWorld.ts"
import type { StreamsWorld } from "../support/fakes/StreamsWorld.ts"
import type { SettableClock } from "../support/wallClock.ts"
import { makeWatch, type Watch } from "./watching.ts"

export interface Worlds extends SettableClock {
  readonly engine: EngineWorld
  readonly store: StoreWorld
  readonly streams: StreamsWorld
}

export const timing: Timing = {
  stopGraceMs: 3000,
  retentionMs: 60_000,
  backoff: { baseMs: 1000, maxMs: 20_000, stableMs: 30_000, jitter: 0 }
}
export const resyncMs = 10_000
export const leaseMs = 6000
export const simulatedInstance = "sim"
const leaseMarginMs = 500
const drainMs = 700
/** More than all games together may have, cooling ones and those in quarantine among them. */
export const ports = { range: { from: 20_000, to: 20_059 }, address: "0.0.0.0" } as const
/** Fewer than there are games: some must wait for their turn. */
export const maxExchanges = 2

export interface ControllerProcess {
  readonly name: string
  readonly life: Life
  /** Ends with the life, or with an orderly stop. */
  readonly ended: Effect.Effect<void>
  /** SIGTERM. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL. */
  readonly kill: Effect.Effect<void>
}

/** Starts a process in the scope; `violated` is told what it must never do, as soon as it does. */
export const startProcess = Effect.fnUntraced(function*(
  worlds: Worlds,
  name: string,
  plan: FaultPlan,
  violated: (problem: string) => void
): Effect.fn.Return<ControllerProcess, never, Scope.Scope> {
  const life = makeLife(plan)
  const state = yield* SubscriptionRef.make<LeaderState>({ role: "standby", epoch: 0 })
  const watch = makeWatch({ ...worlds, instance: simulatedInstance, maxExchanges, violated })
  const lease = Layer.succeed(Lease, faultyLease(life, makeFakeLease(worlds.store)))
  const main = lead({ holder: name, ttlMs: leaseMs, state, act: act(worlds, life, watch) }).pipe(
    Effect.provide(lease), Effect.provideService(Clock.Clock, worlds.clock), Effect.exit
  )
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Effect.sync(() => kill(life)))
  const running = yield* Effect.forkIn(main, scope)
  const gone = yield* Deferred.make<void>()
  const end = Effect.andThen(Scope.close(scope, Exit.void), Deferred.succeed(gone, undefined))
  // What a dead process leaves is swept up without anybody waiting for it: it reaches nothing any more.
  yield* Effect.forkScoped(Effect.andThen(Deferred.await(life.died), Effect.andThen(Deferred.succeed(gone, undefined), Effect.forkDetach(end))))
  return {
    name,
    life,
    ended: Deferred.await(gone),
    stop: Effect.andThen(Fiber.interrupt(running), Effect.andThen(end, Effect.sync(() => kill(life)))),
    kill: Effect.sync(() => kill(life))
  }
})

const act = ({ engine, store, streams }: Worlds, life: Life, watch: Watch, clockSteps = makeClockSteps()) => (term: Term) => {
  const permission = {
    lost: term.lost,
    guard: Effect.flatMap(term.remainingMs, (leftMs) => leftMs > leaseMarginMs ? Effect.void : Effect.fail(notLeader("change")))
  }
  const acting = Effect.gen(function*() {
    yield* startActing({ instance: simulatedInstance, workers: 4, maxExchanges, resyncMs, pullPolicy: "if_missing", ports, timing, drainMs, clockSteps })
    return yield* Effect.never
  })
  const services = Layer.effect(
    ContainerEngine,
    Effect.map(makeFakeEngine(engine, { instance: simulatedInstance }), (client) => withPermission(watch.engine(faultyEngine(life, client)), permission))
  ).pipe(
    Layer.provideMerge(Layer.succeed(GameReader, watch.reader(faultyReader(life, makeFakeReader(store))))),
    Layer.provideMerge(Layer.succeed(GameWriter, watch.writer(faultyWriter(life, makeFakeWriter(store, term.epoch, term.end))))),
    Layer.provideMerge(Layer.succeed(Streams, faultyStreams(life, makeFakeStreams(streams, "rtmanager")))),
    Layer.provide(Layer.succeed(CurrentTerm, term))
  )
  return Effect.scoped(acting).pipe(Effect.provide(services, { local: true }))
}
