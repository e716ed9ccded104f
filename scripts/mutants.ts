/**
 * `npm run mutants [-- words]`: plants each fault of test/mutants/mutants.ts in a copy of the working tree and runs the one
 * test that must catch it. Ends with 1 when a fault survives or cannot be planted, or when a test does not pass without one.
 */
import { spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type Mutant, mutants } from "../test/mutants/mutants.ts"
import { run, say } from "./lib/run.ts"

const root = new URL("..", import.meta.url).pathname
const atOnce = 2
const deadlineMs = 300_000

type TestNamed = Mutant["caughtBy"]
/** `none`: no test ran, whatever the cause: no such name, or a file that cannot be loaded. */
type Verdict = "passed" | "failed" | "timed out" | "none"

interface Ran {
  readonly status: string
  readonly failureMessages?: ReadonlyArray<string> | null
}
interface Report {
  readonly testResults: ReadonlyArray<{ readonly assertionResults: ReadonlyArray<Ran> }>
}

/** A copy of what git knows or would take, in a folder of its own. */
const copyTree = (folder: string): string => {
  const listed = run("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: root }).split("\0")
  for (const file of listed.filter((name) => name !== "" && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(join(root, file), join(folder, file))
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  return folder
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
/** A template of `it.each` stands for all the names it makes. */
const pattern = ({ test }: TestNamed): string => test.split(/%[sdfijo#%]/).map(literally).join(".*")

const verdict = async (tree: string, test: TestNamed): Promise<Verdict> => {
  const output = join(tree, "report.json")
  rmSync(output, { force: true })
  const args = ["run", "--project", test.project, test.file, "-t", pattern(test), "--reporter=json", `--outputFile.json=${output}`]
  const child = spawn("vitest", args, { cwd: tree, stdio: "ignore", timeout: deadlineMs, env: { ...process.env, CI: "true" } })
  await new Promise((resolve) => child.once("close", resolve))
  if (!existsSync(output)) return "none"
  const report = JSON.parse(readFileSync(output, "utf8")) as Report
  return verdictOf(report.testResults.flatMap(({ assertionResults }) => assertionResults))
}

/** A busy machine makes any test time out: that alone catches nothing. */
const verdictOf = (ran: ReadonlyArray<Ran>): Verdict => {
  const failed = ran.filter(({ status }) => status === "failed")
  if (failed.some(({ failureMessages }) => (failureMessages ?? []).some((message) => !/TimeoutError|timed out in \d+ms/.test(message)))) return "failed"
  return failed.length > 0 ? "timed out" : ran.some(({ status }) => status === "passed") ? "passed" : "none"
}

/** Why a fault was not caught; undefined: it was. */
const outcomes: Readonly<Record<Verdict, string | undefined>> = {
  failed: undefined, passed: "SURVIVED", "timed out": "SURVIVED: the test only timed out", none: "NOT TRIED: no test ran with the fault"
}

/** Answers of `outcomes`, or what was in the way. */
const survives = async (tree: string, { caughtBy, file, from, to }: Mutant): Promise<string | undefined> => {
  const text = readFileSync(join(tree, file), "utf8")
  if (text.split(from).length !== 2) return `NOT PLANTED: the text occurs ${text.split(from).length - 1} times in ${file}`
  // Without the fault first: a test that fails anyway catches nothing.
  if (await verdict(tree, caughtBy) !== "passed") return "NOT TRIED: the test does not pass without the fault"
  writeFileSync(join(tree, file), text.replace(from, () => to))
  try {
    const found = await verdict(tree, caughtBy)
    return outcomes[found]
  } finally {
    writeFileSync(join(tree, file), text)
  }
}

const main = async (): Promise<void> => {
  const wanted = mutants.filter(({ name }) => process.argv.slice(2).every((word) => name.includes(word)))
  const folder = mkdtempSync(join(tmpdir(), "rtm-mutants-"))
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))
  say(`${wanted.length} mutants, ${atOnce} at once ...`)
  const left = [...wanted]
  let caught = 0
  const work = async (tree: string): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const startedMs = Date.now()
      const why = await survives(tree, mutant)
      if (why === undefined) caught++
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)
      console.log(`${seconds} s  ${mutant.name}\n          ${why ?? "caught by"}  ${mutant.caughtBy.file}: ${mutant.caughtBy.test}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, (_, index) => work(copyTree(join(folder, String(index))))))
  console.log(`${caught} caught, ${wanted.length - caught} not`)
  process.exit(caught === wanted.length && caught > 0 ? 0 : 1)
}

await main()
