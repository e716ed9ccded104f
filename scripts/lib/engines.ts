/** Docker Engines: the machine's own, and private ones for tests. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { background, ensureProgram, isDebian, isRoot, run, say, succeeds, until } from "./run.ts"

export interface Engine {
  readonly name: string
  readonly host: string
  readonly version: string
  readonly apiVersion: string
}

const socketOf = (host: string): string => new URL(host).pathname

/** The engine at `host`; undefined: none answers. */
export const engineAt = (name: string, host: string): Promise<Engine | undefined> =>
  new Promise((resolve) => {
    const target = host.startsWith("unix:") ? { socketPath: socketOf(host) } : { host: new URL(host).hostname, port: new URL(host).port }
    const asked = request({ ...target, path: "/version", timeout: 3000 }, (response) => {
      let body = ""
      response.on("data", (chunk) => { body += chunk })
      response.on("end", () => {
        try {
          const { ApiVersion, Version } = JSON.parse(body) as { Version: string; ApiVersion: string }
          resolve({ name, host, version: Version, apiVersion: ApiVersion })
        } catch {
          resolve(undefined)
        }
      })
    })
    asked.on("error", () => resolve(undefined))
    asked.on("timeout", () => asked.destroy())
    asked.end()
  })

const answering = async (name: string, host: string): Promise<Engine> => {
  await until(`${name} at ${host}`, 60_000, async () => (await engineAt(name, host)) !== undefined)
  return (await engineAt(name, host))!
}

export const machineHost = (): string => process.env.DOCKER_HOST || "unix:///var/run/docker.sock"

/** The machine's engine: the one that answers, else on Debian as root one that is installed and started. */
export const machineEngine = async (logFile: string): Promise<Engine> => {
  const host = machineHost()
  const found = await engineAt("machine", host)
  if (found) return found
  if (process.env.DOCKER_HOST) throw new Error(`no Docker Engine answers at DOCKER_HOST=${host}`)
  if (!isRoot || !isDebian) {
    throw new Error("no Docker Engine answers at /var/run/docker.sock; start Docker, or set DOCKER_HOST to an engine")
  }
  say("no Docker Engine answers: docker.io is installed if missing, and dockerd is started; it keeps running for your games")
  ensureProgram("dockerd", ["docker.io", "iptables"])
  background("dockerd", [], logFile)
  return answering("machine", host)
}

/** An engine of Debian's docker.io in a folder of its own. `bridge: none`: two engines on one host must not share docker0. */
export const privateEngine = async (folder: string, name: string): Promise<Engine & { readonly pidFile: string }> => {
  ensureProgram("dockerd", ["docker.io", "iptables"])
  mkdirSync(folder, { recursive: true })
  const socket = join(folder, "docker.sock")
  const pidFile = join(folder, "docker.pid")
  rmSync(pidFile, { force: true })
  const host = `unix://${socket}`
  background("dockerd", [
    "--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", pidFile, "-H", host, "--bridge=none",
    "--default-address-pool", "base=10.210.0.0/16,size=24", "--default-address-pool", "base=10.211.0.0/16,size=20"
  ], join(folder, "dockerd.log"))
  return { ...await answering(name, host), pidFile }
}

/** Ends the engine of `pidFile` and waits until it is gone. */
export const stopEngine = async (pidFile: string, signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, "utf8"))
  const containerd = join(pidFile, "..", "exec", "containerd", "containerd.pid")
  try {
    process.kill(pid, signal)
    // Its containerd dies with it, and a next engine would wait for that one for as long as nobody has reaped it.
    if (signal === "SIGKILL" && existsSync(containerd)) {
      process.kill(Number(readFileSync(containerd, "utf8")), signal)
      rmSync(containerd)
    }
  } catch {
    return
  }
  await until(`end of engine ${pid}`, 60_000, () => hasEnded(pid))
}

/** Gone, or only waiting for its parent to take notice, which may be busy with what waits for this. */
const hasEnded = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.startsWith("Z")
  } catch {
    return true
  }
}

