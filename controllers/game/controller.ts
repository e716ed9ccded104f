/**
 * The game controller: its sources, its queue, its workers. Every source ends in `queue.add(game_id)` and carries nothing
 * else; losing any of them costs time until the next resync, never correctness.
 */
import { Effect, Queue, Ref, type Scope, Stream } from "effect"
import { makeBackground } from "../../src/controller/Background.ts"
import { runController } from "../../src/controller/Controller.ts"
import { monotonicMs } from "../../src/clock/monotonic.ts"
import { spawn } from "../../src/controller/supervise.ts"
import { type AddOptions, makeWorkQueue, Priority, type WorkQueue } from "../../src/controller/WorkQueue.ts"
import type { Admission } from "../../src/domain/Admission.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { PullPolicy } from "../../src/domain/GameSpec.ts"
import type { JobKind } from "../../src/domain/Job.ts"
import type { PortSettings } from "../../src/domain/ports.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import { ContainerEngine, type ContainerSummary, type EngineError } from "../../src/engine/ContainerEngine.ts"
import { GameReader } from "../../src/store/GameReader.ts"
import type { GameWriter } from "../../src/store/GameWriter.ts"
import { Exchanges, makeExchanges } from "./act/Exchanges.ts"
import { makePulls, Pulls } from "./act/Pulls.ts"
import { ClockSteps, makeClockSteps } from "./observe/ClockSteps.ts"
import { makeRefusals, Refusals } from "./act/Refusals.ts"
import { type Reconciliation, reconcile } from "./reconcile.ts"
import { makeNoteAnothers, recheckFirst, resync, type ResyncOptions } from "./resync.ts"

export interface GameControllerOptions {
  /** This installation: what another one made is reported and left alone. */
  readonly instance: string
  /** Starts at once, and as many looks beside them. */
  readonly workers: number
  /** Games exchanged at once. Default: `workers`. */
  readonly maxExchanges?: number
  readonly resyncMs: number
  readonly pullPolicy: PullPolicy
  /** What rows and jobs may ask for. Default: all that the Schema lets be, but steering labels. */
  readonly admission?: Admission
  /** Where ports of the host come from. Default: only those that a spec names. */
  readonly ports?: PortSettings
  readonly timing: Timing
  readonly drainMs?: number
  /** Told of each full list. */
  readonly onList?: (containers: ReadonlyArray<ContainerSummary>) => Effect.Effect<void>
  /** Of the process: a step of the clock also ends a term. Default: of this controller. */
  readonly clockSteps?: ClockSteps["Service"]
}

export interface GameController {
  readonly queue: WorkQueue<GameId>
  /** Looks at a game because a job asks for something. */
  readonly wish: (gameId: GameId, kind: JobKind) => Effect.Effect<void>
  /** Asks for a resync now; several askings at once make one. */
  readonly resync: Effect.Effect<void>
  /** When the last resync ended well, by the monotonic clock; 0 before the first. */
  readonly lastResyncMs: Effect.Effect<number>
  /** What the engine refuses for one game after the other; undefined: nothing. */
  readonly refusal: () => string | undefined
}

/** With the queue's own delays between them, some five seconds. */
const refusedAfter = 11

/** Starts all of it in the scope. */
export const runGameController = Effect.fnUntraced(function*(options: GameControllerOptions): Effect.fn.Return<
  GameController,
  never,
  GameReader | GameWriter | ContainerEngine | Scope.Scope
> {
  const queue = yield* makeWorkQueue<GameId>({ name: "game" })
  const engine = yield* ContainerEngine
  const add = (gameId: GameId, how: AddOptions) => queue.add(gameId, how)
  const exchanges = makeExchanges(options.maxExchanges ?? options.workers, (gameId) => add(gameId, { priority: Priority.Begun, trigger: "exchange turn" }))
  const refusals = makeRefusals()
  const background = yield* makeBackground({
    // Its keys are the games' ids.
    wake: (gameId) => add(gameId as GameId, { priority: Priority.Begun, trigger: "image pull" })
  })
  const clockSteps = options.clockSteps ?? makeClockSteps()
  const known = yield* makeKnownEngine(engine)
  yield* runController({
    name: "game",
    keyName: "game_id",
    workers: options.workers,
    queue,
    reconcile: (gameId, run) =>
      reconcile(gameId, run, { ...options, refusedAfter, engineId: known.id }).pipe(
        Effect.tap(logReconciliation),
        Effect.map(({ next }) => next),
        Effect.provideService(Exchanges, exchanges),
        Effect.provideService(ClockSteps, clockSteps),
        Effect.provideService(Refusals, refusals),
        Effect.provideService(Pulls, makePulls(engine, background))
      ),
    isQuiet: ({ reason }) => reason === "Conflict" || reason === "NotLeader" || reason === "Fenced",
    ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs })
  })
  const resyncs = yield* runResyncs(options, queue, exchanges, known)
  yield* runSources(queue, known, resyncs.ask)
  return {
    queue,
    resync: resyncs.ask,
    lastResyncMs: resyncs.lastMs,
    refusal: refusals.common,
    wish: (gameId, kind) => add(gameId, wishOf(kind === "stop", "job"))
  }
})

