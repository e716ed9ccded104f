/** A Redis for `npm start`: a `redis-server` on the PATH, else a container, else Debian's package. */
import { spawn } from "node:child_process"
import { ended, type Stoppable } from "./closing.ts"
import { dockerAt } from "./images.ts"
import { ensureProgram, has, isDebian, isRoot, say, until } from "./run.ts"
import { connect } from "node:net"

export interface OwnRedis extends Stoppable {
  readonly url: string
}

const image = "redis:8-alpine"
const containerName = "rtmanager-redis"
/** It writes all it holds to the disk first. */
const stopDeadlineMs = 30_000

export const startRedis = async (engineHost: string, port: number, folder: string): Promise<OwnRedis> => {
  const url = `redis://127.0.0.1:${port}`
  if (has("redis-server")) return fromProgram(url, port, folder)
  const stop = await fromContainer(engineHost, port)
  if (stop !== undefined) return answering({ url, stop }, port)
  if (!isRoot || !isDebian) throw new Error("no Redis: set REDIS_URL, install redis-server, or let the engine pull redis:8-alpine")
  ensureProgram("redis-server", ["redis-server"])
  return fromProgram(url, port, folder)
}

const fromProgram = async (url: string, port: number, folder: string): Promise<OwnRedis> => {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appenddirname", "redis"]
  const child = spawn("redis-server", args, { stdio: "ignore", detached: true })
  return answering({ url, stop: () => ended(child, stopDeadlineMs) }, port)
}

/** undefined: the image is not to be had. */
const fromContainer = async (engineHost: string, port: number): Promise<OwnRedis["stop"] | undefined> => {
  const docker = dockerAt(engineHost)
  const there = await docker.getImage(image).inspect().then(() => true, () => false)
  if (!there) {
    say(`pulling ${image} ...`)
    const pulled = await docker.pull(image).then((stream) =>
      new Promise<boolean>((resolve) => docker.modem.followProgress(stream, (error, output) => {
        resolve(!error && !(output as Array<{ error?: string }>).some((line) => line.error))
      })), () => false)
    if (!pulled) return undefined
  }
  await docker.getContainer(containerName).remove({ force: true }).catch(() => {})
  const container = await docker.createContainer({
    name: containerName, Image: image, Cmd: ["redis-server", "--appendonly", "yes"],
    HostConfig: { PortBindings: { "6379/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] }, Binds: [`${containerName}:/data`] }
  })
  await container.start()
  return () => container.stop({ t: 1 }).then(() => {}, () => {})
}

/** One that does not answer is stopped. */
const answering = async (redis: OwnRedis, port: number): Promise<OwnRedis> => {
  const answers = () => new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })
  try {
    await until(`Redis on port ${port}`, 20_000, answers)
    return redis
  } catch (error) {
    await redis.stop()
    throw error
  }
}
