/** A first-in-first-out ring buffer: constant time at both ends, however long the queue. */
export class Fifo<A> {
  #items: Array<A | undefined> = Array.from({ length: 16 })
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: A): void {
    if (this.#size === this.#items.length) this.#grow()
    this.#items[(this.#head + this.#size++) & (this.#items.length - 1)] = item
  }

  peek(): A | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head]
  }

  shift(): A | undefined {
    if (this.#size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#items.length - 1)
    this.#size--
    return item
  }

  #grow(): void {
    const grown = Array.from<A | undefined>({ length: this.#items.length * 2 })
    for (let index = 0; index < this.#size; index++) {
      grown[index] = this.#items[(this.#head + index) & (this.#items.length - 1)]
    }
    this.#items = grown
    this.#head = 0
  }
}
