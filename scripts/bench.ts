/** `npm run bench`: speed, each figure beside what it is to reach, peers measured in the same run. Prints a table, writes JSON. */
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { makeWorkQueue } from "../src/controller/WorkQueue.ts"
import { createBody } from "../src/engine/docker/createBody.ts"
import type { ContainerSummary } from "../src/engine/ContainerEngine.ts"
import type { GameId } from "../src/domain/GameId.ts"
import { specHash } from "../src/domain/specHash.ts"
import type { SurveyRow } from "../src/store/Store.ts"
import { differing } from "../controllers/sweep/differs.ts"
import { freshRecord } from "../controllers/game/commit.ts"
import { defaultBackoff } from "../controllers/game/view.ts"
import { say } from "./lib/run.ts"
import { down, up } from "./lib/testEnvironment.ts"
import { percentile, pooled, seconds, usage } from "../test/bench/measure.ts"

interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly reach: string
  readonly ok: boolean
}

const figures: Array<Figure> = []
const figure = (what: string, value: number, unit: string, limit: number, better: "more" | "less"): void => {
  figures.push({ what, value, unit, reach: `${better === "more" ? ">=" : "<"} ${limit} ${unit}`, ok: better === "more" ? value >= limit : value < limit })
  console.log(`   ${what}: ${value.toFixed(2)} ${unit}`)
}

const only = process.argv[2]
const part = async (name: string, work: () => Promise<void>): Promise<void> => {
  if (only !== undefined && !name.includes(only)) return
  say(name)
  await work()
}

await part("queue", async () => {
  const rounds = 1_000_000
  const perSecond = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const queue = yield* makeWorkQueue<number>({ name: "bench" })
    const started = performance.now()
    for (let round = 0; round < rounds; round++) {
      yield* queue.add(round % 1000)
      const taken = yield* queue.get
      yield* queue.done(taken!.key)
    }
    return rounds / ((performance.now() - started) / 1000)
  })))
  figure("work queue: add, get, done", perSecond, "/s", 500_000, "more")
})

await part("sweep", async () => {
  const count = 10_000
  const rows: Array<SurveyRow> = []
  const containers: Array<ContainerSummary> = []
  for (let index = 0; index < count; index++) {
    const gameId = `g${index}` as GameId
    const hash = specHash("galaxy/engine:1.4.2", {})
    const id = index.toString(16).padStart(64, "0")
    rows.push({
      gameId, pendingJobs: 0, game: { state: "running", imageRef: "galaxy/engine:1.4.2", restartPolicy: "always", generation: 1 },
      record: { ...freshRecord(gameId), status: "running", currentContainerId: id, observedGeneration: 1, specHash: hash, engineId: "e", version: 1 }
    })
    containers.push({ id, gameId, name: `galaxy-game-${gameId}`, state: "running", createdAtMs: 0, imageRef: "galaxy/engine:1.4.2", specHash: hash, generation: 1 })
  }
  const settings = { stopGraceMs: 30_000, retentionMs: 1e9, backoff: defaultBackoff }
  const before = process.cpuUsage()
  const found = differing(rows, containers, settings, "e", 0)
  const { system, user } = process.cpuUsage(before)
  if (found.length > 0) throw new Error("nothing was to differ")
  figure("sweep over 10,000 games without drift: CPU", (user + system) / 1000, "ms", 100, "less")
})

