/**
 * Entries that may be what killed a process: they were delivered again and again, and nobody lived to acknowledge them. A reply is
 * held in memory as a whole, so they are looked for in the list of what is pending, which shows no bodies, before anything is read.
 *
 * An outage makes Redis count deliveries too. It is told apart: what this process has read did not kill it, and a stream that is
 * small as a whole has no entry that could kill anybody.
 */
import { Effect } from "effect"
import type { JobKind } from "../../domain/Job.ts"
import { maximumDeliveries } from "../givenUp.ts"
import type { JobStreamEntry, StreamsError } from "../Streams.ts"
import { isNoGroup, type PendingEntry, type RedisLink, type RedisOptions } from "./client.ts"

/** A stream of this size may hold an entry that is too big for somebody. */
const largeBytes = 8 * 1024 * 1024
/** Entries listed at once. */
const listed = 1000

export interface Suspicion {
  /** Given up unread: to be acknowledged before anything pending is read. */
  readonly hopeless: ReadonlyArray<JobStreamEntry>
  /** What is pending is read one by one, so that no entry shares the fate of another. */
  readonly isCareful: boolean
}

const none: Suspicion = { hopeless: [], isCareful: false }

export class Suspects {
  /** What this process has read and not acknowledged, as `<stream> <id>`. */
  readonly #read = new Set<string>()

  saw(entries: ReadonlyArray<JobStreamEntry>): void {
    for (const { entryId, fields, stream } of entries) if (fields !== null) this.#read.add(`${stream} ${entryId}`)
  }

  acknowledged(stream: string, ids: ReadonlyArray<string>): void {
    for (const id of ids) this.#read.delete(`${stream} ${id}`)
  }

  /** Whether it was delivered before, and never to the end as far as this process knows. */
  isUnread(stream: string, id: string): boolean {
    return !this.#read.has(`${stream} ${id}`)
  }
}

interface JobStream {
  readonly stream: string
  readonly kind: JobKind
}

/** Of what is pending in `stream`. Asks for no body. */
export const suspicionOf = Effect.fnUntraced(function*(
  link: RedisLink,
  { group }: RedisOptions,
  { kind, life, stream, suspects }: JobStream & { readonly life: string; readonly suspects: Suspects }
): Effect.fn.Return<Suspicion, StreamsError> {
  const again: Array<PendingEntry> = []
  for (let from: string | undefined = "-"; from !== undefined;) {
    const page: ReadonlyArray<PendingEntry> = yield* pendingFrom(link, group, stream, from)
    again.push(...page.filter(([id, , , count]) => count > 1 && suspects.isUnread(stream, id)))
    from = page.length < listed ? undefined : `(${page.at(-1)![0]}`
  }
  if (again.length === 0 || !(yield* isLarge(link, stream))) return none
  return {
    isCareful: true,
    hopeless: again.flatMap(([entryId, , , count]) => count < maximumDeliveries ? [] : [{ stream, kind, life, entryId, fields: null, deliveries: count, isUnread: true }])
  }
})

const pendingFrom = (link: RedisLink, group: string, stream: string, from: string) =>
  link.use("xpending", (redis) => redis.xpending(stream, group, from, "+", listed) as Promise<unknown> as Promise<ReadonlyArray<PendingEntry>>).pipe(
    Effect.catchIf(isNoGroup, () => Effect.succeed<ReadonlyArray<PendingEntry>>([]))
  )

/** Who may not ask for it takes it for large. */
const isLarge = (link: RedisLink, stream: string) =>
  link.use("memory", (redis) => redis.memory("USAGE", stream, "SAMPLES", 0)).pipe(
    Effect.map((bytes) => bytes !== null && bytes >= largeBytes),
    Effect.catchIf(({ reason }) => reason === "Refused", () => Effect.succeed(true))
  )

/**
 * Looks over what is pending in all of them, once for each `beginning`; what it found hopeless is looked for again until it is gone.
 * The entries it answers tell no life.
 */
export const makeLookOver = (link: RedisLink, options: RedisOptions, suspects: Suspects) => {
  let done: { readonly beginning: object; readonly isCareful: boolean } | undefined
  return Effect.fnUntraced(function*(beginning: object, streams: ReadonlyArray<JobStream>): Effect.fn.Return<Suspicion, StreamsError> {
    if (done?.beginning === beginning) return { hopeless: [], isCareful: done.isCareful }
    const found = yield* Effect.forEach(streams, (one) =>
      // A stream that cannot be asked cannot be read either: the read says why.
      suspicionOf(link, options, { ...one, life: "", suspects }).pipe(Effect.catchIf(({ reason }) => reason === "Refused", () => Effect.succeed(none))))
    const all = { hopeless: found.flatMap(({ hopeless }) => hopeless), isCareful: found.some(({ isCareful }) => isCareful) }
    if (all.hopeless.length === 0) done = { beginning, isCareful: all.isCareful }
    return all
  })
}
