/**
 * Which containers each game has, as the last full list and the events since then tell: so that no look at a game costs a
 * list of all. It is a hint, as fresh as the last event, and says so when it is not even that: then the engine is asked.
 * An adapter feeds it; nothing here talks to an engine.
 */
import type { GameId } from "../domain/GameId.ts"
import type { ContainerSummary } from "./ContainerEngine.ts"

/** Takes the answer of a list; null: the list failed. */
export type Listed = (found: ReadonlyArray<ContainerSummary> | null) => void

interface Listing {
  /** Counts lists by their beginning: a later one that ended earlier knows better. */
  readonly number: number
  /** Games that something happened to since the list was asked for: its answer may be older than that. */
  readonly touched: Set<GameId>
}

export class KnownContainers {
  #ids = new Map<GameId, Set<string>>()
  /** Games with containers that turned up and that no list has shown yet. */
  readonly #unsure = new Map<GameId, Set<string>>()
  readonly #listings = new Set<Listing>()
  #begun = 0
  /** The first list that counts: begun with this connection, and not before the last full list that was taken. */
  #oldest = 0
  #isConnected = false
  #isComplete = false

  /** The ids of a game's containers; undefined: the engine must be asked. */
  of(gameId: GameId): ReadonlyArray<string> | undefined {
    return this.#isComplete && !this.#unsure.has(gameId) ? [...this.#ids.get(gameId) ?? []] : undefined
  }

  /** Events come from now on: what a list says that is begun from now on holds until they break off. */
  connected(): void {
    this.#oldest = this.#begun + 1
    this.#isConnected = true
    this.#forget()
  }

  disconnected(): void {
    this.#isConnected = false
    this.#forget()
  }

  /** Nobody told what happened since. */
  #forget(): void {
    this.#isComplete = false
    this.#ids.clear()
    this.#unsure.clear()
  }

  /** This process made a container. Its event may have come before the answer did. */
  made(gameId: GameId, id: string): void {
    this.#touch(gameId)
    const unsure = this.#unsure.get(gameId)
    if (unsure?.delete(id) && unsure.size === 0) this.#unsure.delete(gameId)
    const known = this.#ids.get(gameId)
    if (known) known.add(id)
    else this.#ids.set(gameId, new Set([id]))
  }

  /** An event of a container that may be new. Whether it is the game's, only a list can tell: an image may have its labels. */
  appeared(gameId: GameId, id: string): void {
    if (this.#ids.get(gameId)?.has(id)) return
    this.#doubt(gameId, id)
  }

  gone(gameId: GameId, id: string): void {
    this.#touch(gameId)
    const known = this.#ids.get(gameId)
    if (known?.delete(id) && known.size === 0) this.#ids.delete(gameId)
  }

  /** The engine has no such container, whatever its events said. */
  vanished(id: string): void {
    for (const [gameId, ids] of this.#ids) if (ids.has(id)) this.gone(gameId, id)
  }

  /** Something went wrong with this game's containers: ask next time. */
  doubt(gameId: GameId): void {
    this.#doubt(gameId, "")
  }

  #doubt(gameId: GameId, id: string): void {
    this.#touch(gameId)
    const unsure = this.#unsure.get(gameId)
    if (unsure) unsure.add(id)
    else this.#unsure.set(gameId, new Set([id]))
  }

  /** Called before a list is asked for, of one game or of all; what it answers takes the list's answer. */
  listing(gameId?: GameId): Listed {
    const listing: Listing = { number: ++this.#begun, touched: new Set() }
    this.#listings.add(listing)
    return (found) => {
      this.#listings.delete(listing)
      // One that was begun before the events came says nothing of what happened in between.
      if (found === null || !this.#isConnected || listing.number < this.#oldest) return
      if (gameId === undefined) this.#takeAll(listing, found)
      else if (!listing.touched.has(gameId)) this.#takeOne(gameId, found.map(({ id }) => id))
    }
  }

  #takeAll({ number, touched }: Listing, found: ReadonlyArray<ContainerSummary>): void {
    const fresh = new Map<GameId, Set<string>>()
    for (const { gameId, id } of found) {
      const known = fresh.get(gameId)
      if (known) known.add(id)
      else fresh.set(gameId, new Set([id]))
    }
    for (const gameId of touched) this.#keep(gameId, fresh)
    for (const gameId of this.#unsure.keys()) if (!touched.has(gameId)) this.#unsure.delete(gameId)
    this.#ids = fresh
    this.#isComplete = true
    this.#oldest = number
  }

  /** What events say of a game is newer than the list; without a list before it, it is not all. */
  #keep(gameId: GameId, fresh: Map<GameId, Set<string>>): void {
    const known = this.#ids.get(gameId)
    if (known && this.#isComplete) fresh.set(gameId, known)
    else fresh.delete(gameId)
    if (!this.#isComplete) this.doubt(gameId)
  }

  #takeOne(gameId: GameId, ids: ReadonlyArray<string>): void {
    this.#touch(gameId)
    this.#unsure.delete(gameId)
    if (ids.length === 0) this.#ids.delete(gameId)
    else this.#ids.set(gameId, new Set(ids))
  }

  #touch(gameId: GameId): void {
    for (const { touched } of this.#listings) touched.add(gameId)
  }
}
