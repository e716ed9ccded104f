/**
 * How many games are being exchanged at once: each is down from its signal until its new container runs, so a change of a whole
 * fleet goes through a few at a time. What is under way is known from the records; who waits for a turn is woken for it.
 */
import { Context, Effect } from "effect"
import type { GameId } from "../../../src/domain/GameId.ts"

export class Exchanges extends Context.Service<Exchanges, {
  /** Whether no exchange may begin for this game now. */
  readonly isFull: (gameId: GameId) => boolean
  /** Takes a place for the game before its intent is recorded; false: others have them all, and it waits for its turn. */
  readonly begin: (gameId: GameId) => Effect.Effect<boolean>
  /** The game waits for its turn: it is woken for it. */
  readonly queue: (gameId: GameId) => Effect.Effect<void>
  /** The game wants no turn any more. */
  readonly leave: (gameId: GameId) => Effect.Effect<void>
  /** What the game's record says: whether its exchange is under way. */
  readonly note: (gameId: GameId, isUnderWay: boolean) => Effect.Effect<void>
  /** All exchanges that the records tell of; until they are known none begins. */
  readonly seed: (underWay: ReadonlyArray<GameId>) => Effect.Effect<void>
}>()("rtmanager/game/Exchanges") {}

/** At most `most` at once; `wake` looks at a game again. */
export const makeExchanges = (most: number, wake: (gameId: GameId) => Effect.Effect<void>): Exchanges["Service"] => {
  const underWay = new Set<GameId>()
  /** In the order they came. */
  const waiting = new Set<GameId>()
  /** Woken for a turn that they have not taken yet. */
  const called = new Set<GameId>()
  let isSeeded = false

  const isFull = (gameId: GameId) =>
    !underWay.has(gameId) && (!isSeeded || underWay.size + called.size - (called.has(gameId) ? 1 : 0) >= most)
  const callNext = Effect.suspend(() => {
    const free = isSeeded ? Math.max(0, most - underWay.size - called.size) : 0
    const next = [...waiting.keys().take(free)]
    for (const gameId of next) {
      waiting.delete(gameId)
      called.add(gameId)
    }
    return Effect.forEach(next, wake, { discard: true })
  })
  const wait = (gameId: GameId) =>
    Effect.suspend(() => {
      called.delete(gameId)
      waiting.add(gameId)
      return callNext
    })
  return {
    isFull,
    queue: wait,
    begin: (gameId) =>
      Effect.suspend(() => {
        if (isFull(gameId)) return Effect.as(wait(gameId), false)
        called.delete(gameId)
        waiting.delete(gameId)
        underWay.add(gameId)
        return Effect.succeed(true)
      }),
    leave: (gameId) => Effect.suspend(() => waiting.delete(gameId) || called.delete(gameId) ? callNext : Effect.void),
    note: (gameId, isUnderWay) =>
      Effect.suspend(() => {
        if (!isUnderWay) return underWay.delete(gameId) ? callNext : Effect.void
        underWay.add(gameId)
        return Effect.void
      }),
    seed: (games) =>
      Effect.suspend(() => {
        for (const gameId of games) underWay.add(gameId)
        isSeeded = true
        return callNext
      })
  }
}
