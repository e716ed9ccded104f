/** A change of the whole fleet goes through a few games at a time, and nobody waits for ever. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeExchanges } from "../../../controllers/game/act/Exchanges.ts"
import type { GameId } from "../../../src/domain/GameId.ts"

const id = (name: string) => name as GameId

const scene = Effect.fnUntraced(function*(most: number, seeded: ReadonlyArray<string> | null = []) {
  const woken: Array<string> = []
  const exchanges = makeExchanges(most, (gameId) => Effect.sync(() => void woken.push(gameId)))
  if (seeded) yield* exchanges.seed(seeded.map(id))
  return { exchanges, woken, begin: (name: string) => exchanges.begin(id(name)), over: (name: string) => exchanges.note(id(name), false) }
})

describe("exchanges", () => {
  it.effect("begin up to the number that may be under way, and no more", Effect.fn(function*() {
    const { begin, exchanges } = yield* scene(2)
    assert.deepStrictEqual([yield* begin("a"), yield* begin("b"), yield* begin("c")], [true, true, false])
    assert.isTrue(exchanges.isFull(id("d")))
    assert.isFalse(exchanges.isFull(id("a")), "its own was begun")
  }))

  it.effect("wake who waited longest when one is over, and one for each place", Effect.fn(function*() {
    const { begin, over, woken } = yield* scene(2)
    for (const name of ["a", "b", "c", "d", "e"]) yield* begin(name)
    assert.deepStrictEqual(woken, [])
    yield* over("a")
    assert.deepStrictEqual(woken, ["c"])
    yield* over("b")
    assert.deepStrictEqual(woken, ["c", "d"])
  }))

  it.effect("keep the place of who was woken for it", Effect.fn(function*() {
    const { begin, over } = yield* scene(1)
    yield* begin("a")
    yield* begin("b")
    yield* over("a")
    assert.isFalse(yield* begin("new"))
    assert.isTrue(yield* begin("b"))
  }))

  it.effect("pass the turn on when who was woken wants none any more", Effect.fn(function*() {
    const { begin, exchanges, over, woken } = yield* scene(1)
    for (const name of ["a", "b", "c"]) yield* begin(name)
    yield* over("a")
    yield* exchanges.leave(id("b"))
    assert.deepStrictEqual(woken, ["b", "c"])
  }))

  it.effect("count those that the records tell of, those beyond the number too", Effect.fn(function*() {
    const { begin, over } = yield* scene(1, ["a", "b"])
    assert.isFalse(yield* begin("c"))
    yield* over("a")
    assert.isFalse(yield* begin("c"))
    yield* over("b")
    assert.isTrue(yield* begin("c"))
  }))

  it.effect("do not begin before the records are known", Effect.fn(function*() {
    const { begin, exchanges, woken } = yield* scene(2, null)
    assert.isFalse(yield* begin("a"))
    yield* exchanges.seed([])
    assert.deepStrictEqual(woken, ["a"])
    assert.isTrue(yield* begin("a"))
  }))

  it.effect("give a place back that was taken and whose record was never written", Effect.fn(function*() {
    const { begin, exchanges } = yield* scene(1)
    yield* begin("a")
    yield* exchanges.note(id("a"), false)
    assert.isFalse(exchanges.isFull(id("b")))
  }))

  it.effect("come to everybody, whoever changes his mind (100 games, 3 at once)", Effect.fn(function*() {
    const { begin, exchanges, over, woken } = yield* scene(3)
    const underWay: Array<string> = []
    const done = new Set<string>()
    for (let game = 0; game < 100; game++) if (yield* begin(`g${game}`)) underWay.push(`g${game}`)
    while (underWay.length > 0) {
      assert.isAtMost(underWay.length, 3)
      const ended = underWay.shift()!
      done.add(ended)
      yield* over(ended)
      for (const name of woken.splice(0)) {
        if (Number(name.slice(1)) % 7 !== 3) {
          assert.isTrue(yield* begin(name), "it was woken for its turn")
          underWay.push(name)
        } else {
          done.add(name)
          yield* exchanges.leave(id(name))
        }
      }
      for (const name of woken.splice(0)) if (yield* begin(name)) underWay.push(name)
    }
    assert.strictEqual(done.size, 100)
  }))
})
