/**
 * Several streams read as one, in the order in which their entries were written. A batch is cut off at its count stream by
 * stream, so one stream may be ahead of another by hours: what came of it too early waits here until the other has caught up.
 */
import type { JobStreamEntry } from "../Streams.ts"
import { byEntryId, entryMs } from "./client.ts"

/** Where one stream stands. */
interface Position {
  /** Id to read after: of this consumer's own pending entries, or `>` for new ones. */
  after: string
  /** The last read came back short: nothing older than what comes next is left in it. */
  drained: boolean
  /** Milliseconds of the last entry seen; whatever comes next is not older. */
  seenMs: number
}

export class StreamMerge {
  readonly #names: ReadonlyArray<string>
  readonly #positions: Map<string, Position>
  #held: ReadonlyArray<JobStreamEntry> = []

  constructor(names: ReadonlyArray<string>) {
    this.#names = names
    // Pending entries first: an answer that was lost with its socket is never given again for `>`.
    this.#positions = new Map(names.map((name) => [name, { after: "0", drained: false, seenMs: 0 }]))
  }

  /** What to read next: `[stream, id]`. All are drained: nothing waits, and the read may block. */
  next(): { readonly from: ReadonlyArray<readonly [string, string]>; readonly mayBlock: boolean } {
    const behind = this.#names.filter((name) => !this.#positions.get(name)!.drained)
    const wanted = behind.length === 0 ? this.#names : behind
    return { from: wanted.map((name) => [name, this.#positions.get(name)!.after]), mayBlock: behind.length === 0 }
  }

  /** Takes what was read of `streams` with COUNT `count`; answers what is known to be next, oldest first. */
  take(streams: ReadonlyArray<string>, found: ReadonlyArray<JobStreamEntry>, count: number): ReadonlyArray<JobStreamEntry> {
    const byStream = Map.groupBy(found, ({ stream }) => stream)
    for (const name of streams) this.#advance(this.#positions.get(name)!, byStream.get(name) ?? [], count)
    const undrained = [...this.#positions.values()].filter(({ drained }) => !drained)
    const horizonMs = Math.min(...undrained.map(({ seenMs }) => seenMs))
    const all = [...this.#held, ...found].sort(this.#compare)
    this.#held = all.filter(({ entryId }) => entryMs(entryId) > horizonMs)
    return all.filter(({ entryId }) => entryMs(entryId) <= horizonMs)
  }

  #advance(position: Position, entries: ReadonlyArray<JobStreamEntry>, count: number): void {
    const last = entries.at(-1)
    if (last !== undefined) position.seenMs = Math.max(position.seenMs, entryMs(last.entryId))
    if (position.after === ">") position.drained = entries.length < count
    else position.after = last === undefined ? ">" : last.entryId
  }

  /** Within one millisecond streams have no common order; there starts come before stops, so that a stop holds. */
  readonly #compare = (a: JobStreamEntry, b: JobStreamEntry): number =>
    byEntryId(a, b) || this.#names.indexOf(a.stream) - this.#names.indexOf(b.stream) ||
    sequenceOf(a.entryId) - sequenceOf(b.entryId)
}

const sequenceOf = (id: string): number => Number(id.slice(id.indexOf("-") + 1))
