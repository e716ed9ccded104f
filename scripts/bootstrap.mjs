// Runs on any Node from 18 and without node_modules: installs the dependencies, then runs the given script on the
// project's own Node (npm's `node` package), for the sources need a newer one than many machines have.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs"
import { createHash } from "node:crypto"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const lock = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex")
const mark = join("node_modules", ".rtmanager-lock")
const installed = existsSync(mark) && readFileSync(mark, "utf8") === lock
if (!installed && lstatSync("node_modules", { throwIfNoEntry: false })?.isSymbolicLink()) {
  console.error("node_modules is a link and does not fit package-lock.json: npm ci would empty the folder it leads to; install there")
  process.exit(1)
}
if (!installed) {
  console.log("== installing dependencies (npm ci) ...")
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: "inherit" })
  if (result.status !== 0) process.exit(result.status ?? 1)
  writeFileSync(mark, lock)
}

const node = join(root, "node_modules", ".bin", "node")
if (!existsSync(node)) {
  console.error("node_modules/.bin/node is missing: npm's install scripts must be allowed for the package `node`")
  process.exit(1)
}
const child = spawn(node, process.argv.slice(2), {
  stdio: "inherit",
  env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}` }
})
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal))
child.on("exit", (code, signal) => process.exit(code ?? (signal ? 130 : 1)))
