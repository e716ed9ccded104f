/**
 * Reads `rtmanager.changes` on from a cursor. A transaction's changes are answered when no older one runs any more
 * (`pg_snapshot_xmin`): by then everything that can ever be written under a smaller id is there to be seen, so that a reader
 * that goes on from the last id it was given has overlooked nothing.
 */
import { Schema } from "effect"
import { GameId } from "../../domain/GameId.ts"
import { type ChangesSince, fromTheStart, type GameChange } from "../GameReader.ts"
import type { Sql } from "./client.ts"

/** A place between two lines of the table, in the order of its index. */
export interface Place {
  readonly xid: string
  readonly gameId: string
  readonly kind: string
}

const start: Place = { xid: "0", gameId: "", kind: "" }

/** `<xid>` is the place before all lines of that transaction, `<xid>.<kind>.<game_id>` the place after that line. */
const cursorOf = ({ gameId, kind, xid }: Place): string => gameId === "" ? xid : `${xid}.${kind}.${gameId}`

const cursorPattern = /^(\d{1,19})(?:\.(row|record)\.(.+))?$/

export const placeOf = (cursor: string): Place => {
  const [, xid, kind = "", gameId = ""] = cursor === fromTheStart ? [] : cursorPattern.exec(cursor) ?? []
  return xid === undefined ? start : { xid, gameId, kind }
}

export interface Page {
  /** The first transaction whose changes are not answered yet. */
  readonly horizon: string
  readonly lines: ReadonlyArray<readonly [xid: string, gameId: string, kind: GameChange["kind"]]>
}

/** A cursor from the future is another server's: it begins from the start. */
export const selectChanges = async (sql: Sql, cursor: string, limit: number): Promise<Page> => {
  const { gameId, kind, xid } = placeOf(cursor)
  const [page] = await sql<[Page]>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, (
      SELECT coalesce(json_agg(json_build_array(c.xid::text, c.game_id, c.kind)), '[]') FROM (
        SELECT c.xid, c.game_id, c.kind FROM rtmanager.changes c
        WHERE c.xid < pg_snapshot_xmin(pg_current_snapshot()) AND (c.xid, c.game_id, c.kind) > (
          CASE WHEN ${xid}::text::xid8 > pg_snapshot_xmax(pg_current_snapshot()) THEN '0'::xid8 ELSE ${xid}::text::xid8 END, ${gameId}, ${kind}
        ) ORDER BY c.xid, c.game_id, c.kind LIMIT ${limit}
      ) c
    ) AS lines`
  return page
}

const isGameId = Schema.is(GameId)

export const changesOf = ({ horizon, lines }: Page, limit: number): ChangesSince => {
  const last = lines.at(-1)
  return {
    // A record that somebody inserted by hand may be named anything.
    changes: lines.flatMap(([, gameId, kind]) => isGameId(gameId) ? [{ gameId, kind }] : []),
    cursor: lines.length < limit || last === undefined ? horizon : cursorOf({ xid: last[0], gameId: last[1], kind: last[2] })
  }
}
