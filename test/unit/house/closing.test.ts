/** Nothing that `npm start` started outlives it, and its farewell is seen, whoever reads its output and however it ends. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { until } from "../../support/until.ts"

const script = new URL("closingScript.ts", import.meta.url).pathname

const starting = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  const seen = { stdout: "", stderr: "" }
  child.stdout.on("data", (chunk) => { seen.stdout += chunk })
  child.stderr.on("data", (chunk) => { seen.stderr += chunk })
  const code = new Promise<number | string | null>((resolve) => child.once("close", (exit, signal) => resolve(exit ?? signal)))
  const says = (text: string) => until(text, () => seen.stdout.includes(text))
  return { child, seen, code, says }
}

const runs = (stdout: string): boolean => {
  try {
    return process.kill(Number(/kept (\d+)/.exec(stdout)![1]), 0)
  } catch {
    return false
  }
}

describe("the end of npm start", () => {
  it("stops what was started and says farewell when Ctrl-C ended the reader of its output too (npm start | tee log)", async () => {
    const { child, code, says, seen } = starting()
    await says("ready")
    assert.isTrue(runs(seen.stdout))
    child.stdout.destroy()
    child.kill("SIGINT")
    assert.strictEqual(await code, 0, seen.stderr)
    assert.include(seen.stderr, "farewell")
    assert.isFalse(runs(seen.stdout))
  })

  it("stops what was started when nobody reads its output any more (npm start | head)", async () => {
    const { child, code, says, seen } = starting()
    await says("ready")
    child.stdout.destroy()
    assert.strictEqual(await code, 0, seen.stderr)
    assert.include(seen.stderr, "farewell")
    assert.isFalse(runs(seen.stdout))
  })

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("says farewell where its output is read (%s twice, as npm passes it on)", async (signal) => {
    const { child, code, says, seen } = starting()
    await says("ready")
    child.kill(signal)
    child.kill(signal)
    assert.strictEqual(await code, 0, seen.stderr)
    assert.match(seen.stdout, /\nfarewell\n$/)
    assert.isFalse(runs(seen.stdout))
  })

  it("stops what still starts when the signal comes", async () => {
    const { child, code, says, seen } = starting("300")
    await says("kept")
    child.kill("SIGINT")
    assert.strictEqual(await code, 0, seen.stderr)
    assert.notInclude(seen.stdout, "ready")
    assert.isFalse(runs(seen.stdout))
  })

  it.each([["later part", "no image"], ["elsewhere", "nobody caught it"]])("stops what was started after an error, with the error's words and code (%s)", async (where, words) => {
    const { code, seen } = starting("", where)
    assert.strictEqual(await code, 1)
    assert.include(seen.stderr, words)
    assert.include(seen.stderr, "cannot be stopped")
    assert.isFalse(runs(seen.stdout))
  })
})
