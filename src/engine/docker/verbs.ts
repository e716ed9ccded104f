/** What the verbs on containers share: whom they ask, how long they wait, and that they take full ids only. */
import type Docker from "dockerode"
import { Effect } from "effect"
import { EngineError } from "../ContainerEngine.ts"
import type { Caller, CallOptions } from "./call.ts"

/** How long each call may take, in ms. */
export const defaultDeadlines = { ping: 3000, list: 10_000, inspect: 5000, kill: 15_000, change: 60_000 }

export interface Verbs {
  readonly client: Docker
  readonly caller: Caller
  readonly deadlines: typeof defaultDeadlines
}

type Send<A> = (client: Docker, abortSignal: AbortSignal) => Promise<A>

/** A call that changes nothing. */
export const read = <A>({ caller, client, deadlines }: Verbs, operation: "list" | "inspect", send: Send<A>) =>
  caller.call({ operation, deadlineMs: deadlines[operation] }, (abortSignal) => send(client, abortSignal))

/** A call that changes something: needs the permission. `reasons` as in CallOptions. */
export const change = <A>(
  { caller, client, deadlines }: Verbs,
  operation: string,
  deadline: "change" | "kill",
  reasons: CallOptions["reasons"] & {},
  send: Send<A>
): Effect.Effect<A, EngineError> =>
  caller.call({ operation, deadlineMs: deadlines[deadline], reasons, mutates: true }, (abortSignal) => send(client, abortSignal))

const fullId = /^[0-9a-f]{64}$/

/** The engine takes a part of an id for the whole, and would act on somebody else's container. */
export const wholeId = (operation: string, id: string): Effect.Effect<string, EngineError> =>
  fullId.test(id)
    ? Effect.succeed(id)
    : Effect.fail(new EngineError({ operation, reason: "Invalid", message: `${JSON.stringify(id)} is not a full container id` }))

/** The same failure with another reason. */
export const withReason = ({ message, operation, status }: EngineError, reason: EngineError["reason"]): EngineError =>
  new EngineError({ operation, message, reason, ...(status === undefined ? {} : { status }) })
