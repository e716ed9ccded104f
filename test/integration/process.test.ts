/** The controller's process from outside, without an engine: how it starts and how it ends. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { Redis } from "ioredis"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type postgres from "postgres"
import { freePort } from "../../scripts/lib/run.ts"
import { migrate } from "../../src/store/migrate.ts"
import { environment } from "../support/environment.ts"
import { holding, type Opened, withOpenStore } from "../support/openStore.ts"
import { until } from "../support/until.ts"

interface Started {
  readonly process: ChildProcess
  readonly port: number
  readonly log: () => string
  readonly checks: () => Promise<Readonly<Record<string, { readonly ok: boolean; readonly message: string }>>>
}

const start = async ({ as, url }: Opened): Promise<Started> => {
  const port = await freePort()
  const stream = new URL(url).pathname.slice(1)
  const child = spawn(process.execPath, ["src/main.ts"], {
    env: {
      PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: as.controller, REDIS_URL: environment.redisUrl, DOCKER_HOST: "unix:///nowhere/docker.sock",
      RTM_HTTP_ADDR: `127.0.0.1:${port}`, RTM_LOG_FORMAT: "json", RTM_STREAM_START_JOBS: `${stream}:start`, RTM_STREAM_STOP_JOBS: `${stream}:stop`,
      RTM_STREAM_JOB_RESULTS: `${stream}:results`, RTM_STREAM_DEAD_JOBS: `${stream}:dead`
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let log = ""
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk) => { log += chunk })
  const checks = async () => ((await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as { checks: Awaited<ReturnType<Started["checks"]>> }).checks
  await until("it listens", async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok)
  return { process: child, port, log: () => log, checks }
}

const running = (body: (started: Started, opened: Opened) => Promise<void>, before: (opened: Opened) => Promise<unknown> = async () => {}) =>
  withOpenStore(async (opened) => {
    await opened.sql`UPDATE rtmanager.lease SET holder = ''`
    await before(opened)
    const started = await start(opened)
    try {
      await body(started, opened)
    } finally {
      started.process.kill("SIGKILL")
    }
  })

const opening = (port: number, text: string): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, () => resolve(socket)))
    socket.on("error", () => {})
  })

describe("the controller's process", () => {
  it("ends within two seconds of SIGTERM though connections are open, idle or in the middle of a request, and gives up the lease", running(async ({ checks, log, port, process }, { sql }) => {
    await until("it acts", async () => (await checks()).role!.message.startsWith("leader"))
    const idle = await opening(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await new Promise((resolve) => idle.once("data", resolve))
    const half = await opening(port, "POST /v1/games HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    const startedMs = Date.now()
    const ended = new Promise<number | null>((resolve) => process.once("exit", resolve))
    process.kill("SIGTERM")
    assert.strictEqual(await ended, 0, log())
    assert.isBelow(Date.now() - startedMs, 2000)
    assert.strictEqual((await sql`SELECT holder FROM rtmanager.lease`)[0]!.holder, "")
    for (const socket of [idle, half]) socket.destroy()
  }))

  it.each([
    ["its row is deleted", (sql: postgres.Sql) => sql`DELETE FROM rtmanager.lease`],
    ["its row is put back from an old dump", (sql: postgres.Sql) => sql`UPDATE rtmanager.lease SET holder = 'long-gone', epoch = 1, renewed_at = '2020-01-01', expires_at = '2020-01-01'`],
    ["it was had by another whose clock was an hour ahead", (sql: postgres.Sql) => sql`
      UPDATE rtmanager.lease SET holder = 'long-gone', epoch = epoch + 1, renewed_at = now() + interval '1 hour', expires_at = now() + interval '1 hour'`]
  ] as const)("acts again, under a higher epoch, within two of the lease's times when %s", (_what, befall) => running(async ({ checks }, { sql }) => {
    const role = async () => (await checks()).role!.message
    const epoch = async () => Number(/^leader, epoch (\d+)/.exec(await role())?.[1] ?? 0)
    const first = await until("it acts", async () => await epoch() || undefined)
    await befall(sql)
    await until("it acts again", async () => await epoch() > first, 14_000)
  })())

  it("says in /readyz which job stream is not read and which messages do not go out, by the work itself, while the others go on", running(async ({ checks }, { sql, url }) => {
    const stream = new URL(url).pathname.slice(1)
    const redis = new Redis(environment.redisUrl)
    try {
      const well = () => until("jobs and messages are well", async () => {
        const { jobs, messages } = await checks()
        return jobs!.ok && messages!.ok && jobs!.message.includes(`${stream}:start read`)
      })
      await well()
      await redis.del(`${stream}:stop`)
      for (const name of ["stop", "results"]) await redis.set(`${stream}:${name}`, "not a stream")
      const job = await redis.xadd(`${stream}:start`, "*", "game_id", "BAD")
      await until("it is taken", async () => (await sql`SELECT 1 FROM rtmanager.jobs WHERE entry_id = ${job}`).length === 1)
      await until("both are named", async () => {
        const { jobs, messages, redis: reached } = await checks()
        return !jobs!.ok && jobs!.message.includes(`${stream}:stop is not read: WRONGTYPE`) && !jobs!.message.includes(":start") &&
          !messages!.ok && messages!.message.startsWith("messages of job_results wait: WRONGTYPE") && reached!.ok
      })
      assert.strictEqual(await redis.xlen(`${stream}:dead`), 1)
      await redis.del(`${stream}:stop`, `${stream}:results`)
      await well()
      assert.strictEqual(await redis.xlen(`${stream}:results`), 1)
    } finally {
      await redis.del(...["start", "stop", "results", "dead"].map((name) => `${stream}:${name}`))
      redis.disconnect()
    }
  }))

  it("answers while it waits for migrations, says who holds their lock and who may apply them, and goes on when its owner has", async () => {
    let unlock = async () => {}
    await running(async ({ checks, log }, { url }) => {
      const schema = await until("it says so", async () => {
        const { schema } = await checks()
        return schema!.message.includes("held by pid") ? schema : undefined
      })
      assert.isFalse(schema!.ok)
      assert.match(log(), /the database cannot be migrated yet: the migrations' lock was not had in time; held by pid/)
      await unlock()
      await until("it says who can", async () => (await checks()).schema!.message.includes("which role rtm_test_controller may not do"))
      await migrate(url)
      await until("it acts", async () => (await checks()).role!.message.startsWith("leader"))
      assert.deepStrictEqual((await checks()).schema, { ok: true, message: "migrated" })
    }, async ({ sql }) => {
      // Only who has something to apply asks for the lock.
      await sql`UPDATE rtmanager.schema_functions SET checksum = 'older' WHERE name = 'fence.sql'`
      unlock = await holding(sql, "SELECT pg_advisory_xact_lock(7261640127)")
    })()
  })
})

/** `npm start` with a PostgreSQL of its own, its output in a pipe. */
const starting = () => {
  const folder = mkdtempSync(join(tmpdir(), "rtm-start-"))
  // PostgreSQL does not run as root.
  chmodSync(folder, 0o755)
  const name = folder.split("-").at(-1)!
  const child = spawn(process.execPath, ["scripts/start.ts"], {
    env: {
      PATH: process.env.PATH, HOME: process.env.HOME, REDIS_URL: environment.redisUrl, DOCKER_HOST: environment.engines[0]!.host, RTM_LOCAL_FOLDER: folder,
      RTM_STREAM_START_JOBS: `${name}:start`, RTM_STREAM_STOP_JOBS: `${name}:stop`
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const seen = { stdout: "", stderr: "" }
  child.stdout.on("data", (chunk) => { seen.stdout += chunk })
  child.stderr.on("data", (chunk) => { seen.stderr += chunk })
  const code = new Promise<number | null>((resolve) => child.once("close", resolve))
  return { child, code, folder, seen }
}

describe("npm start", () => {
  it("leaves neither its controller nor its PostgreSQL running, and says farewell, when Ctrl-C ends the reader of its output too", async () => {
    const { child, code, folder, seen } = starting()
    try {
      await until("the controller is ready", () => seen.stdout.includes("Ctrl-C ends the controller"), 60_000)
      const { http } = JSON.parse(readFileSync(join(folder, "ports.json"), "utf8")) as { readonly http: number }
      assert.isTrue((await fetch(`http://127.0.0.1:${http}/readyz`)).ok)
      assert.isTrue(existsSync(join(folder, "postgres", "postmaster.pid")))
      child.stdout.destroy()
      child.kill("SIGINT")
      assert.strictEqual(await code, 0, seen.stderr)
      assert.include(seen.stderr, "stopped; your games keep running")
      assert.isFalse(existsSync(join(folder, "postgres", "postmaster.pid")))
      assert.isFalse(await fetch(`http://127.0.0.1:${http}/healthz`).then(() => true, () => false))
    } finally {
      child.kill("SIGTERM")
      await code
      rmSync(folder, { recursive: true })
    }
  })
})
