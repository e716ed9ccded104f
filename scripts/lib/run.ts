/** Running other programs, and saying what is going on. */
import { type ChildProcess, spawn, spawnSync, type SpawnOptions } from "node:child_process"
import { openSync } from "node:fs"
import { createServer } from "node:net"

export const say = (text: string): void => console.log(`== ${text}`)

/** Runs to the end and answers what it printed; throws with its last words when it fails. */
export const run = (command: string, args: ReadonlyArray<string>, options: SpawnOptions = {}): string => {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, ...options } as never) as unknown as {
    status: number | null; stdout: string | null; stderr: string | null; error?: Error
  }
  if (result.status !== 0) {
    const words = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`.trim().split("\n").slice(-15).join("\n")
    throw new Error(`${command} ${args.join(" ")} failed (${result.status}):\n${words}`)
  }
  return result.stdout ?? ""
}

export const succeeds = (command: string, args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0

export const has = (program: string): boolean => succeeds("sh", ["-c", `command -v ${program}`])

/** Starts a server in a session of its own, its output in a file. */
export const background = (command: string, args: ReadonlyArray<string>, logFile: string, options: SpawnOptions = {}): ChildProcess => {
  const log = openSync(logFile, "a")
  const child = spawn(command, args, { stdio: ["ignore", log, log], detached: true, ...options })
  child.unref()
  return child
}

export const until = async (what: string, deadlineMs: number, check: () => boolean | Promise<boolean>): Promise<void> => {
  const endMs = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > endMs) throw new Error(`${what}: not within ${deadlineMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A TCP port of the loopback that nobody uses now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

export const isRoot = process.getuid?.() === 0
export const isDebian = has("apt-get")

let updated = false

/** Installs Debian packages unless `program` is there. */
export const ensureProgram = (program: string, packages: ReadonlyArray<string>): void => {
  if (has(program)) return
  if (!isRoot || !isDebian) throw new Error(`${program} is missing: install ${packages.join(", ")}`)
  say(`installing ${packages.join(", ")} (apt-get) ...`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  // Debian starts what it installs; what runs here is started and ended by these scripts.
  const policy = "/usr/sbin/policy-rc.d"
  const held = succeeds("sh", ["-c", `[ -e ${policy} ] || { printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod +x ${policy}; }`])
  if (!updated) run("apt-get", ["update", "-qq"], { env })
  updated = true
  run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env })
  if (held) succeeds("sh", ["-c", `grep -q 'exit 101' ${policy} && rm -f ${policy}`])
}

/**
 * A young generation and a pool of collector threads for a process that allocates little at once: the defaults keep tens of
 * MiB more resident. Also in the Dockerfile.
 */
export const controllerFlags: ReadonlyArray<string> = ["--max-semi-space-size=4", "--v8-pool-size=1"]
