/** Builds the controller's image from the Dockerfile, where no registry is in reach on a base made from Debian's packages. */
import { spawn } from "node:child_process"
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { request } from "node:http"
import { dirname, join } from "node:path"
import { debianTree } from "./engines.ts"
import { dockerAt, importTree } from "./images.ts"
import { run, say } from "./run.ts"
import { cache } from "./testEnvironment.ts"

const root = new URL("../..", import.meta.url).pathname
const base = "rtmanager-test/node:24"

/** Node 24 and npm on Debian, with this machine's certificates and npm settings. */
const importBase = async (host: string): Promise<void> => {
  if (await dockerAt(host).getImage(base).inspect().then(() => true, () => false)) return
  const tree = debianTree(cache, "node-bookworm", "bookworm", ["ca-certificates", "libstdc++6"], false)
  copyFileSync(run("realpath", [join(root, "node_modules", ".bin", "node")]).trim(), join(tree, "usr/local/bin/node"))
  const npm = dirname(dirname(run("sh", ["-c", "PATH=$(echo $PATH | sed 's#[^:]*node_modules/.bin:##g'); realpath $(command -v npm)"]).trim()))
  rmSync(join(tree, "usr/local/lib/npm"), { recursive: true, force: true })
  cpSync(npm, join(tree, "usr/local/lib/npm"), { recursive: true })
  rmSync(join(tree, "usr/local/bin/npm"), { force: true })
  symlinkSync("../lib/npm/bin/npm-cli.js", join(tree, "usr/local/bin/npm"))
  for (const file of ["/etc/ssl/certs/ca-certificates.crt", "/usr/etc/npmrc", `${process.env.HOME}/.npmrc`]) {
    const target = file.startsWith("/usr/etc") ? join(tree, "usr/local/etc/npmrc") : join(tree, file)
    mkdirSync(dirname(target), { recursive: true })
    if (existsSync(file)) copyFileSync(file, target)
  }
  await importTree(host, tree, base, ["ENV PATH=/usr/local/bin:/usr/bin:/bin"])
}

/** Builds `image` from this checkout; answers when it is there. */
export const buildControllerImage = async (host: string, image: string): Promise<void> => {
  await importBase(host)
  say(`building ${image} from the Dockerfile ...`)
  const buildargs = { NODE_IMAGE: base, ...proxySettings() }
  const query = new URLSearchParams({ t: image, networkmode: "host", buildargs: JSON.stringify(buildargs), version: "1", forcerm: "1" })
  const files = ["Dockerfile", "package.json", "package-lock.json", "LICENSE", "migrations", "controllers", "src"]
  await new Promise<void>((resolve, reject) => {
    const tar = spawn("tar", ["-C", root, "-c", ...files], { stdio: ["ignore", "pipe", "inherit"] })
    const sent = request({
      socketPath: new URL(host).pathname, method: "POST", path: `/build?${query}`, headers: { "content-type": "application/x-tar" }
    }, (answer) => {
      let output = ""
      answer.on("data", (chunk) => { output += chunk })
      answer.on("end", () => answer.statusCode === 200 && !output.includes("errorDetail") ? resolve() : reject(new Error(output.slice(-2000))))
    })
    sent.on("error", reject)
    tar.stdout.pipe(sent)
  })
}

const proxySettings = (): Record<string, string> =>
  Object.fromEntries(["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => process.env[name] ? [[name, process.env[name]!]] : []))
