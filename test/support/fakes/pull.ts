/** Pulls of the fake engine: one per image and client however many wait, ended when nobody waits any more. */
import { Deferred, Effect, FiberMap, type Scope } from "effect"
import { EngineError } from "../../../src/engine/ContainerEngine.ts"
import { refusal } from "./container.ts"
import type { EngineWorld } from "./EngineWorld.ts"

interface Flight {
  readonly end: Deferred.Deferred<string, EngineError>
  waiting: number
}

export const makePull = Effect.fnUntraced(function*(world: EngineWorld, stallMs: number): Effect.fn.Return<
  (imageRef: string, login?: string) => Effect.Effect<string, EngineError>,
  never,
  Scope.Scope
> {
  const flights = new Map<string, Flight>()
  const fibers = yield* FiberMap.make<string>()
  const take = Effect.fnUntraced(function*(imageRef: string) {
    const known = flights.get(imageRef)
    if (known) {
      known.waiting++
      return known
    }
    const flight: Flight = { end: yield* Deferred.make<string, EngineError>(), waiting: 1 }
    flights.set(imageRef, flight)
    yield* FiberMap.run(fibers, imageRef, Effect.onExit(pullOnce(world, imageRef, stallMs), (exit) => {
      if (flights.get(imageRef) === flight) flights.delete(imageRef)
      return Deferred.done(flight.end, exit)
    }))
    return flight
  })
  const leave = (imageRef: string, flight: Flight) =>
    Effect.suspend(() => {
      if (--flight.waiting > 0 || flights.get(imageRef) !== flight) return Effect.void
      flights.delete(imageRef)
      return FiberMap.remove(fibers, imageRef)
    })
  return (imageRef, login) => login !== undefined && !world.logins.has(login)
    ? Effect.fail(new EngineError({ operation: "pull", reason: "PullFailed", message: `spec.registry_auth: there is no login ${login} in RTM_REGISTRY_AUTH_ROOT` }))
    : Effect.acquireUseRelease(take(imageRef), (flight) => Deferred.await(flight.end), (flight) => leave(imageRef, flight))
})

const pullOnce = (world: EngineWorld, imageRef: string, stallMs: number): Effect.Effect<string, EngineError> =>
  Effect.raceFirst(
    Effect.andThen(
      world.answers.reach<void, EngineError>(() => void world.registryCalls.push(imageRef), broken, false),
      answer(world, imageRef, stallMs)
    ),
    Effect.callback<never, EngineError>((resume) => {
      const leave = world.answers.whenBroken(() => resume(Effect.fail(broken())))
      return Effect.sync(leave)
    })
  )

const broken = (): EngineError => new EngineError({ operation: "pull", reason: "Unavailable", message: "socket hang up" })

const answer = Effect.fnUntraced(function*(world: EngineWorld, imageRef: string, stallMs: number) {
  const image = world.images.get(imageRef)
  if (image?.registry === "hung") {
    yield* Effect.sleep(stallMs)
    return yield* new EngineError({
      operation: "pull", reason: "PullStalled", message: `pull of ${imageRef} made no progress for ${stallMs / 1000} s`
    })
  }
  yield* Effect.sleep(image?.pullMs ?? 0)
  if (image?.registry !== "there") {
    return yield* refusal("pull", "PullFailed", `manifest for ${imageRef} not found: manifest unknown`, 404)
  }
  image.onHost = true
  image.hostId = image.registryId
  return image.hostId
})
