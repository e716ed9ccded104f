/** A line of items, first come first served, that can be left from any place in it: each step takes constant time. */
export interface Entry<A> {
  readonly item: A
  previous: Entry<A> | undefined
  next: Entry<A> | undefined
}

export class Line<A> {
  first: Entry<A> | undefined
  #last: Entry<A> | undefined

  /** Joins at the end. The entry is the way out, for one `leave`. */
  join(item: A): Entry<A> {
    const entry: Entry<A> = { item, previous: this.#last, next: undefined }
    if (this.#last === undefined) this.first = entry
    else this.#last.next = entry
    this.#last = entry
    return entry
  }

  leave(entry: Entry<A>): void {
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.#last = entry.previous
    else entry.next.previous = entry.previous
  }
}
