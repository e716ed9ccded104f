import { assert, describe, it } from "@effect/vitest"
import { StreamMerge } from "../../../src/streams/redis/StreamMerge.ts"
import type { JobStreamEntry } from "../../../src/streams/Streams.ts"

const entry = (stream: string, entryId: string): JobStreamEntry =>
  ({ stream, entryId, kind: stream === "start" ? "start" : "stop", fields: {}, deliveries: 1 })

/** A consumer group of one consumer, as Redis keeps it: what was delivered, what is pending. */
class Group {
  readonly entries: Record<string, Array<string>> = { start: [], stop: [] }
  readonly pending: Record<string, Array<string>> = { start: [], stop: [] }

  read(stream: string, after: string, count: number): ReadonlyArray<JobStreamEntry> {
    const known = this.pending[stream]!
    if (after !== ">") return known.filter((id) => after === "0" || compare(id, after) > 0).slice(0, count).map((id) => entry(stream, id))
    const fresh = this.entries[stream]!.splice(0, count)
    known.push(...fresh)
    return fresh.map((id) => entry(stream, id))
  }
}

const compare = (a: string, b: string): number => {
  const [aMs = 0, aSeq = 0] = a.split("-").map(Number)
  const [bMs = 0, bSeq = 0] = b.split("-").map(Number)
  return aMs - bMs || aSeq - bSeq
}

const readOnce = (merge: StreamMerge, group: Group, count: number) => {
  const { from, mayBlock } = merge.next()
  const found = from.flatMap(([stream, after]) => group.read(stream, after, count))
  return { ready: merge.take(from.map(([stream]) => stream), found, count), mayBlock }
}

const dice = (seed: number) => {
  let state = seed + 1
  return (n: number): number => {
    state = Math.imul(state, 1_103_515_245) + 12_345 | 0
    return (state >>> 16) % n
  }
}

describe("StreamMerge", () => {
  it("reads what is pending before what is new, and blocks only when nothing is known to wait", () => {
    const merge = new StreamMerge(["start", "stop"])
    assert.deepStrictEqual(merge.next(), { from: [["start", "0"], ["stop", "0"]], mayBlock: false })
    merge.take(["start", "stop"], [], 10)
    assert.deepStrictEqual(merge.next(), { from: [["start", ">"], ["stop", ">"]], mayBlock: false })
    merge.take(["start", "stop"], [], 10)
    assert.deepStrictEqual(merge.next(), { from: [["start", ">"], ["stop", ">"]], mayBlock: true })
  })

  it("puts starts before stops within one millisecond, and each stream's own in its order", () => {
    const merge = new StreamMerge(["start", "stop"])
    const group = new Group()
    group.entries.start = ["5-9", "5-10"]
    group.entries.stop = ["5-0", "6-0"]
    const found = [readOnce(merge, group, 10), readOnce(merge, group, 10)].flatMap(({ ready }) => ready)
    assert.deepStrictEqual(found.map(({ entryId, stream }) => `${stream} ${entryId}`), ["start 5-9", "start 5-10", "stop 5-0", "stop 6-0"])
  })

  it.each(Array.from({ length: 200 }, (_, seed) => seed))("gives all of both streams once and in order, whatever the batches and wherever it begins anew (seed %d)", (seed) => {
    const roll = dice(seed)
    const group = new Group()
    for (let ms = 1; ms <= 60; ms++) group.entries[roll(3) === 0 ? "stop" : "start"]!.push(`${ms}-0`)
    const count = 1 + roll(6)
    let merge = new StreamMerge(["start", "stop"])
    const seen: Array<number> = []
    for (let round = 0; round < 500 && seen.length < 60; round++) {
      if (roll(12) === 0) merge = new StreamMerge(["start", "stop"])
      for (const { entryId, stream } of readOnce(merge, group, count).ready) {
        seen.push(Number(entryId.split("-")[0]))
        group.pending[stream] = group.pending[stream]!.filter((id) => id !== entryId)
      }
    }
    assert.deepStrictEqual(seen, Array.from({ length: 60 }, (_, index) => index + 1))
  })
})
