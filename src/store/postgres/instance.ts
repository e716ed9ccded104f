/** The row of `rtmanager.instance`, and which database this is. */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import type postgres from "postgres"
import { type Standing, standingOf } from "../Instance.ts"
import type { StoreError } from "../StoreError.ts"
import type { Database } from "./client.ts"

interface InstanceRow {
  readonly id: string
  readonly system_identifier: string | null
  readonly database_oid: string | null
  readonly timeline: number | null
  readonly halted: string | null
  readonly now_system_identifier: string | null
  readonly now_database_oid: string
  readonly now_timeline: number | null
}

const keptOf = ({ database_oid, halted, id, system_identifier, timeline }: InstanceRow) =>
  ({ id, systemIdentifier: system_identifier, databaseOid: database_oid, timeline, halted })

const nowOf = ({ now_database_oid, now_system_identifier, now_timeline }: InstanceRow) =>
  ({ systemIdentifier: now_system_identifier, databaseOid: now_database_oid, timeline: now_timeline })

/** One transaction: the row is locked between the look and what is kept of it. */
const settle = (asked: string | undefined) => async (sql: postgres.TransactionSql): Promise<Standing> => {
  const freshId = randomBytes(6).toString("hex")
  const [row] = await sql<[InstanceRow]>`SELECT * FROM rtmanager.look_at_instance(${freshId})`
  const standing = standingOf(keptOf(row), nowOf(row), asked, freshId)
  if (standing._tag === "Acts") {
    const { databaseOid, id, systemIdentifier, timeline } = standing.kept
    await sql`SELECT rtmanager.keep_instance(${id}, ${systemIdentifier}, ${databaseOid}, ${timeline})`
  }
  return standing
}

/** Which installation this is. `asked`: a person's word, an id or `new`. */
export const settleInstance = ({ query }: Database, asked: string | undefined): Effect.Effect<Standing, StoreError> =>
  query("instance", async (sql) => sql.begin(settle(asked)))

/** From here on nothing is acted on, whoever starts, until a person has cleared it. `epoch`: under which it is said. */
export const haltInstance = ({ query }: Database, epoch: number, why: string): Effect.Effect<void, StoreError> =>
  Effect.asVoid(query("halt", (sql) => sql`SELECT rtmanager.halt_instance(${epoch}, ${why})`))
