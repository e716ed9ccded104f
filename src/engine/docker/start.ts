/**
 * A container started, and looked at when its program had its chance to fail. Games run under the engine's init process,
 * so the engine takes a start whose program does not exist: the container runs, and ends with 127 moments later.
 */
import { Effect } from "effect"
import { EngineError } from "../ContainerEngine.ts"
import { executionError } from "./answers.ts"
import { detailOf, inspected } from "./looks.ts"
import type { Network } from "./network.ts"
import { asPortTaken } from "./portTaken.ts"
import type { StartWatch } from "./StartWatch.ts"
import { change, type Verbs, wholeId, withReason } from "./verbs.ts"

/**
 * From the engine's answer to the look, unless the container dies before. By 100 ms the engine is at work on the end of a
 * program that does not exist, and lets no look pass before it is done: of 336 such starts, up to 32 at once on two cores,
 * a look at 100 ms saw the end of all but one; a look at 50 ms missed one in 20 under load. On a host with far more work
 * than it can do, two or three in a hundred are missed at 100 ms, and no fewer at 150.
 */
const defaultLookAfterMs = 100

const reasons = { 400: "StartFailed", 500: "StartFailed" } as const

export interface StartSettings {
  /** Port in a game's endpoint. */
  readonly enginePort: number
  /** From the engine's answer to the look at the program, unless the container dies before. Default: 100. */
  readonly lookAfterMs?: number
}

export const makeStart = (verbs: Verbs, network: Network, watch: StartWatch, { enginePort, lookAfterMs = defaultLookAfterMs }: StartSettings) =>
  Effect.fnUntraced(function*(id: string, onStarted: Effect.Effect<void> = Effect.void) {
    const isFresh = yield* watch.watching(yield* wholeId("start", id), (died) =>
      Effect.tap(send(verbs, network, watch, id), (isFresh) =>
        isFresh ? Effect.andThen(onStarted, Effect.raceFirst(died, Effect.sleep(lookAfterMs))) : Effect.void))
    const seen = yield* inspected(verbs, id)
    const found = seen === "gone" ? seen : detailOf(seen, watch, enginePort)
    if (seen === "gone" || found === "gone") return yield* goneMeanwhile(id)
    const problem = isFresh ? executionError(seen) : undefined
    if (problem === undefined) return found
    watch.failed(id, found.startedAtMs)
    return yield* new EngineError({ operation: "start", reason: "StartFailed", message: problem })
  })

/** Whether it was started; false: it was running already. */
const send = (verbs: Verbs, network: Network, watch: StartWatch, id: string): Effect.Effect<boolean, EngineError> =>
  Effect.suspend(() => {
    watch.expect(id)
    return change(verbs, "start", "change", reasons, (client, abortSignal) => client.getContainer(id).start({ abortSignal }))
  }).pipe(
    Effect.as(true),
    Effect.tapError(() => Effect.sync(() => watch.forget(id))),
    Effect.catchIf((error) => error.status === 304, () => Effect.succeed(false)),
    Effect.catch((error) => refused(verbs, network, id, error))
  )

/** The engine's 404 on start names the container or its network: only a look at the container tells which. */
const refused = Effect.fnUntraced(function*(verbs: Verbs, network: Network, id: string, error: EngineError) {
  if (error.reason === "StartFailed") return yield* asPortTaken(verbs, id, error)
  if (error.reason !== "NotFound" || (yield* inspected(verbs, id)) === "gone") return yield* error
  yield* network.forget
  return yield* withReason(error, "NetworkMissing")
})

const goneMeanwhile = (id: string): EngineError =>
  new EngineError({ operation: "start", reason: "NotFound", message: `container ${id} is gone right after its start` })
