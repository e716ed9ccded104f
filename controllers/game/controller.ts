/**
 * The game controller: its sources, its queue, its workers. Every source ends in `queue.add(game_id)` and carries nothing
 * else; losing any of them costs time until the next resync, never correctness.
 */
import { Effect, Queue, Ref, type Scope, Stream } from "effect"
import type { GameId } from "../../src/domain/GameId.ts"
import type { PullPolicy } from "../../src/domain/GameSpec.ts"
import { monotonicMs } from "../../src/controller/monotonic.ts"
import { runController } from "../../src/controller/Controller.ts"
import { spawn } from "../../src/controller/supervise.ts"
import { makeWorkQueue, Priority, type WorkQueue } from "../../src/controller/WorkQueue.ts"
import { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import { ImagePuller } from "../../src/engine/ImagePuller.ts"
import { Store } from "../../src/store/Store.ts"
import { sweep } from "../sweep/sweep.ts"
import { reconcile } from "./reconcile.ts"
import type { Settings } from "./view.ts"

export interface GameControllerOptions {
  readonly workers: number
  readonly resyncMs: number
  readonly pullPolicy: PullPolicy
  readonly settings: Settings
  readonly drainMs?: number
}

export interface GameController {
  readonly queue: WorkQueue<GameId>
  /** Looks at a game because a job or a person asked. */
  readonly wish: (gameId: GameId) => Effect.Effect<void>
  /** Asks for a resync now; several askings at once make one. */
  readonly resync: Effect.Effect<void>
  /** When the last resync ended well, by the monotonic clock; 0 before the first. */
  readonly lastResyncMs: Effect.Effect<number>
}

/** Starts all of it in the scope. */
export const runGameController = Effect.fnUntraced(function*(options: GameControllerOptions): Effect.fn.Return<
  GameController,
  never,
  Store | ContainerEngine | ImagePuller | Scope.Scope
> {
  const store = yield* Store
  const engine = yield* ContainerEngine
  const queue = yield* makeWorkQueue<GameId>({ name: "game" })
  const wanted = yield* Queue.sliding<void>(1)
  const lastResyncMs = yield* Ref.make(0)
  const known = yield* Ref.make<string | undefined>(undefined)
  const resync = Effect.asVoid(Queue.offer(wanted, undefined))
  const engineId = Effect.flatMap(Ref.get(known), (id) =>
    id === undefined ? Effect.tap(Effect.map(engine.identity, (identity) => identity.id), (fresh) => Ref.set(known, fresh)) : Effect.succeed(id))
  const add = (priority: Priority, trigger: string) => (gameId: GameId) => queue.add(gameId, { priority, trigger })

  yield* runController({
    name: "game",
    keyName: "game_id",
    workers: options.workers,
    queue,
    reconcile: (gameId) => reconcile(gameId, { ...options, engineId, lookAgain: add(Priority.Event, "image pull") }),
    isQuiet: ({ reason }) => reason === "Conflict" || reason === "NotLeader" || reason === "Fenced",
    ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs })
  })
  const onEngineEvent = engine.events.pipe(Stream.runForEach((event) =>
    event._tag === "Opened"
      // It may be another engine by now.
      ? Effect.andThen(Ref.set(known, undefined), resync)
      : queue.add(event.gameId, { priority: Priority.Event, trigger: `engine ${event.action}` })
  ))
  const onRowChange = store.changes.pipe(Stream.runForEach((change) =>
    change._tag === "Opened" ? resync : queue.add(change.gameId, { priority: Priority.Wish, trigger: "row" })
  ))
  const enqueue = (gameId: GameId, inMs: number) =>
    queue.addAfter(gameId, inMs, inMs === 0 ? { priority: Priority.Resync, trigger: "resync" } : { priority: Priority.Event, trigger: "timer" })
  const sweeping = Effect.gen(function*() {
    for (;;) {
      yield* Effect.timeoutOption(Queue.take(wanted), options.resyncMs)
      // Another engine may answer by now, and while its events are away nobody says so.
      yield* Ref.set(known, undefined)
      // One that failed is still wanted.
      yield* Effect.tapCause(sweep({ ...options, engineId, enqueue }), () => resync)
      yield* Ref.set(lastResyncMs, yield* monotonicMs)
    }
  })
  yield* spawn("engine events", onEngineEvent)
  yield* spawn("row changes", onRowChange)
  yield* resync
  yield* spawn("resync", sweeping)
  return { queue, resync, wish: add(Priority.Wish, "job"), lastResyncMs: Ref.get(lastResyncMs) }
})
