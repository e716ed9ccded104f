/** Listeners that come and go: each hears what is told from its joining on, as far as the line carries it. */
import { Effect, Queue, type Schedule, Stream } from "effect"
import { monotonicMsOf } from "../../../src/clock/monotonic.ts"
import type { Availability } from "./Availability.ts"
import type { Surroundings } from "./Surroundings.ts"

/** How well the line carries. */
export interface Line {
  /** `silent`: the line is open and carries nothing. `refused`: it cannot be opened, and open ones break. */
  mode: "on" | "silent" | "refused"
  /** Part of what is told that gets lost, 0 to 1. */
  loss: number
  /** Everything told arrives up to this much later, in order. */
  maxDelayMs: number
}

export class Broadcast<A> {
  readonly line: Line = { mode: "on", loss: 0, maxDelayMs: 0 }
  readonly #listeners = new Map<(event: A) => void, () => void>()
  readonly #server: Availability
  readonly #world: Surroundings
  #lastDueMs = 0

  constructor(server: Availability, world: Surroundings) {
    this.#server = server
    this.#world = world
    server.whenBroken(() => this.cut())
  }

  /** Tells it to all who listen now; a silent server tells it when it answers again. */
  tell(event: A): void {
    if (this.line.mode !== "on" || this.#listeners.size === 0) return
    const { clock, random } = this.#world
    if (this.line.loss > 0 && random.nextDoubleUnsafe() < this.line.loss) return
    const listeners = [...this.#listeners.keys()]
    const deliver = () => {
      for (const listener of listeners) if (this.#listeners.has(listener)) listener(event)
    }
    if (this.line.maxDelayMs === 0) return this.#server.whenAnswering(deliver)
    const nowMs = monotonicMsOf(clock)
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + Math.floor(random.nextDoubleUnsafe() * this.line.maxDelayMs))
    this.#world.after(this.#lastDueMs - nowMs, () => this.#server.whenAnswering(deliver))
  }

  /** Breaks every open line. */
  cut(): void {
    const broken = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const end of broken) end()
  }

  /** A line that opens with `opened`, is opened anew by `reconnect` whenever it breaks (`closed`), and never ends. */
  stream(opened: A, reconnect: Schedule.Schedule<unknown>, closed: () => void = () => {}): Stream.Stream<A> {
    return Stream.unwrap(Effect.map(this.#open, () => this.#listen(opened, closed))).pipe(
      Stream.catch(() => Stream.empty),
      Stream.repeat(reconnect)
    )
  }

  readonly #open: Effect.Effect<void, "refused"> = Effect.suspend(() =>
    this.line.mode === "refused" ? Effect.fail("refused" as const) : this.#server.reach(() => {}, () => "refused" as const, false)
  )

  #listen(opened: A, closed: () => void): Stream.Stream<A> {
    return Stream.callback<A>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const listener = (event: A) => void Queue.offerUnsafe(queue, event)
          this.#listeners.set(listener, () => void Queue.endUnsafe(queue))
          listener(opened)
          return listener
        }),
        (listener) => Effect.sync(() => {
          this.#listeners.delete(listener)
          closed()
        })
      ), { bufferSize: 4096, strategy: "sliding" })
  }
}
