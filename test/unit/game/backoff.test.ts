/** The curve of restarts: the usual one, a game's own, and the jitter. */
import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import { backoffOf } from "../../../src/domain/RestartSpec.ts"
import { defaultBackoff } from "../../../src/domain/Timing.ts"
import { backoffMs } from "../../../controllers/game/decide/backoff.ts"
import { timing } from "../../support/observations.ts"

const usual = { baseMs: 1000, maxMs: 300_000, stableMs: 600_000, jitter: 0.2 }
const waitOf = (game: string, times: number): number => backoffMs({ gameId: game as GameId, target: null, timing: { ...timing, backoff: usual } }, times)
const curve = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1000)
const games = Array.from({ length: 1000 }, (_, index) => `game-${index}`)

describe("the back-off", () => {
  it("is 1 s, twice as long each time, 5 min at most, begins anew after 10 min well, and has a jitter of a fifth", () => {
    assert.deepStrictEqual(defaultBackoff, usual)
  })

  it("is never shorter than the curve, and never longer by more than a fifth", () => {
    for (const game of games) {
      for (const [times, ms] of curve.entries()) {
        assert.isAtLeast(waitOf(game, times), ms)
        assert.isAtMost(waitOf(game, times), ms * 1.2)
      }
    }
  })

  it("is the same however often it is asked for", () => {
    assert.strictEqual(waitOf("g1", 3), waitOf("g1", 3))
  })

  it("does not start a thousand games together that fell together, at the first time as little as at the last", () => {
    for (const [times, ms] of curve.entries()) {
      // In each twentieth of the time that the jitter spreads them over.
      const parts = Map.groupBy(games, (game) => Math.floor((waitOf(game, times) - ms) / ms / 0.01))
      for (const together of parts.values()) assert.isBelow(together.length, 90)
    }
  })

  it("does not keep games together that waited equally long once", () => {
    const [first, ...others] = games.toSorted((a, b) => waitOf(a, 0) - waitOf(b, 0)).slice(0, 50)
    const waits = [first!, ...others].map((game) => waitOf(game, 1))
    assert.isAbove(Math.max(...waits) - Math.min(...waits), 200)
  })

  it("counts to its end", () => {
    assert.isAtMost(waitOf("g1", 1e9), 360_000)
    assert.isAtMost(waitOf("g1", -1), 1200)
  })
})

describe("a game's own curve", () => {
  it.each([
    ["says nothing", {}, {}],
    ["has another beginning", { base: "10s" }, { baseMs: 10_000 }],
    ["begins later than the usual end", { base: "10m" }, { baseMs: 600_000, maxMs: 600_000 }],
    ["ends before the usual beginning", { max: "500ms" }, { baseMs: 500, maxMs: 500 }],
    ["says all of it", { base: "2s", max: "1m", reset: "1h" }, { baseMs: 2000, maxMs: 60_000, stableMs: 3_600_000 }]
  ] as const)("that %s is the usual one in all else", (_what, spec, own) => {
    assert.deepStrictEqual(backoffOf(spec, usual), { ...usual, ...own })
  })
})
