/** `rtmanager migrate`: for the schema's owner, so that the controller needs no right to change it. */
import { AddressUnfit, upgrade } from "./migrate.ts"

/** What is said at the end, in one line, and whether it went well. */
export const migrateOnce = async (url: string, variable: string): Promise<{ readonly ok: boolean; readonly line: string }> => {
  try {
    const { applied, unknown } = await upgrade(url)
    const newer = unknown.length === 0 ? "" : `; ${olderThan(unknown)}`
    return { ok: true, line: `the database is up to date: ${applied.length === 0 ? "nothing to apply" : `applied ${applied.join(", ")}`}${newer}` }
  } catch (error) {
    return { ok: false, line: error instanceof AddressUnfit ? `${variable} ${error.message}` : `the database at ${variable} is not up to date: ${inOneLine(error)}` }
  }
}

export const olderThan = (unknown: ReadonlyArray<string>): string =>
  `this version is older than the database, which has had ${unknown.join(", ")}`

/** An error of several addresses has no words of its own. */
export const inOneLine = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return String(message || code || error).replace(/\s+/g, " ").trim()
}
