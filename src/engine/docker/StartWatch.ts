/**
 * What is known of starts that this process asked for: whose `start` event is its own echo, which of the containers died
 * meanwhile, which runs ended as soon as they began, and what it was warned of when they were made. Events feed it; nothing here talks to an engine.
 */
import { Deferred, Effect } from "effect"

/** Remembered of each; the oldest is forgotten first. */
const maximum = 10_000

export class StartWatch {
  /** Containers that were just started, whose `start` event is no news. */
  readonly #echoes = new Map<string, true>()
  readonly #deaths = new Map<string, Deferred.Deferred<void>>()
  /** When the run of a container began whose program could not be executed. */
  readonly #failed = new Map<string, number | null>()
  readonly #warnings = new Map<string, ReadonlyArray<string>>()

  /** Called before the start is sent: its event may come before the answer does. */
  expect(id: string): void {
    remember(this.#echoes, id, true)
  }

  /** Nothing was started: the next `start` of this container is somebody else's, and news. */
  forget(id: string): void {
    this.#echoes.delete(id)
  }

  /** Told of each event; answers whether it says nothing new. */
  heard(id: string, action: string): boolean {
    const death = action === "die" ? this.#deaths.get(id) : undefined
    if (death) Deferred.doneUnsafe(death, Effect.void)
    return action === "start" && this.#echoes.delete(id)
  }

  /** `use` is handed what completes when the container dies, from the call on. */
  watching<A, E>(id: string, use: (died: Effect.Effect<void>) => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        const death = Deferred.makeUnsafe<void>()
        this.#deaths.set(id, death)
        return death
      }),
      (death) => use(Deferred.await(death)),
      (death) => Effect.sync(() => {
        if (this.#deaths.get(id) === death) this.#deaths.delete(id)
      })
    )
  }

  /** The program of that run could not be executed: seen right after its start. */
  failed(id: string, startedAtMs: number | null): void {
    remember(this.#failed, id, startedAtMs)
  }

  /** The engine made that container, and warned of something. */
  warned(id: string, warnings: ReadonlyArray<string>): void {
    remember(this.#warnings, id, warnings)
  }

  warningsOf(id: string): ReadonlyArray<string> {
    return this.#warnings.get(id) ?? []
  }

  hasFailed(id: string, startedAtMs: number | null): boolean {
    return this.#failed.has(id) && this.#failed.get(id) === startedAtMs
  }
}

const remember = <A>(map: Map<string, A>, id: string, value: A): void => {
  map.delete(id)
  if (map.size >= maximum) map.delete(map.keys().next().value!)
  map.set(id, value)
}
