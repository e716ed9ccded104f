/** A pgbouncer before a PostgreSQL, for tests: the one on the PATH, else Debian's in a tree of its own. */
import { spawn } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { ended, type Stoppable } from "./closing.ts"
import { debianTree } from "./engines.ts"
import { freePort, has, isDebian, isRoot, until } from "./run.ts"

export interface Pgbouncer extends Stoppable {
  /** The address of `target`, by way of it. */
  readonly url: string
}

export type PoolMode = "session" | "transaction"

const deadlineMs = 10_000

/** `settings`: more lines of its `[pgbouncer]` section. Users log in as they would at `target`. */
export const startPgbouncer = async (cache: string, target: string, mode: PoolMode, settings: ReadonlyArray<string> = []): Promise<Pgbouncer> => {
  const tree = treeOf(cache)
  const { hostname, password, port: serverPort, username } = new URL(target)
  const port = await freePort()
  const folder = `/tmp/rtm-pgbouncer-${port}`
  mkdirSync(join(tree, folder), { recursive: true })
  writeFileSync(join(tree, folder, "users.txt"), `"${username}" "${password}"\n`)
  writeFileSync(join(tree, folder, "pgbouncer.ini"), [
    "[databases]", `* = host=${hostname} port=${serverPort}`,
    "[pgbouncer]", `pool_mode = ${mode}`, "listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =",
    "auth_type = plain", `auth_file = ${folder}/users.txt`, "default_pool_size = 10", ...settings, ""
  ].join("\n"))
  const command = ["pgbouncer", "-q", ...(isRoot ? ["-u", "nobody"] : []), `${folder}/pgbouncer.ini`]
  const child = tree === "/" ? spawn(command[0]!, command.slice(1), { stdio: "ignore" }) : spawn("chroot", [tree, ...command], { stdio: "ignore" })
  const stop = async () => {
    await ended(child, deadlineMs)
    rmSync(join(tree, folder), { recursive: true, force: true })
  }
  try {
    await until(`pgbouncer on port ${port}`, deadlineMs, () => answers(port))
  } catch (error) {
    await stop()
    throw error
  }
  return { url: Object.assign(new URL(target), { host: `127.0.0.1:${port}` }).href, stop }
}

const treeOf = (cache: string): string => {
  if (has("pgbouncer")) return "/"
  if (!isRoot || !isDebian) throw new Error("pgbouncer is missing: install it")
  return debianTree(cache, "pgbouncer-bookworm", "bookworm", ["pgbouncer"], false)
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })
