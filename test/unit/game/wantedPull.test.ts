/** Which image pull a game may ask for now: one for each attempt, so that what an earlier one ended with counts for it alone. */
import { assert, describe, it } from "@effect/vitest"
import { wantedPull } from "../../../controllers/game/decide/pull.ts"
import { bare, changed, exchanging, facts, failed, type Given, never, noImage, removed, replacing, row, running, stopped, stopWanted } from "../../support/observations.ts"

const wanted = (given: Given): string | undefined => {
  const { record, row: asked } = facts(given)
  return wantedPull(asked, record)
}

interface Case {
  readonly name: string
  readonly because: string
  readonly given: Given
}

const gone = { record: bare(), containers: [] }

const others: ReadonlyArray<Case> = [
  { name: "another image", because: "another image is another pull (4)", given: { ...gone, desired: row({ imageRef: "galaxy/engine:2.0.0" }) } },
  { name: "a newer generation", because: "a wish that was written again is tried again (4)", given: { ...gone, desired: row({ generation: 2 }) } },
  { name: "another row under the same generation", because: "its generation says nothing when it was made again", given: { ...gone, desired: row({ desiredHash: "other" }) } },
  { name: "a game that never ran", because: "its first attempt is not the one after a run", given: { record: null, containers: [] } },
  { name: "the attempt after a failed one", because: "retried with back-off: the registry may have the image by now (4)", given: { ...gone, record: failed(noImage) } },
  {
    name: "the start after another run", because: "`always` means at each start (6)", given: { record: stopped(3, { stoppedAtMs: 17 }) }
  },
  {
    name: "the attempt after two failed ones", because: "each try asks anew (4)", given: { ...gone, record: failed(noImage, { failureCount: 2 }) }
  }
]

const none: ReadonlyArray<Case> = [
  { name: "a game that runs as its row says", because: "nothing is to be started", given: {} },
  { name: "a game that is to end", because: "nothing is to be started (9)", given: { desired: stopWanted() } },
  { name: "a game without a row", because: "absence is never an order", given: { desired: null } },
  { name: "a removed game", because: "removed is terminal", given: { desired: changed(), record: removed() } },
  { name: "an invalid row", because: "nothing of it can be carried out", given: { desired: changed({ problem: { path: "spec.x", message: "is unknown" } }) } }
]

const wants: ReadonlyArray<Case> = [
  { name: "a changed game that runs", because: "the new image comes before the old container goes (10)", given: { desired: changed() } },
  { name: "a game whose container gives way", because: "the attempt is under way", given: { desired: changed(), record: running(exchanging(1000)) } },
  { name: "an ended game", because: "its next start may need it (6)", given: { record: stopped(3) } },
  { name: "an ended game under never", because: "somebody may want it again", given: { desired: never(), record: stopped(0) } }
]

describe("the pull that a game may ask for", () => {
  it("is the same for all looks at one attempt", () => {
    assert.isString(wanted(gone))
    assert.strictEqual(wanted(gone), wanted({ ...gone, pull: { _tag: "Pulling" } }))
  })

  it("is the same from the changed row to the start of what takes the old container's place", () => {
    const desired = changed()
    const phases = [running(), running(exchanging(1000)), stopped(0, replacing), bare(replacing)]
    assert.lengthOf([...new Set(phases.map((record) => wanted({ desired, record })))], 1)
  })

  it.each(others)("is another one for $name", ({ because, given }) => {
    const ids = [wanted(gone), ...others.map((one) => wanted(one.given))]
    assert.lengthOf(ids.filter((id) => id === wanted(given)), 1, because)
  })

  it.each(none)("is none for $name", ({ because, given }) => {
    assert.isUndefined(wanted(given), because)
  })

  it.each(wants)("is there for $name", ({ because, given }) => {
    assert.isString(wanted(given), because)
  })
})
