/**
 * Several streams read as one, in the order in which their entries were written. A read is cut off at its count stream by
 * stream, so one stream may be ahead of another by hours: what came of it too early is held until the others caught up.
 *
 * The one rule: each stream has a mark that everything still unread of it comes after, and an entry is handed out when no
 * stream's mark is before it. The streams with the lowest mark are read next, in one atomic read, so that nothing can be
 * written to one of them behind the back of another; a stream that is ahead waits, so what is held stays within two reads.
 *
 * Where one command cannot read them all, they are read one by one (`nextAlone`): a read of one stream says nothing of what is
 * written to another meanwhile, so a new entry waits until the others were read after it. The order is by entry ids: streams
 * on servers of their own are in order as far as the servers' clocks agree.
 */
import { entryMs, type JobStreamEntry } from "../Streams.ts"

/** A place in the common order. Within one millisecond streams have no order; there starts come first, so that a stop holds. */
type Mark = readonly [ms: number, rank: number, sequence: number]

interface Position {
  /** Id to read after: of this consumer's own pending entries, or `>` for new ones. */
  after: string
  mark: Mark
}

/** What to read: `[stream, id]`. It may block when nothing is known to wait. */
export interface NextRead {
  readonly from: ReadonlyArray<readonly [string, string]>
  readonly mayBlock: boolean
}

export class StreamMerge {
  readonly #names: ReadonlyArray<string>
  readonly #positions: Map<string, Position>
  #turn = 0
  #held: ReadonlyArray<JobStreamEntry> = []
  #newestMs = -1

  constructor(names: ReadonlyArray<string>) {
    this.#names = names
    // Pending entries first: an answer that was lost with its socket is never given again for `>`.
    this.#positions = new Map(names.map((name) => [name, { after: "0", mark: [-1, -1, -1] }]))
  }

  get held(): number {
    return this.#held.length
  }

  /** Whether everything that was written so far, as far as is known, was handed out. */
  get caughtUp(): boolean {
    return [...this.#positions.values()].every(({ after, mark }) => after === ">" && isDrained(mark) && mark[0] === this.#newestMs)
  }

  /** Whether this consumer's own pending entries are still read. */
  get isPending(): boolean {
    return [...this.#positions.values()].some(({ after }) => after !== ">")
  }

  next(): NextRead {
    const lowest = this.#lowest()
    const wanted = [...this.#positions].filter(([, { mark }]) =>
      compare(mark, lowest) <= 0 || (isDrained(mark) && mark[0] <= lowest[0]))
    return { from: wanted.map(([name, { after }]) => [name, after]), mayBlock: this.caughtUp }
  }

  /** The same for one stream, in turns. It may block, but not for long: the others wait behind it. */
  nextAlone(): NextRead {
    const { from, mayBlock } = this.next()
    return { from: [from[this.#turn++ % from.length]!], mayBlock }
  }

  /** Takes what `read` found with COUNT `count`; answers what is known to be next, oldest first. */
  take({ from, mayBlock }: NextRead, found: ReadonlyArray<JobStreamEntry>, count: number): ReadonlyArray<JobStreamEntry> {
    const byStream = Map.groupBy(found, ({ stream }) => stream)
    for (const { entryId } of found) this.#newestMs = Math.max(this.#newestMs, entryMs(entryId))
    for (const [name] of from) {
      const own = byStream.get(name) ?? []
      // A read that had to wait is answered from one stream alone: nothing is known of the others.
      if (own.length > 0 || found.length === 0 || !mayBlock) this.#advance(this.#positions.get(name)!, own, count)
    }
    const lowest = this.#lowest()
    const all = [...this.#held, ...found].sort((a, b) => compare(this.#markOf(a), this.#markOf(b)))
    this.#held = all.filter((entry) => compare(this.#markOf(entry), lowest) > 0)
    return all.filter((entry) => compare(this.#markOf(entry), lowest) <= 0)
  }

  #advance(position: Position, entries: ReadonlyArray<JobStreamEntry>, count: number): void {
    const last = entries.at(-1)
    const short = entries.length < count
    if (position.after === ">") position.mark = short ? [this.#newestMs, Infinity, Infinity] : this.#markOf(last!)
    else {
      if (last !== undefined) position.mark = this.#markOf(last)
      position.after = short ? ">" : last!.entryId
    }
  }

  #lowest(): Mark {
    return [...this.#positions.values()].map(({ mark }) => mark).reduce((low, mark) => compare(mark, low) < 0 ? mark : low)
  }

  readonly #markOf = ({ entryId, stream }: JobStreamEntry): Mark =>
    [entryMs(entryId), this.#names.indexOf(stream), Number(entryId.slice(entryId.indexOf("-") + 1))]
}

/** A read that came back short proves that the stream held nothing more: what comes next is newer than all that is known. */
const isDrained = (mark: Mark): boolean => mark[1] === Infinity

// Not by subtraction: Infinity - Infinity is no number.
const compare = (a: Mark, b: Mark): number => order(a[0], b[0]) || order(a[1], b[1]) || order(a[2], b[2])
const order = (a: number, b: number): number => a < b ? -1 : a > b ? 1 : 0
