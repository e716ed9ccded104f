/** The demo engine's image, made without any registry, and a throw-away registry to pull it from. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Agent, request } from "node:http"
import { spawn } from "node:child_process"
import Docker from "dockerode"
import { background, ensureProgram, freePort, run, until } from "./run.ts"

const applets = ["sh", "cat", "echo", "hostname", "httpd", "kill", "ls", "mkdir", "sleep", "true", "false", "wget", "id", "dd", "head", "yes"]

/** `agent`: default is the process's own, which keeps connections. */
export const dockerAt = (host: string, agent?: Agent): Docker =>
  new Docker({ ...(host.startsWith("unix:") ? { socketPath: new URL(host).pathname } : { host }), ...(agent ? { agent } : {}) } as Docker.DockerOptions)

/** Imports a folder as an image; answers once it is there. */
export const importTree = (host: string, tree: string, image: string, changes: ReadonlyArray<string>): Promise<void> => {
  const colon = image.lastIndexOf(":")
  const query = new URLSearchParams({ fromSrc: "-", repo: image.slice(0, colon), tag: image.slice(colon + 1) })
  for (const change of changes) query.append("changes", change)
  return new Promise((resolve, reject) => {
    const tar = spawn("tar", ["-C", tree, "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*", "-c", "."], { stdio: ["ignore", "pipe", "inherit"] })
    const sent = request({ socketPath: new URL(host).pathname, method: "POST", path: `/images/create?${query}` }, (response) => {
      let body = ""
      response.on("data", (chunk) => { body += chunk })
      response.on("end", () => response.statusCode === 200 && !body.includes("errorDetail") ? resolve() : reject(new Error(`import of ${image}: ${body}`)))
    })
    sent.on("error", reject)
    tar.stdout.pipe(sent)
  })
}

/** The tree of the demo engine: busybox and one script. */
const engineTree = (): string => {
  ensureProgram("busybox", ["busybox-static"])
  const tree = mkdtempSync(join(tmpdir(), "rtmanager-engine-"))
  for (const folder of ["bin", "tmp", "etc", "var/lib/galaxy-game"]) mkdirSync(join(tree, folder), { recursive: true })
  chmodSync(join(tree, "tmp"), 0o1777)
  chmodSync(join(tree, "var/lib/galaxy-game"), 0o777)
  copyFileSync(run("sh", ["-c", "command -v busybox"]).trim(), join(tree, "bin/busybox"))
  for (const applet of applets) symlinkSync("busybox", join(tree, "bin", applet))
  copyFileSync(new URL("../../examples/engine/engine.sh", import.meta.url), join(tree, "bin/engine"))
  chmodSync(join(tree, "bin/engine"), 0o755)
  return tree
}

/** Makes the demo engine's image under each of `names`. */
export const buildEngineImage = async (host: string, names: ReadonlyArray<string>): Promise<void> => {
  const tree = engineTree()
  try {
    for (const name of names) await importTree(host, tree, name, ["ENTRYPOINT [\"/bin/engine\"]", "EXPOSE 8080"])
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

export interface Registry {
  readonly address: string
  readonly logFile: string
  readonly pid: number
}

/** Debian's docker-registry on the loopback, its images in `folder`; with `users` (lines of htpasswd) it asks who it is. */
export const startRegistry = async (folder: string, users?: string): Promise<Registry> => {
  ensureProgram("docker-registry", ["docker-registry"])
  mkdirSync(folder, { recursive: true })
  const address = `127.0.0.1:${await freePort()}`
  if (users !== undefined) writeFileSync(join(folder, "users"), users)
  const auth = users === undefined ? "" : `auth: {htpasswd: {realm: test, path: ${folder}/users}}\n`
  writeFileSync(join(folder, "config.yml"),
    `${auth}version: 0.1\nlog: {accesslog: {disabled: false}}\nstorage: {filesystem: {rootdirectory: ${folder}/data}}\nhttp: {addr: ${address}}\n`)
  const logFile = join(folder, "registry.log")
  const { pid } = background("docker-registry", ["serve", join(folder, "config.yml")], logFile)
  await until("registry", 20_000, () => fetch(`http://${address}/v2/`).then(({ ok, status }) => ok || status === 401, () => false))
  return { address, logFile, pid: pid! }
}

/** Pushes an image of the engine to the registry. */
export const push = (host: string, image: string, login = { username: "", password: "" }): Promise<void> =>
  dockerAt(host).getImage(image).push({ authconfig: { ...login, serveraddress: "" } }).then((stream) =>
    new Promise((resolve, reject) => {
      let output = ""
      stream.on("data", (chunk: Uint8Array) => { output += chunk })
      stream.on("error", reject)
      stream.on("end", () => output.includes("errorDetail") ? reject(new Error(`push of ${image}: ${output}`)) : resolve())
    }))
