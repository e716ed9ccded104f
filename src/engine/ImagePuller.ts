/**
 * Pulls in the background, so that no worker waits for a registry. A game asks once for the image of its generation and
 * is looked at again when the pull ended; what is known of a pull lives in memory only, and asking again is safe.
 */
import { Cause, Context, Effect, Exit, FiberMap, Layer, Option, Schedule, type Scope } from "effect"
import type { Failure } from "../domain/ErrorCode.ts"
import type { GameId } from "../domain/GameId.ts"
import type { PullState } from "../domain/Observation.ts"
import { ContainerEngine, type EngineError, isTransient } from "./ContainerEngine.ts"

interface Ticket {
  readonly imageRef: string
  readonly generation: number
  state: PullState
}

export class ImagePuller extends Context.Service<ImagePuller, {
  /** What is known of the pull that this game asked for; `None` when it asked for another image or generation. */
  readonly state: (gameId: GameId, imageRef: string, generation: number) => PullState
  /** Begins the pull unless it is under way; `done` is run when it ended, whichever way. */
  readonly request: (gameId: GameId, imageRef: string, generation: number, done: Effect.Effect<void>) => Effect.Effect<void>
  /** Forgets what this game asked for; a pull that nobody else waits for ends. */
  readonly release: (gameId: GameId) => Effect.Effect<void>
}>()("rtmanager/engine/ImagePuller") {
  static readonly layer: Layer.Layer<ImagePuller, never, ContainerEngine> = Layer.effect(
    ImagePuller,
    Effect.suspend(() => make)
  )
}

const none: PullState = { _tag: "None" }

/** An engine that went away says nothing of the image: it is asked again, but not in a tight loop. */
const again = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

const make: Effect.Effect<ImagePuller["Service"], never, ContainerEngine | Scope.Scope> = Effect.gen(function*() {
  const engine = yield* ContainerEngine
  const tickets = new Map<GameId, Ticket>()
  const fibers = yield* FiberMap.make<GameId>()

  const current = (gameId: GameId, imageRef: string, generation: number): Ticket | undefined => {
    const ticket = tickets.get(gameId)
    return ticket?.imageRef === imageRef && ticket.generation === generation ? ticket : undefined
  }
  const pull = (ticket: Ticket, done: Effect.Effect<void>) =>
    engine.pull(ticket.imageRef).pipe(
      Effect.retry({ while: isTransient, schedule: again }),
      Effect.exit,
      Effect.tap((exit) => Effect.sync(() => {
        ticket.state = stateOf(ticket.imageRef, exit)
      })),
      Effect.andThen(done)
    )
  return {
    state: (gameId, imageRef, generation) => current(gameId, imageRef, generation)?.state ?? none,
    request: Effect.fnUntraced(function*(gameId, imageRef, generation, done) {
      if (current(gameId, imageRef, generation)?.state._tag === "Pulling") return
      const ticket: Ticket = { imageRef, generation, state: { _tag: "Pulling" } }
      tickets.set(gameId, ticket)
      yield* FiberMap.run(fibers, gameId, pull(ticket, done))
    }),
    release: (gameId) =>
      Effect.suspend(() => tickets.delete(gameId) ? FiberMap.remove(fibers, gameId) : Effect.void)
  }
})

/** Whatever ended a pull, a bug in here too, its game must not wait for ever. */
const stateOf = (imageRef: string, exit: Exit.Exit<void, EngineError>): PullState => {
  if (Exit.isSuccess(exit)) return { _tag: "Pulled" }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  const failure: Failure = {
    code: "image_pull_failed",
    reason: error?.reason ?? "Internal",
    message: error?.message ?? `pull of ${imageRef} ended unexpectedly: ${String((Cause.squash(exit.cause) as Error).message)}`
  }
  return { _tag: "Failed", failure }
}
