/**
 * The keys that wait for a worker, in a line for each class, and which of them is next. Constant time, however many wait.
 *
 * The highest class goes first, and yet none starves: of the turns in which a key of a class could be taken, the class gets at
 * least each `every`-th. So a key at position p of its class is taken within `p * every` turns, whatever comes meanwhile.
 * Turns for any key and turns for some kinds of keys alone are counted apart: else the quick keys of a class could use up its
 * turns, and its slow ones starve.
 */
import { type Entry, Line } from "./Line.ts"
import { classes, type Priority } from "./Priority.ts"

/** `Quick`: those that are not slow. `Urgent`: these, and slow ones of the urgent classes. */
export type Kind = "Any" | "Urgent" | "Quick"
const kinds: ReadonlyArray<Kind> = ["Any", "Urgent", "Quick"]

const isOf = (kind: Kind, { priority, slow }: { readonly priority: Priority; readonly slow: boolean }): boolean =>
  kind === "Any" || !slow || (kind === "Urgent" && classes[priority].urgent)

export interface Item<K> {
  readonly key: K
  priority: Priority
  slow: boolean
  trigger: string
  addedAtMs: number
  /** Its places in the lines while it waits. */
  entries: Map<Kind, Entry<Item<K>>> | undefined
}

/** The lines of one kind of turn, and how often in a row each class was passed over though a key could have been taken. */
class Turns<K> {
  readonly lines = classes.map(() => new Line<Item<K>>())
  readonly #passed = classes.map(() => 0)

  first(): Item<K> | undefined {
    const chosen = this.#choose()
    for (let each = 0; each < classes.length; each++) {
      this.#passed[each] = each === chosen || this.lines[each]!.first === undefined ? 0 : this.#passed[each]! + 1
    }
    return this.lines[chosen]?.first?.item
  }

  /**
   * The highest class, unless another must go now to have its turn in time: when n classes have to be served within the
   * next n turns, the most urgent of them is. A class that was served is not due again for at least as many turns as there
   * are classes, so that n never grows past the turns left.
   */
  #choose(): number {
    let waiting = 0
    let highest = -1
    let urgent = -1
    let leastLeft = Infinity
    for (let each = classes.length - 1; each >= 0; each--) {
      if (this.lines[each]!.first === undefined) continue
      waiting++
      highest = each
      const left = this.#left(each)
      if (left > leastLeft) continue
      leastLeft = left
      urgent = each
    }
    return leastLeft <= waiting && this.#mustServe() ? urgent : highest
  }

  #mustServe(): boolean {
    for (let turns = 1; turns <= classes.length; turns++) {
      let due = 0
      for (let each = 0; each < classes.length; each++) {
        if (this.lines[each]!.first !== undefined && this.#left(each) <= turns) due++
      }
      if (due >= turns) return true
    }
    return false
  }

  /** Within how many turns from now the class is to be served. */
  #left(each: number): number {
    return classes[each]!.every - this.#passed[each]!
  }
}

export class Waiting<K> {
  readonly #turns: Readonly<Record<Kind, Turns<K>>> = { Any: new Turns(), Urgent: new Turns(), Quick: new Turns() }
  #size = 0

  get size(): number {
    return this.#size
  }

  join(item: Item<K>): void {
    this.#size++
    item.entries = new Map()
    this.#joinLines(item)
  }

  /** To a higher class: at the end of its line. */
  raise(item: Item<K>, priority: Priority): void {
    this.#leave(item)
    item.priority = priority
    this.join(item)
  }

  /** Keeps its place in its class, and joins the quick keys of it. */
  quicken(item: Item<K>): void {
    item.slow = false
    this.#joinLines(item)
  }

  /** Takes out the next key of that kind. */
  take(kind: Kind): Item<K> | undefined {
    const item = this.#turns[kind].first()
    if (item !== undefined) this.#leave(item)
    return item
  }

  /** Those that it is not in yet. */
  #joinLines(item: Item<K>): void {
    for (const kind of kinds) {
      if (isOf(kind, item) && !item.entries!.has(kind)) item.entries!.set(kind, this.#turns[kind].lines[item.priority]!.join(item))
    }
  }

  #leave(item: Item<K>): void {
    this.#size--
    for (const [kind, entry] of item.entries!) this.#turns[kind].lines[item.priority]!.leave(entry)
    item.entries = undefined
  }
}
