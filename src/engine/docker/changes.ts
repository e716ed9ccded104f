/** Containers changed. What is so already is success, as far as the engine's answer or a look tells. */
import { Effect } from "effect"
import type { EngineError } from "../ContainerEngine.ts"
import type { Inspected } from "./answers.ts"
import { inspected } from "./looks.ts"
import { change, type Verbs, wholeId, withReason } from "./verbs.ts"

type Done = Effect.Effect<void, EngineError>

const alive: ReadonlySet<string> = new Set(["running", "paused", "restarting"])

/** A conflict is none when the container is gone or a look says that there is nothing to do. */
const unlessDone = (verbs: Verbs, id: string, isDone: (seen: Inspected) => boolean) => (call: Effect.Effect<unknown, EngineError>): Done =>
  call.pipe(
    Effect.asVoid,
    Effect.catchIf((error) => error.reason === "Conflict", (error) => Effect.flatMap(inspected(verbs, id), (seen) =>
      seen === "gone" || isDone(seen) ? Effect.void : Effect.fail(error)))
  )

const unlessGone = (call: Effect.Effect<unknown, EngineError>): Done =>
  call.pipe(Effect.asVoid, Effect.catchIf((error) => error.reason === "NotFound", () => Effect.void))

const kill = (verbs: Verbs, id: string, signal: string): Done =>
  change(verbs, "kill", "kill", {}, (client, abortSignal) => client.getContainer(id).kill({ signal, abortSignal })).pipe(
    unlessGone,
    unlessDone(verbs, id, ({ State }) => !alive.has(State.Status)),
    // Older engines answer 500 for a signal that they do not send.
    Effect.mapError((error) => error.message.includes("not support signal") ? withReason(error, "Invalid") : error)
  )

const unpause = (verbs: Verbs, id: string): Done =>
  change(verbs, "unpause", "kill", { 500: "Conflict" }, (client, abortSignal) => client.getContainer(id).unpause({ abortSignal })).pipe(
    unlessDone(verbs, id, ({ State }) => State.Status !== "paused")
  )

const disarm = (verbs: Verbs, id: string): Done =>
  Effect.asVoid(change(verbs, "update", "kill", {}, (client, abortSignal) =>
    client.getContainer(id).update({ RestartPolicy: { Name: "no" }, abortSignal } as object)))

const remove = (verbs: Verbs, id: string): Done =>
  unlessGone(change(verbs, "remove", "change", {}, (client, abortSignal) => client.getContainer(id).remove({ v: true, abortSignal })))

export const makeChanges = (verbs: Verbs) => ({
  kill: (id: string, signal: string): Done => Effect.flatMap(wholeId("kill", id), (whole) => kill(verbs, whole, signal)),
  unpause: (id: string): Done => Effect.flatMap(wholeId("unpause", id), (whole) => unpause(verbs, whole)),
  disarm: (id: string): Done => Effect.flatMap(wholeId("update", id), (whole) => disarm(verbs, whole)),
  remove: (id: string): Done => Effect.flatMap(wholeId("remove", id), (whole) => remove(verbs, whole))
})
