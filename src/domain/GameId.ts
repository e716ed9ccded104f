/**
 * The key of everything: one running match, one engine container.
 *
 * A `game_id` is a DNS label of at most 51 characters, so that `galaxy-game-<game_id>` is a DNS label too (63). The
 * mapping to the container name is injective: the id is appended unchanged.
 */
import { Schema } from "effect"

export const gameIdPattern = /^[a-z0-9]([a-z0-9-]{0,49}[a-z0-9])?$/

/** `^[a-z0-9]([a-z0-9-]{0,49}[a-z0-9])?$`, 1 to 51 characters. */
export const GameId = Schema.String.check(
  Schema.isPattern(gameIdPattern, {
    message: "game_id takes 1 to 51 characters a-z, 0-9 and '-', not starting or ending with '-'"
  })
).pipe(Schema.brand("GameId"))
export type GameId = typeof GameId.Type

export const isGameId = (value: unknown): value is GameId => typeof value === "string" && gameIdPattern.test(value)

/** Name, hostname and network alias of the game's container, and the name of its volume. */
export const containerName = (gameId: GameId): string => `galaxy-game-${gameId}`
