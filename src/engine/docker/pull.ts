/**
 * Pulls: one per image however many wait for it, errors inside a 200 answer found, given up after no progress for the
 * stall time however long the whole takes.
 */
import { join } from "node:path"
import type { Readable } from "node:stream"
import reference from "@swimlane/docker-reference"
import type Docker from "dockerode"
import { Clock, Deferred, Effect, Exit, FiberMap, Metric, type Scope, Semaphore } from "effect"
import { monotonicMsOf } from "../../clock/monotonic.ts"
import * as metrics from "../../telemetry/metrics.ts"
import { EngineError } from "../ContainerEngine.ts"
import { engineError } from "./call.ts"
import { JsonObjectStream } from "./jsonStream.ts"
import { isLogin, registryAuth } from "./registryAuth.ts"

export interface PullOptions {
  readonly client: Docker
  readonly stallMs: number
  /** Folder of the docker CLI's config.json. */
  readonly configFolder: string
  /** Folder of such folders, by the names of logins; undefined: there are none. */
  readonly loginsFolder: string | undefined
}

/** Pulls from one registry. */
const pullsAtOnce = 16

interface Flight {
  readonly end: Deferred.Deferred<void, EngineError>
  waiting: number
}

/** A waiter that leaves does not end the pull for the others; the last one does. */
export const makePull = Effect.fnUntraced(function*(options: PullOptions): Effect.fn.Return<
  (imageRef: string, login?: string) => Effect.Effect<void, EngineError>,
  never,
  Scope.Scope
> {
  const flights = new Map<string, Flight>()
  const fibers = yield* FiberMap.make<string>()
  const registries = new Map<string, Semaphore.Semaphore>()
  /** One registry that answers nobody holds up its own pulls, and those of no other. */
  const inTurn = (imageRef: string) => {
    const name = reference.parseFamiliarName(imageRef).domain ?? ""
    const places = registries.get(name) ?? Semaphore.makeUnsafe(pullsAtOnce)
    registries.set(name, places)
    return places.withPermits(1)
  }
  const take = Effect.fnUntraced(function*(key: string, imageRef: string, login: string | undefined) {
    const known = flights.get(key)
    if (known) {
      known.waiting++
      return known
    }
    const flight: Flight = { end: yield* Deferred.make<void, EngineError>(), waiting: 1 }
    flights.set(key, flight)
    yield* FiberMap.run(fibers, key, inTurn(imageRef)(pullOnce(options, imageRef, login)).pipe(Effect.onExit((exit) => {
      if (flights.get(key) === flight) flights.delete(key)
      const outcome = Exit.isSuccess(exit) ? "success" : "failure"
      return Effect.andThen(
        Metric.update(Metric.withAttributes(metrics.imagePulls, { outcome }), 1),
        Deferred.done(flight.end, exit)
      )
    }), Effect.exit))
    return flight
  })
  const leave = (key: string, flight: Flight) =>
    Effect.suspend(() => {
      if (--flight.waiting > 0 || flights.get(key) !== flight) return Effect.void
      flights.delete(key)
      return FiberMap.remove(fibers, key)
    })
  return (imageRef, login) => {
    // Who has no login of his own must not wait for what another's brings.
    const key = `${login ?? ""} ${imageRef}`
    return Effect.acquireUseRelease(take(key, imageRef, login), (flight) => Deferred.await(flight.end), (flight) => leave(key, flight))
  }
})

const pullOnce = Effect.fnUntraced(function*(options: PullOptions, imageRef: string, login: string | undefined) {
  const aborter = new AbortController()
  const clock = yield* Clock.Clock
  let lastProgressMs = monotonicMsOf(clock)
  const progress = () => {
    lastProgressMs = monotonicMsOf(clock)
  }
  const work = Effect.tryPromise({
    try: async () => {
      const auth = await registryAuth(await configFolderOf(options, login), imageRef)
      await follow(options.client, imageRef, auth, aborter.signal, progress)
    },
    catch: (cause) => cause instanceof EngineError ? cause : engineError({ operation: "pull", reasons: refused }, cause)
  })
  const stalled = Effect.gen(function*() {
    for (;;) {
      const leftMs = lastProgressMs + options.stallMs - monotonicMsOf(clock)
      if (leftMs <= 0) {
        return yield* new EngineError({
          operation: "pull",
          reason: "PullStalled",
          message: `pull of ${imageRef} made no progress for ${options.stallMs / 1000} s`
        })
      }
      yield* Effect.sleep(leftMs)
    }
  })
  // The engine ends a pull whose client goes away.
  yield* Effect.raceFirst(work, stalled).pipe(Effect.ensuring(Effect.sync(() => aborter.abort())))
})

/** A login is a folder as `docker --config folder login` makes it. */
const configFolderOf = async ({ configFolder, loginsFolder }: PullOptions, login: string | undefined): Promise<string> => {
  if (login === undefined) return configFolder
  const folder = loginsFolder === undefined ? undefined : join(loginsFolder, login)
  if (folder !== undefined && await isLogin(folder)) return folder
  throw new EngineError({ operation: "pull", reason: "PullFailed", message: `spec.registry_auth: there is no login ${login} in RTM_REGISTRY_AUTH_ROOT` })
}

/** Whatever status it answers with, the engine has spoken. */
const refused = { 400: "PullFailed", 404: "PullFailed", 409: "PullFailed", other: "PullFailed" } as const

/** Reads the engine's progress to its end. */
const follow = async (
  client: Docker,
  imageRef: string,
  auth: string | undefined,
  signal: AbortSignal,
  progress: () => void
): Promise<void> => {
  const body = await dial(client, nameAndTag(imageRef), auth, signal)
  const objects = new JsonObjectStream()
  /** The last word of each layer: the same line again and again is no progress, whichever layers take turns. */
  const last = new Map<unknown, string>()
  for await (const chunk of body) {
    for (const object of objects.push(chunk as Uint8Array)) {
      const line = object as { error?: unknown; errorDetail?: { message?: unknown }; id?: unknown; status?: unknown; progressDetail?: unknown }
      if (line.error !== undefined || line.errorDetail !== undefined) {
        throw new EngineError({ operation: "pull", reason: "PullFailed", message: String(line.errorDetail?.message ?? line.error) })
      }
      const state = JSON.stringify([line.status, line.progressDetail])
      if (state !== last.get(line.id) && !String(line.status).startsWith("Retrying")) progress()
      last.set(line.id, state)
    }
  }
}

/** One tag or digest, always: with an empty one the engine would pull every tag. */
const nameAndTag = (imageRef: string): { readonly fromImage: string; readonly tag: string } => {
  const { digest, tag } = reference.parseFamiliarName(imageRef)
  const wanted = digest ?? tag ?? ""
  const name = imageRef.slice(0, -wanted.length - 1)
  return { fromImage: digest && tag ? name.slice(0, -tag.length - 1) : name, tag: wanted }
}

const dial = (client: Docker, query: { readonly fromImage: string; readonly tag: string }, auth: string | undefined, signal: AbortSignal): Promise<Readable> =>
  new Promise((resolve, reject) => {
    client.modem.dial({
      path: "/images/create?",
      options: { _query: query, _body: {} },
      method: "POST",
      isStream: true,
      abortSignal: signal,
      ...(auth === undefined ? {} : { authconfig: { base64: auth } }),
      statusCodes: { 200: true, 400: "bad parameter", 404: "not found", 500: "server error" }
    } as never, (error: unknown, stream: unknown) => error ? reject(error) : resolve(stream as Readable))
  })

