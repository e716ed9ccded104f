/**
 * Which job streams can be read. One that cannot is left aside, asked for now and then over a connection of its own, and
 * taken in again when it answers. It is told once, and once more when it was read again.
 */
import { Effect, type Scope } from "effect"
import type { StreamsError } from "../Streams.ts"
import { makeRedisLink, type RedisOptions } from "./client.ts"

const askAgainMs = 1000

export interface BrokenStreams {
  /** Those to read now. */
  readonly well: () => ReadonlyArray<string>
  /** Why a stream could not be read last; undefined: it was read since. */
  readonly problem: (stream: string) => string | undefined
  /** Leaves a stream aside until it answers. */
  readonly leave: (stream: string, error: StreamsError) => Effect.Effect<void>
  readonly wasRead: (streams: ReadonlyArray<string>) => Effect.Effect<void>
  /** Asks the stream alone, without taking anything. */
  readonly ask: (stream: string) => Effect.Effect<void, StreamsError>
}

/** `mended` is called when a stream answers again. */
export const makeBrokenStreams = Effect.fnUntraced(function*(
  options: RedisOptions,
  streams: ReadonlyArray<string>,
  mended: () => void
): Effect.fn.Return<BrokenStreams, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const link = yield* makeRedisLink(options.url, `${options.consumer}-probe`)
  const aside = new Set<string>()
  const problems = new Map<string, string>()
  // A command that writes nothing, but that needs the key to be a stream.
  const ask = (stream: string) => Effect.asVoid(link.use("xack", (redis) => redis.xack(stream, options.group, "0-0")))
  const askUntilWell = (stream: string) =>
    Effect.gen(function*() {
      do yield* Effect.sleep(askAgainMs)
      while (yield* Effect.match(ask(stream), { onFailure: () => true, onSuccess: () => false }))
      aside.delete(stream)
      mended()
    })
  return {
    well: () => streams.filter((stream) => !aside.has(stream)),
    problem: (stream) => problems.get(stream),
    ask,
    leave: Effect.fnUntraced(function*(stream: string, error: StreamsError) {
      if (!problems.has(stream)) yield* Effect.logError("a job stream cannot be read; the others go on", { stream }, error)
      problems.set(stream, error.message)
      if (aside.has(stream)) return
      aside.add(stream)
      yield* Effect.forkIn(askUntilWell(stream), scope)
    }),
    wasRead: Effect.fnUntraced(function*(read: ReadonlyArray<string>) {
      for (const stream of read) {
        if (problems.delete(stream)) yield* Effect.logInfo("a job stream is read again", { stream })
      }
    })
  }
})
