/**
 * `npm test`: everything. Static checks first, then the tests on real engines, then a look for what was left behind. Ends
 * with `N passed, N failed`.
 */
import { spawn, spawnSync } from "node:child_process"
import { Agent } from "node:http"
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { dockerAt } from "./lib/images.ts"
import { say } from "./lib/run.ts"
import { down, type TestEnvironment, up } from "./lib/testEnvironment.ts"

const root = new URL("..", import.meta.url).pathname
const reports = join(root, ".local", "reports")
const tally = { passed: 0, failed: 0 }

const timed = async <A>(name: string, work: () => A | Promise<A>): Promise<A> => {
  const startedMs = Date.now()
  say(`${name} ...`)
  try {
    return await work()
  } finally {
    say(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
  }
}

const count = (ok: boolean): void => {
  tally[ok ? "passed" : "failed"]++
}

/** A check that is a program: passed when it ends with 0. */
const check = (name: string, command: string, args: ReadonlyArray<string>): Promise<void> =>
  timed(name, () => {
    const { status } = spawnSync(command, args, { stdio: "inherit", cwd: root })
    if (status !== 0) console.error(`${name} FAILED`)
    count(status === 0)
  })

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly success: boolean
  readonly testResults: ReadonlyArray<{ readonly status: string; readonly assertionResults: ReadonlyArray<unknown> }>
}

const reportOf = (name: string): string => join(reports, `${name}.json`)
const vitestArgs = (name: string, projects: ReadonlyArray<string>): ReadonlyArray<string> =>
  ["run", ...projects.flatMap((project) => ["--project", project]), "--reporter=default", "--reporter=json", `--outputFile.json=${reportOf(name)}`]

/** A file that cannot be loaded, a skipped test or an error outside a test is a failure too. */
const countReport = (name: string, status: number | null): void => {
  if (!existsSync(reportOf(name))) return count(false)
  const found = JSON.parse(readFileSync(reportOf(name), "utf8")) as VitestReport
  const brokenFiles = found.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length
  const failed = found.numFailedTests + found.numPendingTests + found.numTodoTests + brokenFiles
  tally.passed += found.numPassedTests
  tally.failed += failed
  if (status !== 0 && failed === 0) count(false)
}

/** Projects of vitest, their files side by side. */
const vitest = (...projects: ReadonlyArray<string>): Promise<void> =>
  timed(`${projects.join(" and ")} tests`, () => {
    const name = projects.join("-")
    rmSync(reportOf(name), { force: true })
    const { status } = spawnSync("vitest", vitestArgs(name, projects), { stdio: "inherit", cwd: root, env: { ...process.env, CI: "true" } })
    countReport(name, status)
  })

/** A project that is pure and long, beside all others, with what of the processors they leave. Answers how to wait for it. */
const beside = (project: string): (() => Promise<void>) => {
  rmSync(reportOf(project), { force: true })
  const log = join(reports, `${project}.log`)
  const output = openSync(log, "w")
  const child = spawn("nice", ["-n", "19", "vitest", ...vitestArgs(project, [project])], {
    stdio: ["ignore", output, output], cwd: root, env: { ...process.env, CI: "true" }
  })
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  process.once("exit", () => child.kill("SIGKILL"))
  return () => timed(`the ${project} tests' end`, async () => {
    const status = await ended
    process.stdout.write(readFileSync(log))
    countReport(project, status)
  })
}

/** What is on the engines, in words. */
const inventory = async (environment: TestEnvironment): Promise<ReadonlySet<string>> => {
  const found = new Set<string>()
  for (const { host, name } of environment.engines) {
    // With connections of its own: an engine may have been started again since the last look.
    const docker = dockerAt(host, new Agent({ keepAlive: false }))
    for (const container of await docker.listContainers({ all: true })) found.add(`${name}: container ${container.Names[0] ?? container.Id}`)
    for (const volume of (await docker.listVolumes()).Volumes ?? []) found.add(`${name}: volume ${volume.Name}`)
    for (const network of await docker.listNetworks()) found.add(`${name}: network ${network.Name}`)
  }
  return found
}

const leaks = async (environment: TestEnvironment, before: ReadonlySet<string>): Promise<void> => {
  const left = [...await inventory(environment)].filter((one) => !before.has(one))
  for (const one of left) console.error(`left behind: ${one}`)
  count(left.length === 0)
}

const finish = async (): Promise<never> => {
  await timed("taking the environment down", down)
  console.log(`${tally.passed} passed, ${tally.failed} failed`)
  process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1)
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    tally.failed++
    void finish()
  })
}

mkdirSync(reports, { recursive: true })
await check("types", process.execPath, ["node_modules/typescript-7/bin/tsc", "-p", "."])
await check("lint", "oxlint", ["--deny-warnings"])
await check("one-way arrows", "depcruise", ["--config", ".dependency-cruiser.cjs", "src", "controllers"])
await check("generated docs", process.execPath, ["scripts/docs.ts", "--check"])
const convergence = beside("convergence")
await vitest("unit", "simulation")
try {
  const environment = await timed("test environment", up)
  const before = await inventory(environment)
  await vitest("integration")
  await vitest("e2e")
  await leaks(environment, before)
} catch (error) {
  console.error(error)
  count(false)
}
await convergence()
await finish()
