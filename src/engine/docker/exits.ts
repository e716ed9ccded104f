/**
 * Whether an exit code is to be believed. An engine that finds a container dead at its own start, and has no record of its
 * end, says code 0 and the present time (engines of today say 255): a crash, or a power cut, then looks like a clean end.
 * But it tells no `die`, and an engine remembers its last 256 events.
 */
import type Docker from "dockerode"
import { Clock, Effect } from "effect"
import type { ContainerDetail } from "../ContainerEngine.ts"
import type { Caller } from "./call.ts"

export interface ExitOptions {
  readonly client: Docker
  readonly caller: Caller
  /** Since when the engine's events come in, by this machine's clock; undefined: they do not. */
  readonly connectedSinceMs: () => number | undefined
}

const deadlineMs = 2000
/** A `die` is told this much before or after the time that the container's state names, at most. */
const slackMs = 5000

export const makeExitProof = ({ caller, client, connectedSinceMs }: ExitOptions) => {
  const wasTold = (id: string, finishedAtMs: number, nowMs: number) =>
    caller.call({ operation: "events", deadlineMs }, async (abortSignal) => {
      const range = { since: seconds(finishedAtMs - slackMs), until: seconds(Math.min(finishedAtMs + slackMs, nowMs)) }
      const body = await client.getEvents({ ...range, filters: { container: [id], event: ["die"] }, abortSignal } as unknown as Docker.GetEventsOptions)
      for await (const _event of body) return true
      return false
    })

  /** The same container; its exit is without a time, so not to be believed, where nobody saw a clean end. */
  return Effect.fnUntraced(function*(container: ContainerDetail) {
    const { exit } = container
    if (exit === null || exit.finishedAtMs === null || exit.code !== 0 || exit.oomKilled) return container
    // While its events come in, an engine is up, and what ends then ends before its eyes.
    if (exit.finishedAtMs > (connectedSinceMs() ?? Infinity)) return container
    const told = yield* wasTold(container.id, exit.finishedAtMs, yield* Clock.currentTimeMillis).pipe(Effect.catch(() => Effect.succeed(true)))
    return told ? container : { ...container, exit: { ...exit, finishedAtMs: null } }
  })
}

/** Seconds with nanoseconds, as the engine reads times. */
const seconds = (ms: number): string => `${Math.trunc(ms / 1000)}.${String(Math.trunc(ms) % 1000).padStart(3, "0")}000000`
