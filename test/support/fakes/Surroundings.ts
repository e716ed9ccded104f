/** What every fake lives in: the Clock and the Random of the test that makes it, and timers that end with its scope. */
import { Clock, Effect, FiberSet, Random, type Scope } from "effect"

export interface Surroundings {
  readonly clock: Clock.Clock
  readonly random: Random.Random
  /** Runs `body` after that time, never before this turn is over. */
  readonly after: (ms: number, body: () => void) => void
}

export const makeSurroundings: Effect.Effect<Surroundings, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const fork = yield* Effect.flatMap(FiberSet.make<void>(), (fibers) => FiberSet.runtime(fibers)<never>())
  return {
    clock,
    random,
    after: (ms, body) => void fork(Effect.andThen(Effect.sleep(ms), Effect.sync(body)))
  }
})

/** `digits` hexadecimal digits. */
export const hex = (random: Random.Random, digits: number): string => {
  let text = ""
  while (text.length < digits) text += Math.floor(random.nextDoubleUnsafe() * 2 ** 32).toString(16).padStart(8, "0")
  return text.slice(0, digits)
}

/** A whole number from `low` to `high`, both included. */
export const between = (random: Random.Random, low: number, high: number): number =>
  low + Math.floor(random.nextDoubleUnsafe() * (high - low + 1))
