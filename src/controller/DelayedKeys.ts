/** Keys with the time they come due: a binary heap with one place a key, the earliest wish winning. */
export class DelayedKeys<K> {
  readonly #heap: Array<{ readonly key: K; readonly dueMs: number }> = []
  readonly #due = new Map<K, number>()

  get size(): number {
    return this.#due.size
  }

  /** Puts `key` in, or moves it forward; a later wish than the one there changes nothing. Answers whether this wish holds now. */
  put(key: K, dueMs: number): boolean {
    const known = this.#due.get(key)
    if (known !== undefined && known <= dueMs) return false
    this.#due.set(key, dueMs)
    this.#heap.push({ key, dueMs })
    this.#up(this.#heap.length - 1)
    return true
  }

  /** When the first key comes due. */
  nextDueMs(): number | undefined {
    this.#dropMoved()
    return this.#heap[0]?.dueMs
  }

  /** Takes out one key that is due. */
  takeDue(nowMs: number): K | undefined {
    this.#dropMoved()
    const first = this.#heap[0]
    if (first === undefined || first.dueMs > nowMs) return undefined
    this.#pop()
    this.#due.delete(first.key)
    return first.key
  }

  /** A key that was moved forward left its later entry behind. */
  #dropMoved(): void {
    while (this.#heap.length > 0 && this.#due.get(this.#heap[0]!.key) !== this.#heap[0]!.dueMs) this.#pop()
  }

  #pop(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.#down(0)
  }

  #up(index: number): void {
    const heap = this.#heap
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent]!.dueMs <= heap[index]!.dueMs) return
      ;[heap[parent], heap[index]] = [heap[index]!, heap[parent]!]
      index = parent
    }
  }

  #down(index: number): void {
    const heap = this.#heap
    for (;;) {
      const left = 2 * index + 1
      let least = index
      if (left < heap.length && heap[left]!.dueMs < heap[least]!.dueMs) least = left
      if (left + 1 < heap.length && heap[left + 1]!.dueMs < heap[least]!.dueMs) least = left + 1
      if (least === index) return
      ;[heap[least], heap[index]] = [heap[index]!, heap[least]!]
      index = least
    }
  }
}
