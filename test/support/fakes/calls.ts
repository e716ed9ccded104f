/** How a call reaches the fake engine: in time, recorded, refused by one that is down, kept by one that is silent. */
import { Effect } from "effect"
import { EngineError } from "../../../src/engine/ContainerEngine.ts"
import { type FakeContainer, labelNames, refusal } from "./container.ts"
import type { EngineWorld } from "./EngineWorld.ts"

const fullId = /^[0-9a-f]{64}$/

export const makeCalls = (world: EngineWorld) => {
  /** A proxy in front of the engine may let no change through. */
  const permitted = <A>(mutates: boolean, verb: string, body: () => A) => (): A => {
    if (mutates && world.quirks.refusesChanges) throw refusal(verb, "Internal", "only reads are permitted", 403)
    return body()
  }
  /** A call that names no container, or none that is there. */
  const ask = <A>(verb: string, deadlineMs: number, gameId: string | null, body: () => A, mutates = false) =>
    inTime(world, verb, deadlineMs, world.answers.reach<A, EngineError>(
      () => recorded(world, verb, gameId, null, permitted(mutates, verb, body)), () => away(verb), mutates))
  /** A call on one container, which may be stuck. */
  const askOf = <A>(verb: string, deadlineMs: number, id: string, body: () => A, mutates = true) => {
    const gone = () => refusal(verb, "NotFound", `No such container: ${id}`, 404)
    const done = () => recorded(world, verb, world.get(id)?.labels[labelNames.gameId] ?? null, id, permitted(mutates, verb, body))
    return inTime(world, verb, deadlineMs, Effect.flatMap(
      world.answers.reach<FakeContainer | undefined, EngineError>(() => world.get(id), () => away(verb), mutates),
      (container) => container === undefined ? world.answers.reach<A, EngineError>(done, gone, mutates) : container.answers.reach<A, EngineError>(done, gone, mutates)
    ), world.get(id))
  }
  const of = <A>(verb: string, deadlineMs: number, id: string, body: () => A, mutates = true) =>
    fullId.test(id)
      ? askOf(verb, deadlineMs, id, body, mutates)
      : Effect.fail(refusal(verb, "Invalid", `${JSON.stringify(id)} is not a full container id`, 400))
  return { ask, askOf: of }
}

const away = (operation: string): EngineError =>
  new EngineError({ operation, reason: "Unavailable", message: "connect ECONNREFUSED /var/run/docker.sock" })

/** No deadline where the answer comes at once: most calls need no timer. */
const inTime = <A>(
  world: EngineWorld,
  operation: string,
  deadlineMs: number,
  call: Effect.Effect<A, EngineError>,
  container?: FakeContainer
): Effect.Effect<A, EngineError> =>
  Effect.suspend(() =>
    world.answers.state !== "silent" && (container?.answers.state ?? "up") !== "silent"
      ? call
      : Effect.timeoutOrElse(call, {
        duration: deadlineMs,
        orElse: () => Effect.fail(new EngineError({
          operation, reason: "Timeout", message: `the engine did not answer ${operation} within ${deadlineMs} ms`
        }))
      })
  )

const recorded = <A>(world: EngineWorld, verb: string, gameId: string | null, id: string | null, body: () => A): A => {
  try {
    const answer = body()
    world.record(verb, gameId, id ?? (verb === "create" ? String(answer) : null), "ok")
    return answer
  } catch (thrown) {
    world.record(verb, gameId, id, thrown instanceof EngineError ? thrown.reason : "defect")
    throw thrown
  }
}
