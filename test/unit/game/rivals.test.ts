import { assert, describe, it } from "@effect/vitest"
import { makeRivalWatch } from "../../../controllers/game/rivals.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { ContainerSummary } from "../../../src/engine/ContainerEngine.ts"

const made = (id: string, epoch?: number, instance = "prod"): ContainerSummary => ({
  id, gameId: id as GameId, name: `galaxy-game-${id}`, state: "running", createdAtMs: 0, imageRef: "a:1", specHash: "v1:x", generation: 1, instance,
  ...(epoch === undefined ? {} : { epoch })
})

interface Case {
  readonly name: string
  readonly because: string
  /** What each list shows, and when it is made, in seconds. */
  readonly lists: ReadonlyArray<readonly [atSeconds: number, ReadonlyArray<ContainerSummary>]>
  /** Whose container tells at the last list. */
  readonly then?: string
}

const cases: ReadonlyArray<Case> = [
  { name: "its own containers", because: "it made them", lists: [[0, []], [300, [made("g1", 5)]]] },
  { name: "what earlier terms made", because: "it was there from the beginning", lists: [[0, [made("g1", 2), made("g2", 4)]], [300, [made("g1", 2), made("g2", 4)]]] },
  { name: "what comes late to a term that began while the engine was stuck", because: "it is counted from the first list", lists: [[200, []], [230, [made("g1", 4)]]] },
  { name: "a container that a list leaves out for once", because: "it was seen before", lists: [[0, [made("g1", 4)]], [100, []], [200, [made("g1", 4)]]] },
  { name: "a create of the last term that comes late", because: "an engine carries out what its client gave up", lists: [[0, []], [30, [made("g1", 4)]], [300, [made("g1", 4)]]] },
  { name: "what another installation made", because: "it counts for itself", lists: [[0, [made("g1", 9, "blue")]], [300, [made("g1", 9, "blue"), made("g2", 9, "blue")]]] },
  { name: "what was made by hand or by an older release", because: "it says nothing", lists: [[0, []], [300, [made("g1")]]] },
  { name: "a newer epoch", because: "this database knows of none", lists: [[0, [made("g1", 6)]]], then: "g1" },
  { name: "what an earlier epoch makes long after it is over", because: "its controller is alive", lists: [[0, [made("g1", 4)]], [300, [made("g1", 4), made("g2", 4)]]], then: "g2" }
]

describe("whether another controller of this installation is alive", () => {
  it.each(cases)("$name", ({ because, lists, then }) => {
    const watch = makeRivalWatch("prod", 5)
    const said = lists.map(([at, containers]) => watch(containers, at * 1000)).at(-1)
    if (then === undefined) assert.isUndefined(said, because)
    else assert.include(said, `container galaxy-game-${then} `, because)
  })
})
