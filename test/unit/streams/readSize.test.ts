import { assert, describe, it } from "@effect/vitest"
import { ReadSize } from "../../../src/streams/redis/ReadSize.ts"
import type { JobStreamEntry } from "../../../src/streams/Streams.ts"

const reply = (count: number, chars: number): ReadonlyArray<JobStreamEntry> =>
  Array.from({ length: count }, () => ({ stream: "s", kind: "start", life: "", entryId: "1-0", fields: { spec: "x".repeat(chars) }, deliveries: 1 }))

describe("the size of a read", () => {
  it("begins small, and is large after a few full replies of small entries", () => {
    const size = new ReadSize()
    const counts = [size.count]
    for (let round = 0; round < 8; round++) {
      size.saw(reply(size.count, 200), size.count, 2)
      counts.push(size.count)
    }
    assert.deepStrictEqual(counts, [4, 8, 16, 32, 64, 128, 256, 256, 256])
  })

  it("does not grow while replies are large or slow", () => {
    const size = new ReadSize()
    size.saw(reply(4, 1_000_000), 4, 2)
    size.saw(reply(4, 200), 4, 2000)
    assert.strictEqual(size.count, 4)
  })

  it("falls to single entries when those are huge, and after failures", () => {
    const size = new ReadSize()
    size.saw(reply(4, 5_000_000), 4, 100)
    size.saw(reply(2, 5_000_000), 2, 100)
    size.saw(reply(1, 5_000_000), 1, 100)
    assert.strictEqual(size.count, 1)
    const other = new ReadSize()
    other.failed()
    other.failed()
    assert.strictEqual(other.count, 1)
  })

  it("forgets a rush once it is over: what comes next may be of another kind", () => {
    const size = new ReadSize()
    for (let round = 0; round < 8; round++) size.saw(reply(size.count, 200), size.count, 2)
    size.saw(reply(10, 200), size.count, 2)
    assert.strictEqual(size.count, 20)
    size.saw([], size.count, 2)
    assert.strictEqual(size.count, 20)
    size.saw(reply(1, 200), size.count, 2)
    assert.strictEqual(size.count, 4)
  })
})
