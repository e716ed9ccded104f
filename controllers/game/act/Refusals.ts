/**
 * What the engine refuses of late. One game that is refused is told on that game; the same refusal for one game after the other is
 * the engine's own trouble (its disk is full, its address pools are used up, a proxy lets nothing but reads through), and is said
 * where people look for that. In memory: who acts next finds out for himself.
 */
import { Context } from "effect"
import type { GameId } from "../../../src/domain/GameId.ts"

/** Starts need what other changes do not: room on the disk, an address. */
export type Kind = "start" | "other"

export class Refusals extends Context.Service<Refusals, {
  readonly refused: (kind: Kind, gameId: GameId, message: string) => void
  /** The engine carried a change of that kind out. */
  readonly accepted: (kind: Kind) => void
  /** The refusal that several games have in common, and none was spared of since; undefined: there is none. */
  readonly common: () => string | undefined
}>()("rtmanager/game/Refusals") {}

/** Fewer may have the same trouble of their own. */
const several = 3

export const makeRefusals = (): Refusals["Service"] => {
  const last: Record<Kind, Map<GameId, string>> = { start: new Map(), other: new Map() }
  return {
    refused: (kind, gameId, message) => void last[kind].set(gameId, message),
    accepted: (kind) => last[kind].clear(),
    common: () => {
      const [most] = [last.start, last.other]
        .flatMap((refused) => [...Map.groupBy(refused, ([gameId, message]) => withoutNames(gameId, message)).values()])
        .filter((games) => games.length >= several)
        .sort((a, b) => b.length - a.length)
      return most && `the engine refuses ${most.length} games, and has accepted none since: ${most.at(-1)![1]}`
    }
  }
}

/** The same trouble names another game and another container each time. */
const withoutNames = (gameId: GameId, message: string): string => message.replaceAll(gameId, "").replace(/[0-9a-f]{12,}/g, "")
