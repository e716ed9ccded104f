import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { ContainerSummary } from "../../../src/engine/ContainerEngine.ts"
import { KnownContainers } from "../../../src/engine/KnownContainers.ts"

const g1 = "g1" as GameId
const g2 = "g2" as GameId
const shown = (gameId: GameId, id: string): ContainerSummary =>
  ({ id, gameId, name: id, state: "running", createdAtMs: 0, imageRef: "a:1", specHash: null, generation: null })

const complete = (...found: ReadonlyArray<ContainerSummary>): KnownContainers => {
  const known = new KnownContainers()
  known.connected()
  known.listing()(found)
  return known
}

describe("KnownContainers", () => {
  it.each([
    ["no list was made yet", () => {
      const known = new KnownContainers()
      known.connected()
      return known
    }],
    ["the events broke off", () => {
      const known = complete()
      known.disconnected()
      return known
    }],
    ["the events are back, but no list was made since", () => {
      const known = complete()
      known.disconnected()
      known.connected()
      return known
    }],
    ["the list was begun before the events came", () => {
      const known = new KnownContainers()
      const done = known.listing()
      known.connected()
      done([])
      return known
    }],
    ["the list failed", () => {
      const known = new KnownContainers()
      known.connected()
      known.listing()(null)
      return known
    }],
    ["the list was of another game", () => {
      const known = new KnownContainers()
      known.connected()
      known.listing(g2)([])
      return known
    }],
    ["a container turned up that no list has shown", () => {
      const known = complete()
      known.appeared(g1, "c1")
      return known
    }],
    ["a call for the game went wrong", () => {
      const known = complete()
      known.doubt(g1)
      return known
    }],
    ["a container turned up while the list was under way", () => {
      const known = complete()
      const done = known.listing()
      known.appeared(g1, "c1")
      done([])
      return known
    }]
  ])("asks the engine where %s", (_because, make) => {
    assert.isUndefined(make().of(g1))
  })

  it("knows a game without containers, and one with them", () => {
    const known = complete(shown(g2, "c2"), shown(g2, "c3"))
    assert.deepStrictEqual(known.of(g1), [])
    assert.deepStrictEqual(known.of(g2), ["c2", "c3"])
  })

  it("knows what this process made, whatever an older list says", () => {
    const known = complete()
    const done = known.listing()
    known.made(g1, "c1")
    done([])
    assert.deepStrictEqual(known.of(g1), ["c1"])
  })

  it("takes its own container's event for no news, in either order", () => {
    const known = complete()
    known.made(g1, "c1")
    known.appeared(g1, "c1")
    assert.deepStrictEqual(known.of(g1), ["c1"])
    known.appeared(g2, "c2")
    assert.isUndefined(known.of(g2))
    known.made(g2, "c2")
    assert.deepStrictEqual(known.of(g2), ["c2"])
  })

  it("forgets what was removed, whatever an older list says", () => {
    const known = complete(shown(g1, "c1"))
    const done = known.listing()
    known.gone(g1, "c1")
    done([shown(g1, "c1")])
    assert.deepStrictEqual(known.of(g1), [])
  })

  it("is sure again after a list of that game, and of that game alone", () => {
    const known = complete()
    known.doubt(g1)
    known.doubt(g2)
    known.listing(g1)([shown(g1, "c1")])
    assert.deepStrictEqual(known.of(g1), ["c1"])
    assert.isUndefined(known.of(g2))
  })

  it.each(Array.from({ length: 200 }, (_, seed) => seed))("never says what is not so once everything was delivered, in any order of lists and events (seed %d)", (seed) => {
    let state = seed + 1
    const roll = (n: number): number => {
      state = Math.imul(state, 1_103_515_245) + 12_345 | 0
      return (state >>> 16) % n
    }
    const known = new KnownContainers()
    const games = [g1, g2]
    const real = new Map(games.map((game) => [game, new Set<string>()]))
    const events: Array<() => void> = []
    const lists: Array<() => void> = []
    let made = 0
    let isConnected = false
    const tell = (event: () => void) => {
      if (isConnected) events.push(event)
    }
    for (let round = 0; round < 200; round++) {
      const game = games[roll(2)]!
      const here = real.get(game)!
      switch (roll(8)) {
        case 0: {
          const id = `c${++made}`
          here.add(id)
          tell(() => known.appeared(game, id))
          // Before its event or after it.
          const order = roll(3)
          if (order === 0) known.made(game, id)
          else if (order === 1) tell(() => here.has(id) ? known.made(game, id) : undefined)
          break
        }
        case 1: {
          const [id] = here
          if (id === undefined) break
          here.delete(id)
          tell(() => known.gone(game, id))
          break
        }
        case 2: {
          const wanted = roll(2) === 0 ? undefined : game
          const done = known.listing(wanted)
          const found = games.filter((one) => wanted === undefined || one === wanted).flatMap((one) => [...real.get(one)!].map((id) => shown(one, id)))
          lists.push(() => done(roll(5) === 0 ? null : found))
          break
        }
        case 3:
          isConnected = roll(3) > 0
          events.splice(0)
          known.disconnected()
          if (isConnected) known.connected()
          break
        default:
          // Events in their order, lists whenever they are through.
          if (roll(2) === 0) events.shift()?.()
          else if (lists.length > 0) lists.splice(roll(lists.length), 1)[0]!()
      }
      if (events.length > 0) continue
      for (const one of games) {
        const said = known.of(one)
        if (said !== undefined) assert.deepStrictEqual([...said].sort(), [...real.get(one)!].sort(), `round ${round} ${one}`)
      }
    }
  })

  it("forgets a container that the engine does not know, whatever its events said", () => {
    const known = complete(shown(g1, "a"), shown(g1, "b"), shown(g2, "c"))
    known.vanished("a")
    known.vanished("x")
    assert.deepStrictEqual([known.of(g1), known.of(g2)], [["b"], ["c"]])
  })
})
