/**
 * Rows that changed, told by NOTIFY. A notification is a hint: what is sent while the connection is away is gone, and a
 * link that died quietly says nothing. So each (re)connection asks for a look at everything, and a heartbeat through the
 * same channel proves that the link carries.
 */
import { Cause, Deferred, Effect, Queue, Schedule, Schema, Stream } from "effect"
import { DesiredState } from "../../domain/Game.ts"
import { isGameId } from "../../domain/GameId.ts"
import type { StoreChange } from "../GameReader.ts"
import { askNextHost } from "../address.ts"
import { StoreError } from "../StoreError.ts"
import { connect, isReadOnly } from "./client.ts"

export interface HeartbeatOptions {
  /** Default: 15 s. */
  readonly everyMs?: number
  /** The link is given up when a beat has not come back after this long. Default: 3 s. */
  readonly echoMs?: number
}

const reconnect = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("500 millis")])

/** Never ends: a new client for each connection, `Opened` first. */
export const gameChanges = (url: string, heartbeat: HeartbeatOptions = {}): Stream.Stream<StoreChange> =>
  listening(url, heartbeat).pipe(
    Stream.catchCause((cause) =>
      Stream.fromEffectDrain(Effect.logWarning("row notifications broke off; they are subscribed to anew", cause))),
    Stream.repeat(reconnect)
  )

const isState = Schema.is(DesiredState)

/** `<state> <game_id>`, as `rtmanager.games_after_write` tells it. Anybody may notify, so it may be anything. */
export const changeOf = (payload: string): StoreChange | undefined => {
  const [, state, gameId] = /^(?:(\S+) )?(\S+)$/.exec(payload) ?? []
  return isGameId(gameId) ? { _tag: "Changed", gameId, state: isState(state) ? state : undefined } : undefined
}

const unavailable = (cause: unknown): StoreError =>
  new StoreError({ operation: "listen", reason: "Unavailable", message: cause instanceof Error ? cause.message : String(cause) })

const listening = (url: string, { echoMs = 3000, everyMs = 15_000 }: HeartbeatOptions): Stream.Stream<StoreChange, StoreError> =>
  Stream.callback<StoreChange, StoreError>((queue) =>
    Effect.gen(function*() {
      const sql = yield* Effect.acquireRelease(
        Effect.sync(() => connect(url, { max: 1, name: "listen", statementTimeoutMs: 10_000 })),
        (client) => Effect.sync(() => void client.end({ timeout: 0.2 }).catch(() => {}))
      )
      let echo = Deferred.makeUnsafe<void>()
      const beatChannel = `rtmanager_beat_${process.pid}_${Math.trunc(performance.now() * 1000)}`
      yield* Effect.tryPromise({
        try: async () => {
          await sql.listen("rtmanager_games", (payload) => {
            const change = changeOf(payload)
            if (change) Queue.offerUnsafe(queue, change)
          }, () => {
            // Called on each re-listen of this client too: whatever was sent before it is lost.
            Queue.offerUnsafe(queue, { _tag: "Opened" })
          })
          await sql.listen(beatChannel, () => {
            Deferred.doneUnsafe(echo, Effect.void)
          })
        },
        catch: (cause) => {
          if (isReadOnly(cause)) askNextHost(url)
          return unavailable(cause)
        }
      }).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail(unavailable("no answer to LISTEN")) }))
      const beat = Effect.gen(function*() {
        yield* Effect.sleep(everyMs)
        echo = Deferred.makeUnsafe<void>()
        yield* Effect.tryPromise({ try: () => sql.notify(beatChannel, ""), catch: unavailable })
        yield* Deferred.await(echo)
      }).pipe(Effect.timeoutOrElse({
        duration: everyMs + echoMs,
        orElse: () => Effect.fail(unavailable("the heartbeat did not come back"))
      }))
      yield* Effect.forever(beat).pipe(
        Effect.catchCause((cause) => Effect.sync(() => {
          if (!Cause.hasInterruptsOnly(cause)) Queue.failCauseUnsafe(queue, cause)
        })),
        Effect.forkScoped
      )
    }), { bufferSize: 16_384, strategy: "sliding" })
