/**
 * The places in which a controller works on keys. A start keeps its worker busy for the best part of a second and a look takes
 * milliseconds: each has places of its own, so that no look waits for a start. Synchronous, so that its every step is atomic.
 */
import type { Free } from "./QueueCore.ts"

/** The place of one run. */
export interface Place {
  readonly kind: "Slow" | "Quick"
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
  readonly nowMs: () => number
}

export class Places {
  readonly #options: PlacesOptions
  readonly #used = { Slow: 0, Quick: 0 }
  #lent = 0

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** Places in use, and runs that go on beside them. */
  get inUse(): { readonly slow: number; readonly quick: number; readonly lent: number } {
    return { slow: this.#used.Slow, quick: this.#used.Quick, lent: this.#lent }
  }

  free(): Free {
    return this.#hasSlow() ? "Any" : this.#hasQuick() ? "Quick" : "None"
  }

  /** The place for a key that there is room for. A quick key takes a slow place only when no quick one is free. */
  take(slow: boolean): Place {
    return this.#hold({ kind: slow || !this.#hasQuick() ? "Slow" : "Quick", held: "Held", sinceMs: 0 })
  }

  /** Whether the run holds a slow place: it gets one for its own, if one is free. */
  admitSlow(place: Writable<Place>): boolean {
    if (place.held === "Gone") return false
    if (place.kind === "Slow") return true
    if (!this.#hasSlow()) return false
    this.#leave(place)
    place.kind = "Slow"
    this.#hold(place)
    return true
  }

  /** Gives the place to others while its run goes on; not when too many are lent. */
  lend(place: Writable<Place>): void {
    if (place.held !== "Held" || this.#lent >= this.#options.lent) return
    this.#leave(place)
    place.held = "Lent"
    this.#lent++
  }

  release(place: Writable<Place>): void {
    this.#leave(place)
    place.held = "Gone"
  }

  #hold(place: Writable<Place>): Place {
    place.held = "Held"
    place.sinceMs = this.#options.nowMs()
    this.#used[place.kind]++
    return place
  }

  #leave(place: Place): void {
    if (place.held === "Held") this.#used[place.kind]--
    if (place.held === "Lent") this.#lent--
  }

  #hasSlow(): boolean {
    return this.#used.Slow < this.#options.slow
  }

  #hasQuick(): boolean {
    return this.#used.Quick < this.#options.quick
  }
}

type Writable<A> = { -readonly [P in keyof A]: A[P] }
