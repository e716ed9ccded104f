/** The games as they are, live: a table on a terminal, a line for each change elsewhere. */
import postgres from "postgres"

interface GameLine {
  readonly game_id: string
  readonly state: string
  readonly status: string | null
  readonly image_ref: string
  readonly container: string | null
  readonly restarts: number | null
  readonly note: string | null
}

const query = `
  SELECT g.game_id, g.state, r.status, g.image_ref, left(r.current_container_id, 12) AS container, r.restart_count AS restarts,
    coalesce(r.last_error_message, CASE WHEN r.next_restart_at IS NOT NULL THEN 'next start at ' || to_char(r.next_restart_at, 'HH24:MI:SS')
      WHEN r.exit_code IS NOT NULL THEN 'exit code ' || r.exit_code END) AS note
  FROM rtmanager.games g LEFT JOIN rtmanager.runtime_records r USING (game_id)
  ORDER BY g.state = 'removed', g.game_id LIMIT 200`

const columns: ReadonlyArray<readonly [string, number, (line: GameLine) => string]> = [
  ["GAME", 20, (line) => line.game_id],
  ["WANTED", 8, (line) => line.state],
  ["STATUS", 8, (line) => line.status ?? "-"],
  ["CONTAINER", 13, (line) => line.container ?? "-"],
  ["RESTARTS", 9, (line) => String(line.restarts ?? 0)],
  ["IMAGE", 26, (line) => line.image_ref],
  ["", 50, (line) => line.note ?? ""]
]

const colours: Record<string, string> = { running: "32", stopped: "33", removed: "90" }

const row = (cells: ReadonlyArray<string>): string => cells.map((cell, index) => cell.slice(0, columns[index]![1] - 1).padEnd(columns[index]![1])).join("").trimEnd()

const text = (line: GameLine): string => row(columns.map(([, , cell]) => cell(line)))

const refreshMs = 500

/** Never ends. */
export const watchGames = async (databaseUrl: string): Promise<never> => {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  const shown = new Map<string, string>()
  let height = 0
  for (;;) {
    const lines = await sql.unsafe(query).then((found) => found as unknown as ReadonlyArray<GameLine>, () => undefined)
    if (lines !== undefined) {
      if (process.stdout.isTTY) height = draw(lines, height)
      else printChanges(lines, shown)
    }
    await new Promise((resolve) => setTimeout(resolve, refreshMs))
  }
}

const draw = (lines: ReadonlyArray<GameLine>, height: number): number => {
  const room = Math.max(3, (process.stdout.rows ?? 24) - 3)
  const body = lines.slice(0, room).map((line) => `\u001b[${colours[line.status ?? ""] ?? "0"}m${text(line).slice(0, process.stdout.columns ?? 120)}\u001b[0m`)
  const more = lines.length > room ? [`... and ${lines.length - room} more`] : []
  const all = [`\u001b[1m${row(columns.map(([title]) => title))}\u001b[0m`, ...(body.length === 0 ? ["no games yet"] : body), ...more]
  process.stdout.write(`${height > 0 ? `\u001b[${height}A` : ""}\u001b[J${all.join("\n")}\n`)
  return all.length
}

const printChanges = (lines: ReadonlyArray<GameLine>, shown: Map<string, string>): void => {
  for (const line of lines) {
    const now = text(line)
    if (shown.get(line.game_id) !== now) console.log(now)
    shown.set(line.game_id, now)
  }
}
