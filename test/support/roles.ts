/** The roles of deploy/roles.sql in a test's database, and logins that are members of nothing else. */
import { readFile } from "node:fs/promises"
import postgres from "postgres"

export type RoleName = "controller" | "writer" | "reader"

const password = "test"
const loginOf = (role: RoleName): string => `rtm_test_${role}`

/** Addresses of `url` by role; `url` is the owner's. The logins belong to the server, and stay. */
export const makeRoles = async (url: string): Promise<Readonly<Record<RoleName, string>>> => {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await sql.unsafe(await readFile(new URL("../../deploy/roles.sql", import.meta.url), "utf8"))
    for (const role of ["controller", "writer", "reader"] as const) {
      await sql.unsafe(`DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${loginOf(role)}') THEN
          CREATE ROLE ${loginOf(role)} LOGIN PASSWORD '${password}' IN ROLE rtm_${role};
        END IF;
      END $$`)
    }
  } finally {
    await sql.end({ timeout: 1 })
  }
  const as = (role: RoleName) => addressAs(url, loginOf(role))
  return { controller: as("controller"), writer: as("writer"), reader: as("reader") }
}

/** `url` for another role that logs in with the tests' password. */
export const addressAs = (url: string, login: string): string => Object.assign(new URL(url), { username: login, password }).href
