/**
 * Whether something answers: `up`, `down` (refuses at once, open connections break) or `silent` (takes the request and
 * says nothing). What was asked while it was silent and changes something is carried out when it answers again, even when
 * nobody waits for the answer any more, as a real server reads what lies in its socket.
 */
import { Effect } from "effect"

interface Waiting {
  readonly carryOut: () => void
  readonly refuse: () => void
}

export class Availability {
  #state: "up" | "down" | "silent" = "up"
  readonly #waiting = new Set<Waiting>()
  readonly #onBreak = new Set<() => void>()
  /** How often connections broke. */
  breaks = 0

  get state(): "up" | "down" | "silent" {
    return this.#state
  }

  /** Answers, and begins with what was asked meanwhile. */
  up(): void {
    this.#state = "up"
    for (const waiting of this.#takeWaiting()) waiting.carryOut()
  }

  /** Refuses, breaks every open connection, and forgets what was asked and not answered. */
  down(): void {
    this.#state = "down"
    this.breaks++
    for (const broken of Array.from(this.#onBreak)) broken()
    for (const waiting of this.#takeWaiting()) waiting.refuse()
  }

  /** Keeps connections open and says nothing. */
  silence(): void {
    this.#state = "silent"
  }

  /** Runs `broken` when connections break; answers how to leave. */
  whenBroken(broken: () => void): () => void {
    this.#onBreak.add(broken)
    return () => this.#onBreak.delete(broken)
  }

  /** Runs `body` now, or when it is no longer silent; never when it went down. */
  whenAnswering(body: () => void): void {
    if (this.#state === "up") body()
    else if (this.#state === "silent") this.#waiting.add({ carryOut: body, refuse: () => {} })
  }

  /** Runs `body` as soon as it answers; `refused` is the failure when it is down. What `body` throws is the failure. */
  reach<A, E>(body: () => A, refused: () => E, mutates: boolean): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.#state === "up") return attempt<A, E>(body)
      if (this.#state === "down") return Effect.fail(refused())
      return Effect.callback<A, E>((resume) => {
        const waiting: Waiting = {
          carryOut: () => resume(attempt<A, E>(body)),
          refuse: () => resume(Effect.fail(refused()))
        }
        this.#waiting.add(waiting)
        return Effect.sync(() => {
          if (!mutates) this.#waiting.delete(waiting)
        })
      })
    })
  }

  #takeWaiting(): ReadonlyArray<Waiting> {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    return waiting
  }
}

/** A thrown value with a tag is a typed failure; any other is a bug of the fake. */
const attempt = <A, E>(body: () => A): Effect.Effect<A, E> => {
  try {
    return Effect.succeed(body())
  } catch (thrown) {
    return typeof thrown === "object" && thrown !== null && "_tag" in thrown ? Effect.fail(thrown as E) : Effect.die(thrown)
  }
}
