/**
 * How many entries to ask for at once. Nobody knows how big an entry is before it is there, and a reply is held in memory
 * as a whole: a read begins small, grows while replies are full, small and quick, and falls back when one was not.
 */
import type { JobStreamEntry } from "../Streams.ts"

const first = 4
/** Of field values; a reply above `large` makes the next one smaller. */
const smallChars = 512 * 1024
const largeChars = 8 * 1024 * 1024
const quickMs = 500

export class ReadSize {
  #count = first

  get count(): number {
    return this.#count
  }

  /** A reply to a read of `asked` entries of each stream, which took so long. */
  saw(entries: ReadonlyArray<JobStreamEntry>, asked: number, tookMs: number): void {
    if (entries.length === 0) return
    const chars = charsOf(entries)
    if (chars > largeChars) this.#count = Math.max(1, Math.floor(this.#count / 2))
    else if (entries.length < asked) this.#count = Math.min(this.#count, Math.max(first, 2 * entries.length))
    else if (chars <= smallChars && tookMs <= quickMs) this.#count = Math.min(256, 2 * this.#count)
  }

  failed(): void {
    this.#count = Math.max(1, Math.floor(this.#count / 4))
  }
}

const charsOf = (entries: ReadonlyArray<JobStreamEntry>): number => {
  let chars = 0
  for (const { fields } of entries) {
    if (fields !== null) for (const value of Object.values(fields)) chars += value.length
  }
  return chars
}
