/**
 * The engine's events as a hint that something changed. The engine drops events of a slow reader without a word, keeps a
 * short history and may fall silent on an open stream, so nothing but the game to look at is taken from one.
 */
import type { Readable } from "node:stream"
import type Docker from "dockerode"
import { Cause, Clock, Effect, Queue, Schedule, Schema, Stream } from "effect"
import { monotonicMsOf } from "../../clock/monotonic.ts"
import { isGameId } from "../../domain/GameId.ts"
import type { EngineError, EngineEvent } from "../ContainerEngine.ts"
import type { KnownContainers } from "../KnownContainers.ts"
import { engineError } from "./call.ts"
import { kindValue, labels, ownerValue } from "./labels.ts"
import { JsonObjectStream } from "./jsonStream.ts"
import type { StartWatch } from "./StartWatch.ts"

export interface EventOptions {
  readonly client: Docker
  /** Told of everything that comes and goes. */
  readonly known: KnownContainers
  /** Run before each connection: agrees on the API version anew. */
  readonly greet: Effect.Effect<unknown, EngineError>
  /** Told of every start and end. */
  readonly watch: StartWatch
}

/** Events wait here while the games are looked at; a full list makes up for what falls off. */
const bufferSize = 4096
/** A stream that says nothing for so long is opened anew. */
const quietMs = 300_000

const reconnect = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")])

const Event = Schema.Struct({
  Action: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.String),
  Actor: Schema.optionalKey(Schema.Struct({
    ID: Schema.optionalKey(Schema.String),
    Attributes: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  }))
})
const decode = Schema.decodeUnknownOption(Event)

/** Never ends: connects again whenever the stream ends, breaks or falls silent, and says `Opened` each time. */
export const engineEvents = (options: EventOptions): Stream.Stream<EngineEvent> =>
  Stream.suspend(() => {
    let told = false
    const brokeOff = (cause: Cause.Cause<EngineError>) => {
      // Once an outage: each further try ends the same way.
      const log = told ? Effect.logDebug : Effect.logWarning
      told = true
      return log("engine events broke off; they are opened anew", { reason: String((Cause.squash(cause) as Error).message) })
    }
    return Stream.unwrap(Effect.map(Effect.andThen(options.greet, open(options)), (body) => {
      told = false
      return read(body, options)
    })).pipe(
      Stream.catchCause((cause) => Stream.fromEffectDrain(brokeOff(cause))),
      Stream.repeat(reconnect)
    )
  })

const open = ({ client }: EventOptions): Effect.Effect<Readable, EngineError> =>
  Effect.tryPromise({
    try: (abortSignal) =>
      client.getEvents({
        abortSignal,
        filters: { type: ["container"], label: [`${labels.owner}=${ownerValue}`, `${labels.kind}=${kindValue}`] }
      } as Docker.GetEventsOptions) as Promise<unknown> as Promise<Readable>,
    catch: (cause) => engineError({ operation: "events" }, cause)
  }).pipe(Effect.timeoutOrElse({
    duration: "10 seconds",
    orElse: () => Effect.fail(engineError({ operation: "events" }, new Error("no answer within 10 s")))
  }))

const read = (body: Readable, options: EventOptions): Stream.Stream<EngineEvent, EngineError> =>
  Stream.callback<EngineEvent, EngineError>((queue) =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const objects = new JsonObjectStream()
      let lastMs = monotonicMsOf(clock)
      const fail = (cause: unknown) => {
        Queue.failCauseUnsafe(queue, Cause.fail(engineError({ operation: "events" }, cause)))
      }
      options.known.connected()
      yield* Effect.addFinalizer(() => Effect.sync(() => {
        options.known.disconnected()
        body.destroy()
      }))
      Queue.offerUnsafe(queue, { _tag: "Opened" })
      body.on("data", (chunk: Uint8Array) => {
        lastMs = monotonicMsOf(clock)
        try {
          for (const object of objects.push(chunk)) {
            const event = toEvent(object, options)
            if (event) Queue.offerUnsafe(queue, event)
          }
        } catch (cause) {
          fail(cause)
        }
      })
      // A dead engine ends the body with `aborted` or `close`, not always with `end`.
      body.on("error", fail)
      body.on("close", () => fail(new Error("the engine closed the event stream")))
      yield* Effect.forkScoped(Effect.gen(function*() {
        while (monotonicMsOf(clock) - lastMs < quietMs) yield* Effect.sleep(quietMs / 10)
        fail(new Error(`no event for ${quietMs / 1000} s`))
      }))
    }), { bufferSize, strategy: "sliding" })

/** The actions after which a game may look different; health checks, execs and sent signals are none. */
const telling: ReadonlySet<string> = new Set(["start", "die", "oom", "pause", "unpause", "rename", "destroy"])

const toEvent = (object: unknown, { known, watch }: EventOptions): EngineEvent | undefined => {
  const decoded = decode(object)
  if (decoded._tag === "None") return undefined
  const { Action, Actor, id, status } = decoded.value
  // Free text follows some actions (`exec_create: /bin/sh -c ...`): only what comes before the colon is a word.
  const action = (Action ?? status ?? "").split(":", 1)[0]!
  const containerId = Actor?.ID ?? id ?? ""
  const gameId = Actor?.Attributes?.[labels.gameId]
  if (!isGameId(gameId)) return undefined
  if (action === "destroy") known.gone(gameId, containerId)
  else if (action === "create" || action === "start") known.appeared(gameId, containerId)
  // What this process itself just started is no news.
  return telling.has(action) && !watch.heard(containerId, action) ? { _tag: "Changed", gameId, containerId, action } : undefined
}
