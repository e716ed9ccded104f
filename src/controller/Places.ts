/**
 * The places in which a controller works on keys. A start keeps its worker busy for the best part of a second and a look takes
 * milliseconds: each has places of its own, so that no look waits for a start. Synchronous, so that its every step is atomic.
 */
import { classes } from "./Priority.ts"
import type { Free, Taken } from "./QueueCore.ts"

/** The place of one run. */
export interface Place {
  readonly kind: "Slow" | "Quick"
  /** Its key is of an urgent class. */
  readonly urgent: boolean
  /** Lent: its run goes on beside the places. Gone: the run is over, or no longer counts. */
  readonly held: "Held" | "Lent" | "Gone"
  /** Since when it is held, by the monotonic clock. */
  readonly sinceMs: number
}

export interface PlacesOptions {
  readonly slow: number
  readonly quick: number
  /** How many may be lent at once. */
  readonly lent: number
  /** See `lendAfterMs`. */
  readonly lendAfterMs: number
  readonly nowMs: () => number
  /** How soon a key comes whose time is up; undefined: none does. */
  readonly dueInMs: () => number | undefined
}

/** The last runs of a kind whose lengths are remembered. */
const remembered = 15
/** A run is slower than the others when it takes so many times as long as most of them. */
const slower = 4
const longestMs = 30_000
/**
 * While an urgent start is under way, and for so long before its time is up, new ones get half of the places and no more: whatever shares
 * the host with it makes it slower, and those that were begun before take about so long. Half of them they get however many are urgent.
 */
const soonMs = 1500

export class Places {
  readonly #options: PlacesOptions
  readonly #used = { Slow: 0, Quick: 0 }
  readonly #tookMs: { readonly Slow: Array<number>; readonly Quick: Array<number> } = { Slow: [], Quick: [] }
  /** Slow places that urgent keys hold. */
  #urgent = 0
  #lent = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** Places in use, and runs that go on beside them. */
  get inUse(): { readonly slow: number; readonly quick: number; readonly lent: number } {
    return { slow: this.#used.Slow, quick: this.#used.Quick, lent: this.#lent }
  }

  free(): Free {
    if (this.#hasSlow(false)) return "Any"
    return this.#hasSlow(true) ? "Urgent" : this.#hasQuick() ? "Quick" : "None"
  }

  /** The place for a key that there is room for. A quick key takes a slow place only when no quick one is free. */
  take({ priority, slow }: Pick<Taken<unknown>, "priority" | "slow">): Place {
    return this.#hold({ kind: slow || !this.#hasQuick() ? "Slow" : "Quick", urgent: classes[priority].urgent, held: "Held", sinceMs: 0 })
  }

  /** Whether the run holds a slow place: it gets one for its own, if one is free. */
  admitSlow(place: Writable<Place>): boolean {
    if (place.held === "Gone") return false
    if (place.kind === "Slow") return true
    if (!this.#hasSlow(place.urgent)) return false
    this.#leave(place)
    place.kind = "Slow"
    this.#hold(place)
    return true
  }

  /**
   * How long a run keeps its place from others. One that hangs is told from a host that is slow for all: there, more at once
   * would only make each of them slower still, and that would let in even more.
   */
  lendAfterMs({ kind }: Place): number {
    const sorted = [...this.#tookMs[kind]].sort((a, b) => a - b)
    const usualMs = sorted[sorted.length >> 1] ?? 0
    return Math.max(this.#options.lendAfterMs, Math.min(longestMs, slower * usualMs))
  }

  /** Gives the place to others while its run goes on; not when too many are lent. */
  lend(place: Writable<Place>): void {
    if (place.held !== "Held" || this.#lent >= this.#options.lent) return
    this.#leave(place)
    place.held = "Lent"
    this.#lent++
  }

  release(place: Writable<Place>): void {
    if (place.held !== "Gone") this.#remember(place)
    this.#leave(place)
    place.held = "Gone"
  }

  #hold(place: Writable<Place>): Place {
    place.held = "Held"
    place.sinceMs = this.#options.nowMs()
    this.#count(place, 1)
    return place
  }

  #remember({ kind, sinceMs }: Place): void {
    const took = this.#tookMs[kind]
    took.push(this.#options.nowMs() - sinceMs)
    if (took.length > remembered) took.shift()
  }

  #leave(place: Place): void {
    if (place.held === "Held") this.#count(place, -1)
    if (place.held === "Lent") this.#lent--
  }

  #count({ kind, urgent }: Place, by: 1 | -1): void {
    this.#used[kind] += by
    if (kind === "Slow" && urgent) this.#urgent += by
  }

  #hasSlow(urgent: boolean): boolean {
    const { dueInMs, slow } = this.#options
    if (this.#used.Slow >= slow) return false
    return urgent || this.#used.Slow - this.#urgent < Math.ceil(slow / 2) || (this.#urgent === 0 && (dueInMs() ?? Infinity) > soonMs)
  }

  #hasQuick(): boolean {
    return this.#used.Quick < this.#options.quick
  }
}

type Writable<A> = { -readonly [P in keyof A]: A[P] }
