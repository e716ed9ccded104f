/** A PostgreSQL and its streaming replica on the loopback, each with a folder of its own. */
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { controlOf, startPostgres } from "../../scripts/lib/postgres.ts"
import { freePort, run } from "../../scripts/lib/run.ts"
import { until } from "./until.ts"

export interface PostgresPair {
  readonly primary: string
  readonly replica: string
  /** What is committed from here on does not reach the replica. */
  readonly cut: () => Promise<void>
  /** The primary crashes, and the replica takes over. */
  readonly failOver: () => Promise<void>
  readonly close: () => Promise<void>
}

export const startPair = async (): Promise<PostgresPair> => {
  const folder = mkdtempSync(join(tmpdir(), "rtm-pair-"))
  chmodSync(folder, 0o755)
  const [first, second] = [join(folder, "a"), join(folder, "b")]
  const [port, replicaPort] = [await freePort(), await freePort()]
  const { stop, url } = await startPostgres(first, port)
  await stop()
  run("cp", ["-a", first, second])
  writeFileSync(join(second, "standby.signal"), "")
  const { password, username } = new URL(url)
  appendFileSync(join(second, "postgresql.auto.conf"), `primary_conninfo = 'host=127.0.0.1 port=${port} user=${username} password=${password}'\n`)
  const [a, b] = [await controlOf(first), await controlOf(second)]
  const started = (control: typeof a, on: number) => control("start", `--options=-p ${on} -c listen_addresses=127.0.0.1`)
  started(a, port)
  started(b, replicaPort)
  const replica = Object.assign(new URL(url), { port: String(replicaPort) }).href
  const sql = postgres(replica, { max: 1, onnotice: () => {} })
  let crashed = false
  const receives = async () => (await sql`SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'`).length === 1
  await until("the replica follows", receives)
  return {
    primary: url, replica,
    cut: async () => {
      await sql`ALTER SYSTEM SET primary_conninfo = ''`
      await sql`SELECT pg_reload_conf()`
      await until("the replica is cut off", async () => !(await receives()))
    },
    failOver: async () => {
      a("stop", "--mode=immediate")
      crashed = true
      await sql`SELECT pg_promote()`
      await until("it takes writes", async () => (await sql`SELECT pg_is_in_recovery() AS follows`)[0]!.follows === false)
    },
    close: async () => {
      await sql.end({ timeout: 1 })
      for (const [control, ended] of [[a, crashed], [b, false]] as const) if (!ended) control("stop", "--mode=immediate")
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