const logReconciliation = ({ next, outcome, reason, rule, step, tookMs }: Reconciliation) =>
  Effect.logDebug("reconciled", { rule, reason, step: step._tag, outcome: outcome?._tag, took_ms: Math.round(tookMs * 10) / 10, next: next._tag })

/** What is to end goes ahead of what is to begin. */
const wishOf = (ends: boolean, trigger: string): AddOptions =>
  ({ priority: ends ? Priority.Event : Priority.Wish, trigger })

/** The id of the engine that answers, asked for once until it may be another one. */
interface KnownEngine {
  readonly id: Effect.Effect<string, EngineError>
  readonly forget: Effect.Effect<void>
}

const makeKnownEngine = (engine: ContainerEngine["Service"]): Effect.Effect<KnownEngine> =>
  Effect.map(Ref.make<string | undefined>(undefined), (known) => ({
    id: Effect.flatMap(Ref.get(known), (id) => id === undefined
      ? Effect.tap(Effect.map(engine.identity, (identity) => identity.id), (fresh) => Ref.set(known, fresh))
      : Effect.succeed(id)),
    forget: Ref.set(known, undefined)
  }))

const runSources = Effect.fnUntraced(function*(queue: WorkQueue<GameId>, known: KnownEngine, askResync: Effect.Effect<void>) {
  const engine = yield* ContainerEngine
  const reader = yield* GameReader
  const onEngineEvent = engine.events.pipe(Stream.runForEach((event) =>
    event._tag === "Opened"
      // It may be another engine by now.
      ? Effect.andThen(known.forget, askResync)
      : queue.add(event.gameId, { priority: Priority.Event, trigger: `engine ${event.action}` })
  ))
  const onRowChange = reader.changes.pipe(Stream.runForEach((change) =>
    change._tag === "Opened" ? askResync : queue.add(change.gameId, wishOf(change.state === "stopped" || change.state === "removed", "row"))
  ))
  yield* spawn("engine events", onEngineEvent)
  yield* spawn("row changes", onRowChange)
})

const runResyncs = Effect.fnUntraced(function*(
  options: GameControllerOptions,
  queue: WorkQueue<GameId>,
  exchanges: Exchanges["Service"],
  known: KnownEngine
) {
  const wanted = yield* Queue.sliding<void>(1)
  const lastMs = yield* Ref.make(0)
  const recheckFrom = yield* Ref.make(recheckFirst)
  const anothers = makeNoteAnothers(options.instance)
  const noteList: ResyncOptions["noteList"] = (containers) => Effect.andThen(anothers(containers), options.onList?.(containers) ?? Effect.void)
  const ask = Effect.asVoid(Queue.offer(wanted, undefined))
  const enqueue = (gameId: GameId, inMs: number) =>
    queue.addAfter(gameId, inMs, inMs === 0 ? { priority: Priority.Resync, trigger: "resync" } : { priority: Priority.Event, trigger: "timer" })
  const resyncing = Effect.gen(function*() {
    for (;;) {
      yield* Effect.timeoutOption(Queue.take(wanted), options.resyncMs)
      // Another engine may answer by now, and while its events are away nobody says so.
      yield* known.forget
      // One that failed is still wanted.
      yield* Effect.tapCause(resync({ ...options, exchanges, engineId: known.id, enqueue, noteList, recheckFrom }), () => ask)
      yield* Ref.set(lastMs, yield* monotonicMs)
    }
  })
  yield* ask
  yield* spawn("resync", resyncing)
  return { ask, lastMs: Ref.get(lastMs) }
})