const needsEngines = only === undefined || !["queue", "sweep"].includes(only)
if (needsEngines) {
  const environment = await up()
  try {
    const { World } = await import("../test/support/world.ts")
    const { EngineProxy } = await import("../test/support/engineProxy.ts")
    const { until } = await import("../test/support/until.ts")
    const image = environment.images.game

    for (const engine of environment.engines) {
      await part(`starts on ${engine.name}`, async () => {
        const world = new World(engine.host)
        await world.open()
        const count = 100
        const running = async (prefix: string) => {
          const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`} AND status = 'running'`
          return row?.n as number
        }
        try {
          const controller = await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
          await world.insertGame("warm1")
          await world.status("warm1", "running")
          const [network] = (await world.docker.listNetworks()).filter(({ Name }) => Name === world.network)
          const plain = async (limit: number, prefix: string): Promise<number> => {
            const took = await seconds(() => pooled(Array.from({ length: count }, (_, index) => `${prefix}${index}` as GameId), limit, async (gameId) => {
              const body = createBody({
                gameId, imageRef: image, generation: 1, specHash: "bench", createdAtMs: 0, command: undefined, args: undefined, env: {}, labels: {},
                cpus: undefined, memoryBytes: undefined, pids: undefined, stopSignal: undefined
              }, { stateRoot: undefined }, network!.Id) as { Labels: Record<string, string> }
              // Not ours: the controller is not to adopt them.
              body.Labels = { "bench.peer": "1" }
              const container = await world.docker.createContainer({ _query: { name: `peer-${gameId}` }, _body: body } as never)
              await container.start()
            }))
            await removePeers()
            return count / took
          }
          const removePeers = async () => {
            const peers = await world.docker.listContainers({ all: true, filters: { label: ["bench.peer=1"] } })
            await pooled(peers, 8, (peer) => world.docker.getContainer(peer.Id).remove({ force: true, v: true }).then(() => {}))
            for (const volume of (await world.docker.listVolumes()).Volumes) if (/^galaxy-game-p/.test(volume.Name)) await world.docker.getVolume(volume.Name).remove().catch(() => {})
          }
          const ours = async (prefix: string): Promise<number> => {
            const took = await seconds(async () => {
              await world.sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT ${prefix} || n, ${image} FROM generate_series(1, ${count}) n`
              await until("all run", async () => (await running(prefix)) === count, 180_000, 100)
            })
            await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id LIKE ${`${prefix}%`}`
            await until("all are removed", async () => (await running(prefix)) === 0 && (await world.docker.listContainers({ all: true, filters: { label: ["com.galaxy.owner=rtmanager"] } })).length === 1, 180_000)
            return count / took
          }
          const rates = { 4: 0, 8: 0, 16: 0 } as Record<number, number>
          const mine: Array<number> = []
          // In turns, so that both have the same machine.
          for (const round of [0, 1]) {
            for (const limit of [4, 8, 16]) rates[limit] = Math.max(rates[limit]!, await plain(limit, `p${round}x${limit}x`))
            mine.push(await ours(`o${round}x`))
          }
          const best = Math.max(...Object.values(rates))
          console.log(`   plain dockerode: ${Object.entries(rates).map(([limit, rate]) => `${rate.toFixed(2)}/s at ${limit}`).join(", ")}; ours ${mine.map((rate) => rate.toFixed(2)).join(", ")}/s`)
          figure(`100 rows until all run, against plain dockerode at its best, ${engine.name}`, Math.max(...mine) / best, "x", 0.95, "more")
          await controller.kill("SIGTERM")
        } finally {
          await world.close()
        }
      })
    }

    const modern = environment.engines.find(({ name }) => name.includes("28"))
    if (modern) {
      await part("peers", async () => {
        const { composeRate, swarmRate } = await import("../test/bench/peers.ts")
        const world = new World(modern.host)
        await world.open()
        try {
          await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
          await world.insertGame("warm1")
          await world.status("warm1", "running")
          const count = 50
          const ours = async (prefix: string): Promise<number> => {
            const own = async (status: string) =>
              (await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE game_id LIKE ${`${prefix}%`} AND status = ${status}`)[0]?.n as number
            const took = await seconds(async () => {
              await world.sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT ${prefix} || n, ${image} FROM generate_series(1, ${count}) n`
              await until("all run", async () => (await own("running")) === count, 180_000, 100)
            })
            await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id LIKE ${`${prefix}%`}`
            await until("all are removed", async () => (await own("removed")) === count, 180_000, 100)
            return count / took
          }
          const rates = { ours: 0, swarm: 0, compose: 0 }
          // In turns, so that all have the same machine; each at its best.
          for (const round of [0, 1]) {
            rates.ours = Math.max(rates.ours, await ours(`q${round}x`))
            rates.swarm = Math.max(rates.swarm, await swarmRate(world.docker, image, count))
            rates.compose = Math.max(rates.compose, await composeRate(environment, modern.host, world.docker, image, count))
          }
          console.log(`   ours ${rates.ours.toFixed(2)}/s, Swarm ${rates.swarm.toFixed(2)}/s, Compose ${rates.compose.toFixed(2)}/s`)
          figure("50 games against 50 services in Swarm mode, docker-28.5", rates.ours / rates.swarm, "x", 1.5, "more")
          figure("50 games against docker compose up --scale 50, docker-28.5", rates.ours / rates.compose, "x", 1.4, "more")
        } finally {
          await world.close()
        }
      })
    }

    const engine = environment.engines[0]!
    await part("latency", async () => {
      const world = new World(engine.host)
      const proxy = new EngineProxy(engine.host)
      await world.open()
      await proxy.open()
      try {
        await world.start({ DOCKER_HOST: proxy.host, RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
        const called = new Map<string, number>()
        proxy.fault = ({ path }) => {
          const game = /com\.galaxy\.game_id%3D([a-z0-9-]+)/i.exec(path)?.[1] ?? /com\.galaxy\.game_id=([a-z0-9-]+)/.exec(decodeURIComponent(path))?.[1]
          if (game && !called.has(game)) called.set(game, performance.now())
          return "pass"
        }
        // One after the other, each carried out before the next: this is reaction, not throughput.
        const reaction = async (prefix: string, ask: (gameId: string) => Promise<unknown>): Promise<ReadonlyArray<number>> => {
          const times: Array<number> = []
          for (let index = 0; index < 200; index++) {
            const gameId = `${prefix}${index}`
            await ask(gameId)
            const askedMs = performance.now()
            times.push(Math.max(0, await until(`a call for ${gameId}`, () => called.get(gameId)) - askedMs))
            await until(`${gameId} is carried out`, async () => {
              const [row] = await world.sql`SELECT 1 FROM rtmanager.runtime_records r JOIN rtmanager.games g USING (game_id) WHERE game_id = ${gameId} AND observed_generation = generation`
              return row
            })
          }
          console.log(`   ${prefix}: p50 ${percentile(times, 0.5).toFixed(1)} ms`)
          return times
        }
        const rows = await reaction("lr", (gameId) => world.sql`INSERT INTO rtmanager.games (game_id, image_ref, state) VALUES (${gameId}, ${image}, 'stopped')`)
        figure("row committed until the first Docker call, p99", percentile(rows, 0.99), "ms", 25, "less")
        const jobs = await reaction("lj", (gameId) => world.startJob(gameId))
        figure("XADD until the first Docker call, p99", percentile(jobs, 0.99), "ms", 15, "less")
      } finally {
        await world.close()
        proxy.close()
      }
    })

    await part("disappeared", async () => {
      const world = new World(engine.host)
      await world.open()
      try {
        await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
        const destroyed = new Map<string, number>()
        const events = await world.docker.getEvents({ filters: { type: ["container"], event: ["destroy"] } })
        events.on("data", (chunk: Uint8Array) => {
          for (const line of Buffer.from(chunk).toString().trim().split("\n")) destroyed.set((JSON.parse(line) as { Actor: { ID: string } }).Actor.ID, Date.now())
        })
        const reader = world.redis.duplicate()
        const times: Array<number> = []
        for (let index = 0; index < 60; index++) {
          const started = await world.result(await world.startJob(`d${index}`))
          let last = ((await world.entries("health_events")).at(-1)?.id) ?? "0"
          const removal = world.docker.getContainer(started.container_id!).remove({ force: true })
          for (let found = false; !found;) {
            const reply = await reader.xread("BLOCK", 5000, "STREAMS", world.stream("health_events"), last)
            for (const [id, flat] of reply?.[0]?.[1] ?? []) {
              last = id
              if (flat.includes("container_disappeared") && flat.includes(started.container_id!)) {
                // Redis' own clock says when it was on the stream.
                const at = destroyed.get(started.container_id!)
                times.push(Number(id.split("-")[0]) - (at ?? Number(id.split("-")[0])))
                found = true
              }
            }
          }
          await removal
        }
        reader.disconnect()
        ;(events as unknown as { destroy: () => void }).destroy()
        figure("container gone until it is told, over the engine's event, p50", percentile(times, 0.5), "ms", 10, "less")
        figure("container gone until it is told, over the engine's event, p99", percentile(times, 0.99), "ms", 50, "less")
      } finally {
        await world.close()
      }
    })

    await part("replay", async () => {
      const world = new World(engine.host)
      await world.open()
      try {
        await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "warn" })
        const games = Array.from({ length: 50 }, (_, index) => `n${index}`)
        for (const game of games) await world.startJob(game)
        await until("all run", async () => (await world.redis.xlen(world.stream("job_results"))) === 50, 120_000)
        const count = 10_000
        const took = await seconds(async () => {
          for (let sent = 0; sent < count;) {
            const pipeline = world.redis.pipeline()
            for (let index = 0; index < 500; index++, sent++) pipeline.xadd(world.stream("start_jobs"), "*", "game_id", games[sent % 50]!, "image_ref", image)
            await pipeline.exec()
          }
          await until("all are answered", async () => (await world.redis.xlen(world.stream("job_results"))) >= count + 50, 120_000)
        })
        figure("jobs that change nothing, XADD to result", count / took, "/s", 2000, "more")
      } finally {
        await world.close()
      }
    })

    await part("idle", async () => {
      const world = new World(engine.host)
      await world.open()
      try {
        const controller = await world.start({ RTM_RECONCILE_INTERVAL: "30s", RTM_LOG_LEVEL: "info" })
        await world.sql`INSERT INTO rtmanager.games (game_id, image_ref, state) SELECT 's' || n, ${image}, 'stopped' FROM generate_series(1, 900) n`
        await world.sql`INSERT INTO rtmanager.games (game_id, image_ref) SELECT 'r' || n, ${image} FROM generate_series(1, 100) n`
        await until("all are carried out", async () => {
          const [row] = await world.sql`SELECT count(*)::int AS n FROM rtmanager.runtime_records WHERE observed_generation = 1`
          return row?.n === 1000
        }, 180_000)
        const pid = controller.process.pid!
        const before = usage(pid)
        const took = await seconds(() => new Promise((resolve) => setTimeout(resolve, 45_000)))
        const after = usage(pid)
        figure("idle with 1,000 rows and 100 containers: CPU", (after.cpuSeconds - before.cpuSeconds) / took * 100, "% of a core", 2, "less")
        figure("idle with 1,000 rows and 100 containers: memory", after.rssMiB, "MiB", 150, "less")
      } finally {
        await world.close()
      }
    })
  } finally {
    await down()
  }
}

console.table(figures.map(({ ok, reach, unit, value, what }) => ({ what, measured: `${value.toFixed(2)} ${unit}`, reach, ok: ok ? "yes" : "NO" })))
mkdirSync(new URL("../.local/", import.meta.url), { recursive: true })
writeFileSync(new URL("../.local/bench.json", import.meta.url), JSON.stringify(figures, null, 2))
process.exit(0)
