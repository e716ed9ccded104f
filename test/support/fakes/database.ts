/** Tables of the fake database, in the database's own words, and the journal that undoes a statement that failed. */
import type { RecordDocument } from "../../../src/store/postgres/record.ts"
import type { GameDocument } from "../../../src/store/postgres/rows.ts"
import { StoreError } from "../../../src/store/StoreError.ts"

export interface GameRow extends GameDocument {
  readonly game_id: string
  readonly spec: Readonly<Record<string, unknown>>
}

export type RecordRow = RecordDocument & { readonly game_id: string }

export interface OperationRow {
  readonly id: number
  readonly game_id: string
  readonly op_kind: string
  readonly op_source: string
  readonly source_ref: string
  readonly image_ref: string | null
  readonly container_id: string | null
  readonly outcome: "success" | "failure"
  readonly error_code: string | null
  readonly error_message: string | null
  readonly started_at: string
  readonly finished_at: string
}

export interface HealthRow {
  readonly game_id: string
  readonly container_id: string
  readonly event_type: string
  readonly occurred_at: string
  readonly details: Readonly<Record<string, unknown>>
}

export interface JobRow {
  readonly id: number
  readonly stream: string
  readonly entry_id: string
  readonly kind: "start" | "stop"
  readonly game_id: string
  readonly generation: number | null
  readonly payload: Readonly<Record<string, string>>
  /** null: not answered yet. */
  readonly outcome: "success" | "failure" | null
  readonly container_id: string | null
  readonly engine_endpoint: string | null
  readonly error_code: string | null
  readonly error_message: string | null
}

export interface OutboxRow {
  readonly id: number
  readonly event_id: string
  readonly topic: string
  readonly game_id: string
  readonly fields: Readonly<Record<string, string>>
  readonly created_at_ms: number
}

/** The last statement that wrote a row or a record. */
export interface ChangeRow {
  readonly game_id: string
  readonly kind: "row" | "record"
  readonly xid: number
}

export const invalid = (operation: string, message: string): StoreError => new StoreError({ operation, reason: "Invalid", message })

/** All of a statement or nothing: what is put goes back when the body throws. */
export class Journal {
  #undo: Array<() => void> | undefined

  run<A>(body: () => A): A {
    if (this.#undo !== undefined) return body()
    this.#undo = []
    try {
      return body()
    } catch (thrown) {
      for (const step of this.#undo.reverse()) step()
      throw thrown
    } finally {
      this.#undo = undefined
    }
  }

  put<K, V>(table: Map<K, V>, key: K, row: V): void {
    const before = table.get(key)
    const had = table.has(key)
    this.#undo?.push(() => had ? table.set(key, before!) : table.delete(key))
    table.set(key, row)
  }

  push<A>(log: Array<A>, row: A): void {
    this.#undo?.push(() => log.pop())
    log.push(row)
  }

  delete<K, V>(table: Map<K, V>, key: K): void {
    const before = table.get(key)
    if (before === undefined) return
    this.#undo?.push(() => table.set(key, before))
    table.delete(key)
  }
}

const statuses: ReadonlyArray<string> = ["none>running", "none>stopped", "running>stopped", "running>removed", "stopped>running", "stopped>removed"]

/** The contract's arrows; `removed` has none. */
export const checkStatusMove = (row: RecordRow, before: RecordRow | undefined): void => {
  const from = before?.status ?? "none"
  if (from !== row.status && !statuses.includes(`${from}>${row.status}`)) {
    throw invalid("commit", `status of ${row.game_id} may not move from ${from} to ${row.status}`)
  }
}

const checks: ReadonlyArray<readonly [string, (row: Omit<GameRow, "desired_hash">) => boolean]> = [
  ["game_id takes 1 to 51 characters a-z, 0-9 and -", ({ game_id }) => /^[a-z0-9]([a-z0-9-]{0,49}[a-z0-9])?$/.test(game_id)],
  ["state takes running, stopped or removed", ({ state }) => ["running", "stopped", "removed"].includes(state)],
  [
    "image_ref takes an image with a tag or digest",
    ({ image_ref }) => /^\S{1,512}$/.test(image_ref) &&
      /[^/](:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@[a-z0-9+._-]+:[0-9a-fA-F]{32,})$/.test(image_ref)
  ],
  ["restart_policy takes always, on_failure or never", (row) => ["always", "on_failure", "never"].includes(row.restart_policy)],
  ["restart_requested_at takes a time", ({ restart_requested_at: at }) => at === null || Number.isFinite(Date.parse(at))],
  ["spec takes a JSON object", ({ spec }) => typeof spec === "object" && spec !== null && !Array.isArray(spec)],
  ["spec of a game to run takes at most 262144 bytes", ({ spec, state }) => state !== "running" || Buffer.byteLength(JSON.stringify(spec)) <= 262_144]
]

export const checkGame = (row: Omit<GameRow, "desired_hash">): void => {
  const broken = checks.find(([, holds]) => !holds(row))
  if (broken) throw invalid("write", `new row for relation "games" violates check constraint "${broken[0]}"`)
}
