/** All that runs while this controller holds the lease: the game controller, the job consumer, the outbox relay. */
import { Effect, type Scope } from "effect"
import { spawn } from "../../src/controller/supervise.ts"
import type { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import type { GameReader } from "../../src/store/GameReader.ts"
import type { GameWriter } from "../../src/store/GameWriter.ts"
import { consumeJobs } from "../../src/streams/JobConsumer.ts"
import { Outgoing, type OutgoingState, relayOutbox } from "../../src/streams/OutboxRelay.ts"
import { type JobStreamState, Streams } from "../../src/streams/Streams.ts"
import { type GameController, type GameControllerOptions, runGameController } from "./controller.ts"

/** The acting controller, and how its jobs and messages flow. */
export interface Acting extends GameController {
  readonly jobs: Effect.Effect<ReadonlyArray<JobStreamState>>
  readonly messages: Effect.Effect<OutgoingState>
}

export interface ActingOptions extends GameControllerOptions {
  /** A job that was sent longer ago is not carried out. Default: any is. */
  readonly jobMaxAgeMs?: number
}

/** Starts it in the scope of the term. */
export const startActing = Effect.fnUntraced(function*(options: ActingOptions): Effect.fn.Return<
  Acting,
  never,
  GameReader | GameWriter | ContainerEngine | Streams | Scope.Scope
> {
  const controller = yield* runGameController(options)
  yield* spawn("job consumer", consumeJobs({
    enqueue: controller.wish,
    maxAgeMs: options.jobMaxAgeMs ?? Infinity,
    ...(options.admission === undefined ? {} : { admission: options.admission })
  }))
  const outgoing = new Outgoing()
  yield* spawn("outbox relay", relayOutbox(outgoing))
  return { ...controller, jobs: (yield* Streams).state, messages: Effect.sync(() => outgoing.state) }
})
