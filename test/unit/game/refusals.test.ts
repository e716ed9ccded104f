/** What the engine refuses for one game after the other. */
import { assert, describe, it } from "@effect/vitest"
import { makeRefusals } from "../../../controllers/game/act/Refusals.ts"
import type { GameId } from "../../../src/domain/GameId.ts"

const g1 = "g1" as GameId
const g2 = "g2" as GameId
const g3 = "g3" as GameId
const id = "0123456789abcdef"

describe("a refusal", () => {
  it("is the engine's own trouble when three games have it in common, whatever they are called", () => {
    const refusals = makeRefusals()
    for (const game of [g1, g2, g2]) refusals.refused("start", game, `no address for ${game} ${id}`)
    assert.isUndefined(refusals.common())
    refusals.refused("start", g3, "no address for g3 fedcba9876543210")
    assert.include(refusals.common(), "refuses 3 games, and has accepted none since: no address for g3")
  })

  it("is each game's own when it is another one", () => {
    const refusals = makeRefusals()
    for (const [index, game] of [g1, g2, g3].entries()) refusals.refused("start", game, `port ${index} is taken`)
    assert.isUndefined(refusals.common())
  })

  it("is over when the engine accepts such a change, and not when it accepts another one", () => {
    const refusals = makeRefusals()
    for (const game of [g1, g2, g3]) refusals.refused("start", game, "no space left on device")
    refusals.accepted("other")
    assert.isString(refusals.common())
    refusals.accepted("start")
    assert.isUndefined(refusals.common())
  })
})
