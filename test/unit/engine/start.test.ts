/** What a start answers, and when: the Docker adapter before an engine that answers as the tests say. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { until } from "../../support/until.ts"
import { failure, gameLabels, id, inspected, run, useBadEngine, writes } from "../../support/useBadEngine.ts"

const { bad, engineOn } = useBadEngine()

describe("a start", () => {
  const started = { "POST /containers/": [204, ""] as const }
  /** Longer than any test: what ends before did not wait for it. */
  const forEver = 3_600_000
  const ended = (code: number, ranMs: number) => {
    const seen = JSON.parse(inspected("exited")) as { State: Record<string, unknown>; HostConfig: Record<string, unknown> }
    const FinishedAt = new Date(Date.parse("2026-01-01T00:00:00Z") + ranMs).toISOString()
    return JSON.stringify({ ...seen, State: { ...seen.State, ExitCode: code, FinishedAt }, HostConfig: { ...seen.HostConfig, Init: true } })
  }
  const calls = () => bad.asked.map(({ method, path }) => `${method} ${path.replace(/\?.*/, "").split("/").slice(3).join("/")}`)

  it("costs two calls: the start, and one look when the program had its chance to fail", async () => {
    const engine = await engineOn({ ...started, "GET /containers/": inspected("running") })
    const beganMs = performance.now()
    assert.deepInclude(await run(engine.start(id("a"))), { state: "running", startError: "" })
    assert.isAtLeast(performance.now() - beganMs, 95)
    assert.deepStrictEqual(calls(), ["POST start", "GET json"])
  })

  it("is looked at without a wait when the container ran already", async () => {
    const engine = await engineOn({ "POST /containers/": [304, ""], "GET /containers/": ended(127, 50) }, { lookAfterMs: forEver })
    assert.deepInclude(await run(engine.start(id("a"))), { state: "exited" })
  })

  it("is looked at as soon as the container dies", async () => {
    let die = () => {}
    const engine = await engineOn({
      "GET /version": "{\"ApiVersion\":\"1.41\"}",
      "GET /events": writes((response) => {
        response.writeHead(200).write(" ")
        die = () => void response.write(JSON.stringify({ Action: "die", Actor: { ID: id("a"), Attributes: gameLabels } }))
      }),
      "POST /containers/": writes((response) => {
        // Its end may be told before its start is answered.
        die()
        setTimeout(() => response.writeHead(204).end(), 20)
      }),
      "GET /containers/": ended(127, 50)
    }, { lookAfterMs: forEver })
    let opened = 0
    const listening = Effect.runFork(Stream.runForEach(engine.events, () => Effect.sync(() => opened++)))
    await until("it listens", () => opened > 0)
    assert.strictEqual((await failure(engine.start(id("a")))).reason, "StartFailed")
    await Effect.runPromise(Fiber.interrupt(listening))
  })

  it("holds no place among the calls while it waits", async () => {
    const engine = await engineOn({ ...started, "GET /containers/": inspected("running"), "DELETE /containers/": [204, ""] }, { maxInFlight: 1, lookAfterMs: forEver })
    const starting = Effect.runFork(engine.start(id("a")))
    await until("it was sent", () => bad.asked.length === 1)
    await run(engine.remove(id("b")))
    assert.deepStrictEqual(calls(), ["POST start", "DELETE "])
    await Effect.runPromise(Fiber.interrupt(starting))
  })

  it.each([
    ["the program could not be executed", ended(127, 50), "StartFailed", "what the init process says"],
    ["that is so after a long run of a busy engine's clock", ended(127, 6000), "StartFailed", "the look follows the start at once"],
    ["the container is gone", [404, "{\"message\":\"no such container\"}"], "NotFound", "somebody removed it"],
    ["nobody answers the look", "reset", "Unavailable", "whether it runs is not known"]
  ] as const)("fails when %s", async (_name, look, reason, because) => {
    const engine = await engineOn({ ...started, "GET /containers/": look })
    assert.deepInclude(await failure(engine.start(id("a"))), { reason }, because)
  })

  it("that was seen to fail goes on having failed, until the container is started anew", async () => {
    let look = ended(127, 6000)
    const engine = await engineOn({ ...started, "GET /containers/": () => look })
    const error = await failure(engine.start(id("a")))
    const later = async () => {
      const seen = await run(engine.inspect(id("a")))
      return seen === "gone" ? seen : seen.startError
    }
    assert.strictEqual(await later(), error.message)
    look = ended(127, 6000).replace("\"StartedAt\":\"2026-01-01T00:00:00Z\"", "\"StartedAt\":\"2026-01-01T00:00:01Z\"")
    assert.strictEqual(await later(), "")
  })

  it("that ended by itself at once was one all the same", async () => {
    const engine = await engineOn({ ...started, "GET /containers/": ended(3, 5) })
    assert.deepInclude(await run(engine.start(id("a"))), { state: "exited", startError: "" })
  })
})
