import { assert, describe, it } from "@effect/vitest"
import { type NextRead, StreamMerge } from "../../../src/streams/redis/StreamMerge.ts"
import type { JobStreamEntry } from "../../../src/streams/Streams.ts"

const entry = (stream: string, entryId: string): JobStreamEntry =>
  ({ stream, life: "", entryId, kind: stream === "start" ? "start" : "stop", fields: {}, deliveries: 1 })

/** A consumer group of one consumer, as Redis keeps it: what was written, what was delivered, what is pending. */
class Group {
  readonly entries: Record<string, Array<string>> = { start: [], stop: [] }
  readonly pending: Record<string, Array<string>> = { start: [], stop: [] }

  /** One XREADGROUP: all its streams at one instant. `arrive` is what ends a wait: it writes to one stream or more. */
  read({ from, mayBlock }: NextRead, count: number, arrive: () => void = () => {}): ReadonlyArray<JobStreamEntry> {
    const waits = mayBlock && from.every(([stream]) => this.entries[stream]!.length === 0)
    if (waits) arrive()
    const found = from.map(([stream, after]) => this.#inStream(stream, after).slice(0, count))
    // Who waited is served from one stream alone; the others are left for the next read.
    const served = waits ? found.find((entries) => entries.length > 0) ?? [] : found.flat()
    for (const { entryId, stream } of served) {
      if (!this.pending[stream]!.includes(entryId)) {
        this.pending[stream]!.push(entryId)
        this.entries[stream]!.shift()
      }
    }
    return served
  }

  #inStream(stream: string, after: string): ReadonlyArray<JobStreamEntry> {
    const ids = after === ">" ? this.entries[stream]! : this.pending[stream]!.filter((id) => after === "0" || compare(id, after) > 0)
    return ids.map((id) => entry(stream, id))
  }

  acknowledge({ entryId, stream }: JobStreamEntry): void {
    this.pending[stream] = this.pending[stream]!.filter((id) => id !== entryId)
  }
}

const compare = (a: string, b: string): number => {
  const [aMs = 0, aSeq = 0] = a.split("-").map(Number)
  const [bMs = 0, bSeq = 0] = b.split("-").map(Number)
  return aMs - bMs || aSeq - bSeq
}

const readOnce = (merge: StreamMerge, group: Group, count: number, arrive?: () => void) => {
  const next = merge.next()
  return { ready: merge.take(next, group.read(next, count, arrive), count), mayBlock: next.mayBlock }
}

const both = (after: string, mayBlock: boolean): NextRead => ({ from: [["start", after], ["stop", after]], mayBlock })

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
    for (const wanted of [both("0", false), both(">", false), both(">", true)]) {
      assert.deepStrictEqual(merge.next(), wanted)
      assert.strictEqual(merge.caughtUp, wanted.mayBlock)
      merge.take(wanted, [], 10)
    }
  })

  it("reads a stream that was empty again together with the one that lags: a stop sent meanwhile is not overtaken", () => {
    const merge = new StreamMerge(["start", "stop"])
    const group = new Group()
    group.entries.start = ["1-0", "2-0", "3-0", "4-0"]
    const found = [readOnce(merge, group, 2), readOnce(merge, group, 2)].flatMap(({ ready }) => ready)
    group.entries.stop = ["5-0"]
    group.entries.start.push("6-0")
    for (let round = 0; round < 4; round++) found.push(...readOnce(merge, group, 2).ready)
    assert.deepStrictEqual(found.map(({ entryId }) => entryId), ["1-0", "2-0", "3-0", "4-0", "5-0", "6-0"])
  })

  it("holds no more than two reads of each stream, however long one of them lags", () => {
    const merge = new StreamMerge(["start", "stop"])
    const group = new Group()
    for (let ms = 1; ms <= 1000; ms++) group.entries.start!.push(`${ms}-0`)
    let nowMs = 2000
    let most = 0
    for (let round = 0; round < 400; round++) {
      group.entries.stop!.push(`${++nowMs}-0`, `${++nowMs}-0`)
      for (const each of readOnce(merge, group, 10).ready) group.acknowledge(each)
      most = Math.max(most, merge.held)
    }
    assert.isAtMost(most, 20)
    assert.strictEqual(group.entries.start!.length, 0)
  })

  it("puts starts before stops within one millisecond, and each stream's own in its order", () => {
    const merge = new StreamMerge(["start", "stop"])
    const group = new Group()
    group.entries.start = ["5-9", "5-10"]
    group.entries.stop = ["5-0", "6-0"]
    const found = [readOnce(merge, group, 10), readOnce(merge, group, 10)].flatMap(({ ready }) => ready)
    assert.deepStrictEqual(found.map(({ entryId, stream }) => `${stream} ${entryId}`), ["start 5-9", "start 5-10", "stop 5-0", "stop 6-0"])
  })

  it.each(Array.from({ length: 300 }, (_, seed) => seed))("gives all of both streams once and in order, whatever is written meanwhile, whatever the batches, wherever it begins anew (seed %d)", (seed) => {
    const roll = dice(seed)
    const group = new Group()
    const written: Array<string> = []
    let nowMs = 0
    const write = (most: number) => {
      for (let count = roll(most + 1); count > 0; count--) {
        const stream = roll(3) === 0 ? "stop" : "start"
        written.push(`${stream} ${++nowMs}-0`)
        group.entries[stream]!.push(`${nowMs}-0`)
      }
    }
    write(80)
    const most = 1 + roll(6)
    let merge = new StreamMerge(["start", "stop"])
    const seen: Array<string> = []
    for (let round = 0; round < 2000 && (round < 100 || seen.length < written.length); round++) {
      if (roll(15) === 0) merge = new StreamMerge(["start", "stop"])
      const count = 1 + roll(most)
      for (const each of readOnce(merge, group, count, () => round < 100 ? write(4) : undefined).ready) {
        seen.push(`${each.stream} ${each.entryId}`)
        group.acknowledge(each)
      }
      assert.isAtMost(merge.held, 4 * most)
      if (round < 100) write(3)
    }
    assert.deepStrictEqual(seen, written)
  })
})

describe("StreamMerge, its streams read one by one", () => {
  it.each(Array.from({ length: 200 }, (_, seed) => seed))("gives all of both streams once and in order, whatever is written between the reads (seed %d)", (seed) => {
    const roll = dice(seed)
    const group = new Group()
    const written: Array<string> = []
    let nowMs = 0
    const write = (most: number) => {
      for (let count = roll(most + 1); count > 0; count--) {
        const stream = roll(3) === 0 ? "stop" : "start"
        written.push(`${stream} ${++nowMs}-0`)
        group.entries[stream]!.push(`${nowMs}-0`)
      }
    }
    write(40)
    let merge = new StreamMerge(["start", "stop"])
    const seen: Array<string> = []
    for (let round = 0; round < 2000 && (round < 100 || seen.length < written.length); round++) {
      if (roll(15) === 0) merge = new StreamMerge(["start", "stop"])
      const next = merge.nextAlone()
      assert.lengthOf(next.from, 1)
      const found = group.read(next, 4, () => round < 100 ? write(3) : undefined)
      if (round < 100) write(2)
      for (const each of merge.take(next, found, 4)) {
        seen.push(`${each.stream} ${each.entryId}`)
        group.acknowledge(each)
      }
    }
    assert.deepStrictEqual(seen, written)
  })
})
