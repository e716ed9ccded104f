/** The domain's small parsers: tables with a reason for each case. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeSpec } from "../../../src/domain/GameSpec.ts"
import { imageRefProblem } from "../../../src/domain/ImageRef.ts"
import { parseDurationMs, parseMemoryBytes } from "../../../src/domain/Quantity.ts"

describe("a duration", () => {
  it.each([
    ["0", 0, "nothing needs no unit"], ["500ms", 500, "milliseconds"], ["30s", 30_000, "seconds"], ["5m", 300_000, "minutes"],
    ["1h30m", 5_400_000, "parts add up"], ["1.5s", 1500, "fractions"], ["72h", 259_200_000, "no days, but many hours"]
  ] as const)("%s is %d ms: %s", (text, ms, _because) => {
    assert.strictEqual(parseDurationMs(text), ms)
  })
  it.each(["", "5", "s", "5 s", "-5s", "5d", "1e3s", "5S", "0x5s", "5s5"])("is not %j", (text) => {
    assert.isUndefined(parseDurationMs(text))
  })
})

describe("a size", () => {
  it.each([
    ["536870912", 536_870_912, "bytes"], ["512Mi", 536_870_912, "binary"], ["1.5Gi", 1_610_612_736, "fractions"],
    ["500M", 500_000_000, "decimal"], ["1k", 1000, "a small k, as Kubernetes writes it"]
  ] as const)("%s is %d bytes: %s", (text, bytes, _because) => {
    assert.strictEqual(parseMemoryBytes(text), bytes)
  })
  it.each(["", "Mi", "512 Mi", "512mb", "-1", "1e9", "512MiB", "999999999999999Ti"])("is not %j", (text) => {
    assert.isUndefined(parseMemoryBytes(text))
  })
})

describe("an image reference", () => {
  it.each([
    ["galaxy/engine:1.4.2", "a tag"], ["engine:latest", "of the official library"],
    ["registry.example:5000/galaxy/engine:1", "a registry with a port"], ["127.0.0.1:5000/engine:1", "a registry by address"],
    [`galaxy/engine@sha256:${"a".repeat(64)}`, "a digest"]
  ] as const)("may be %s: %s", (text, _because) => {
    assert.isUndefined(imageRefProblem(text))
  })
  it.each([
    ["galaxy/engine", /neither/, "an engine would pull every tag"], ["Galaxy:1", /not an image/, "capitals"],
    ["", /not an image/, "nothing"], ["a:1:2", /not an image/, "two tags"], [" a:1", /not an image/, "a space"],
    ["a@sha256:abc", /not an image/, "a digest cut short"], ["x".repeat(600), /longer/, "too long"]
  ] as const)("may not be %j", (text, problem, _because) => {
    assert.match(imageRefProblem(text) ?? "", problem)
  })
})

describe("a spec", () => {
  it("takes every field of the contract", () => {
    const spec = {
      command: ["/bin/engine"], args: ["--fast"], env: { GAME_MODE: "hard" }, resources: { cpus: 0.5, memory: "512Mi", pids: 64 },
      labels: { team: "red", "example.org/tier": "1", "org.opencontainers.image.refName": "x" }, stop_signal: "SIGINT", stop_grace: "5s", pull_policy: "always",
      restart: { base: "100ms", max: "24h", reset: "168h", never_on: [0, 64, 255] }
    }
    const decoded = decodeSpec(spec)
    assert.isTrue(Result.isSuccess(decoded))
    if (Result.isSuccess(decoded)) assert.deepStrictEqual(decoded.success as unknown, spec)
  })
  it.each([
    [{ commands: [] }, "commands", "unknown keys are refused, not passed over"],
    [{ resources: { cpu: 1 } }, "resources.cpu", "also inside"],
    [{ resources: { cpus: "1" } }, "resources.cpus", "a number is not text"],
    [{ resources: { cpus: Number.NaN } }, "resources.cpus", "not a number"],
    [{ resources: { pids: 0 } }, "resources.pids", "0 would mean no limit to an engine"],
    [{ resources: { pids: 1.5 } }, "resources.pids", "whole numbers"],
    [{ resources: { memory: "5Mi" } }, "resources.memory", "less than the engine takes"],
    [{ command: "sh" }, "command", "one word is no list"],
    [{ args: [1] }, "args.0", "each argument is text"],
    [{ env: { "9A": "x" } }, "env.9A", "no name of a variable"],
    [{ env: { A: 1 } }, "env.A", "values are text"],
    [{ labels: { "com.galaxy.x": "y" } }, "labels.com.galaxy.x", "our own"],
    [{ labels: { "Com.Galaxy.x": "y" } }, "labels.Com.Galaxy.x", "in capitals too"],
    [{ labels: { "-team": "y" } }, "labels.-team", "no name of a label"],
    [{ stop_signal: "SIGFOO" }, "stop_signal", "the game could never be stopped: the engine knows no such signal"],
    [{ stop_signal: "sigterm" }, "stop_signal", "one way to write it"],
    [{ stop_signal: "SIGRTMIN+16" }, "stop_signal", "the engine counts to 15"],
    [{ stop_signal: "RTMAX+1" }, "stop_signal", "beyond the last one"],
    [{ stop_signal: "0" }, "stop_signal", "no signal"],
    [{ stop_signal: "33" }, "stop_signal", "the C library's own"],
    [{ stop_signal: "65" }, "stop_signal", "beyond the last one"],
    [{ stop_signal: 15 }, "stop_signal", "a number is not text"],
    [{ stop_grace: "5" }, "stop_grace", "a unit is needed"],
    [{ pull_policy: "sometimes" }, "pull_policy", "one of three"],
    [{ restart: { base: "5" } }, "restart.base", "a unit is needed"],
    [{ restart: { base: "0" } }, "restart.base", "without a pause the engine would do nothing else"],
    [{ restart: { base: "99ms" } }, "restart.base", "too short a pause for any engine"],
    [{ restart: { base: "61m", max: "24h" } }, "restart.base", "an hour at most"],
    [{ restart: { base: "2m", max: "1m" } }, "restart.base", "the first wait is the shortest"],
    [{ restart: { max: "25h" } }, "restart.max", "longer than a day is what never is for"],
    [{ restart: { reset: "0" } }, "restart.reset", "every run would be a stable one"],
    [{ restart: { never_on: [256] } }, "restart.never_on.0", "no exit code"],
    [{ restart: { never_on: [64, -1] } }, "restart.never_on.1", "no exit code"],
    [{ restart: { never_on: ["64"] } }, "restart.never_on.0", "a text is no number"],
    [{ restart: { never_on: 64 } }, "restart.never_on", "one is no list"],
    [{ restart: { attempts: 3 } }, "restart.attempts", "unknown keys are refused inside too"]
  ] as const)("refuses %j at %s: %s", (spec, path, _because) => {
    const decoded = decodeSpec(spec)
    assert.isTrue(Result.isFailure(decoded))
    if (Result.isFailure(decoded)) assert.strictEqual(decoded.failure.path, path)
  })

  it.each(["SIGTERM", "INT", "SIGRTMIN", "RTMIN+15", "SIGRTMAX-14", "SIGRTMAX", "1", "31", "34", "64"])("takes the signal %s", (signal) => {
    assert.isTrue(Result.isSuccess(decodeSpec({ stop_signal: signal })))
  })
})
