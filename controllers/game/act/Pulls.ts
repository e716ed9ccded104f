/**
 * Image pulls, in the background, so that no worker waits for a registry. A game asks for the image of its present attempt and
 * is looked at again when the pull ended; what is known of a pull lives in memory only, and asking again is safe.
 */
import { Cause, Context, Effect, Option, Schedule } from "effect"
import { type Background, type TaskState, tasksOf } from "../../../src/controller/Background.ts"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { PullState, Target } from "../../../src/domain/Observation.ts"
import { type ContainerEngine, type EngineError, isTransient } from "../../../src/engine/ContainerEngine.ts"

export class Pulls extends Context.Service<Pulls, {
  /** What is known of the pull `id`. Any other pull of the game is given up and forgotten: nobody wants it any more. */
  readonly stateOf: (gameId: GameId, id: string | undefined) => Effect.Effect<PullState>
  /**
   * Begins the pull unless it was begun before. `isOnHost`: the image is there, and nothing is asked of a registry. `again`: what
   * the pull brought is gone from the host.
   */
  readonly fetch: (gameId: GameId, id: string, target: Target, how: { readonly isOnHost: boolean; readonly again?: boolean }) => Effect.Effect<void>
}>()("rtmanager/game/Pulls") {}

const name = "pull"
/** What a pull ends with: see `PullState`. */
interface Brought {
  readonly imageId: string | null
  readonly again: boolean
}

const none: PullState = { _tag: "None" }

/** An engine that went away says nothing of the image: it is asked again, but not in a tight loop. */
const schedule = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])

export const makePulls = (engine: ContainerEngine["Service"], background: Background["Service"]): Pulls["Service"] => {
  const pulls = tasksOf<Brought, EngineError>(background, name)
  return {
    stateOf: (gameId, id) =>
      Effect.map(background.release(gameId, (task, known) => task !== name || known === id), () =>
        id === undefined ? none : stateOf(id, pulls.state(gameId, id))),
    fetch: (gameId, id, { imageRef, spec }, { again = false, isOnHost }) => {
      const work = isOnHost ? Effect.succeed(null) : Effect.retry(engine.pull(imageRef, spec.registry_auth), { while: isTransient, schedule })
      const begin = pulls.ensure(gameId, id, Effect.map(work, (imageId) => ({ imageId, again })))
      return again ? Effect.andThen(background.release(gameId, (task) => task !== name), begin) : begin
    }
  }
}

const stateOf = (id: string, state: TaskState<Brought, EngineError>): PullState => {
  switch (state._tag) {
    case "None":
      return none
    case "Running":
      return { _tag: "Pulling" }
    case "Succeeded":
      return { _tag: "Pulled", ...state.value }
    case "Failed":
      return { _tag: "Failed", failure: failureOf(id, state.cause) }
  }
}

/** Whatever ended a pull, a bug in here too, its game must not wait for ever. */
const failureOf = (id: string, cause: Cause.Cause<EngineError>): Failure => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return {
    code: "image_pull_failed",
    reason: error?.reason ?? "Internal",
    message: error?.message ?? `pull of ${id.split(" ", 1)[0]} ended unexpectedly: ${String((Cause.squash(cause) as Error).message)}`
  }
}
