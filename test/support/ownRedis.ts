/** A Redis of its own, to be ill-treated: the one of the test run is shared. Made of the same image. */
import { Redis } from "ioredis"
import { dockerAt } from "../../scripts/lib/images.ts"
import { freePort } from "../../scripts/lib/run.ts"
import { environment } from "./environment.ts"
import { until } from "./until.ts"

export interface OwnRedis {
  readonly url: string
  readonly redis: Redis
  readonly close: () => Promise<void>
}

export const ownRedis = async (...options: ReadonlyArray<string>): Promise<OwnRedis> => {
  const docker = dockerAt(environment.engines[0]!.host)
  const { Image } = await docker.getContainer(environment.redisContainer).inspect()
  const port = await freePort()
  const container = await docker.createContainer({
    Image, Cmd: ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", ...options], HostConfig: { NetworkMode: "host" }
  })
  await container.start()
  const url = `redis://127.0.0.1:${port}`
  const redis = new Redis(url)
  redis.on("error", () => {})
  await until("it answers", () => redis.ping())
  return {
    url, redis,
    close: async () => {
      redis.disconnect()
      await container.remove({ force: true, v: true })
    }
  }
}