/** Processes of this machine whose command line names `text`, and all that descend from them. */
const processesOf = (text: string): ReadonlyArray<number> => {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const [, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
      return [{ pid: Number(pid), parent: Number(parent), command: readFileSync(`/proc/${pid}/cmdline`, "utf8") }]
    } catch {
      return []
    }
  })
  const found = new Set(all.filter(({ command }) => command.includes(text)).map(({ pid }) => pid))
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const { parent, pid } of all) if (found.has(parent)) found.add(pid)
  }
  found.delete(process.pid)
  return [...found]
}

/** As if the plug was pulled: the engine, its containers and everything that it keeps in memory are gone at once. */
export const cutPower = async (pidFile: string): Promise<void> => {
  const folder = join(pidFile, "..")
  for (const pid of processesOf(join(folder, "exec"))) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It ended with another one.
    }
  }
  await until("all processes of the engine are gone", 20_000, () => processesOf(join(folder, "exec")).length === 0)
  unmountUnder(folder)
  rmSync(join(folder, "exec"), { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}

const unmountUnder = (folder: string): void => {
  succeeds("sh", ["-c", `for m in $(grep -o ' ${folder}/[^ ]*' /proc/mounts | sort -r); do umount -l $m; done`])
}

/** Removes an engine's folder, with what a killed engine left mounted in it. */
export const removeFolder = (folder: string): void => {
  unmountUnder(folder)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}

/** The mirror that this machine's packages come from; none: debootstrap knows one. */
const mirror = (): ReadonlyArray<string> => {
  const found = succeeds("sh", ["-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -q https\\?://"])
    ? run("sh", ["-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -o 'https\\?://[^ ]*' | grep -v security | head -1"]).trim()
    : ""
  return found === "" ? [] : [found]
}

/** A Debian tree with packages, made once and kept in the cache. */
export const debianTree = (cache: string, name: string, suite: string, packages: ReadonlyArray<string>, unsigned: boolean): string => {
  const tree = join(cache, name)
  if (existsSync(tree)) return tree
  ensureProgram("debootstrap", ["debootstrap"])
  say(`making a Debian ${suite} tree with ${packages.join(", ")} (about a minute, once) ...`)
  const making = `${tree}.making`
  rmSync(making, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  run("debootstrap", [
    ...(unsigned ? ["--no-check-gpg"] : []), "--variant=minbase", `--include=${packages.join(",")}`, suite, making, ...mirror()
  ])
  renameSync(making, tree)
  return tree
}

/** Docker 28.5 of Debian's unstable suite, in a root of its own: what most users have by now. */
export const modernEngine = async (cache: string, folder: string): Promise<Engine & { readonly pidFile: string }> => {
  const tree = debianTree(cache, "engine-28", "sid", ["docker.io", "docker-cli", "iptables", "ca-certificates"], true)
  mkdirSync(folder, { recursive: true })
  const script = `
set -e
umount -R -l ${tree} 2>/dev/null || true
mount --bind ${tree} ${tree}; mount --make-private ${tree}
mount -t proc proc ${tree}/proc; mount --rbind /sys ${tree}/sys; mount --rbind /dev ${tree}/dev
mount -t tmpfs tmpfs ${tree}/run
mkdir -p ${tree}/${folder} ${tree}/etc/docker
mount --bind ${folder} ${tree}/${folder}
cp /etc/resolv.conf ${tree}/etc/resolv.conf 2>/dev/null || true`
  run("bash", ["-c", script])
  const socket = join(folder, "docker.sock")
  const pidFile = join(folder, "docker.pid")
  rmSync(pidFile, { force: true })
  const host = `unix://${socket}`
  const args = [
    "--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", pidFile, "-H", host, "--bridge=none",
    "--default-address-pool", "base=10.220.0.0/16,size=24"
  ]
  background("unshare", ["-m", "--propagation", "private", "bash", "-c",
    `cd ${tree} && mkdir -p .old && pivot_root . .old && exec chroot . /usr/sbin/dockerd ${args.join(" ")}`], join(folder, "dockerd.log"))
  return { ...await answering("docker-28.5", host), pidFile }
}

/** Unmounts the tree of `modernEngine`. */
export const unmountModern = (cache: string): void => {
  succeeds("sh", ["-c", `umount -R -l ${join(cache, "engine-28")}`])
}

