/** What the engine's answers mean, case by case. */
import { assert, describe, it } from "@effect/vitest"
import { EngineError, type EngineReason, isAnswer } from "../../../src/engine/ContainerEngine.ts"
import { detail, type Inspected } from "../../../src/engine/docker/answers.ts"

const at = (ms: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + ms).toISOString()
const never = "0001-01-01T00:00:00Z"
const start = Date.parse(at(0))

const seen = (state: Partial<Inspected["State"]>, init: boolean | null | undefined): Inspected => ({
  Id: "a".repeat(64), Name: "/galaxy-game-g1", Created: at(-1000),
  State: { Status: "exited", ExitCode: 0, OOMKilled: false, Error: "", StartedAt: at(0), FinishedAt: at(50), ...state },
  Config: { Hostname: "galaxy-game-g1", Image: "a/b:1", Labels: { "com.galaxy.game_id": "g1" } },
  HostConfig: { RestartPolicy: { Name: "no" }, ...(init === undefined ? {} : { Init: init }) }
})
type State = Partial<Inspected["State"]>
const startError = (state: State, init: boolean | null | undefined) => detail(seen(state, init), 8080)!.startError

const missing = "the program could not be executed (exit code 127: it does not exist)"
const notExecutable = "the program could not be executed (exit code 126: it is not executable)"

describe("why the last start failed", () => {
  it.each<[State, boolean | null | undefined, string, string]>([
    [{ ExitCode: 127 }, true, missing, "the init process found no program"],
    [{ ExitCode: 126 }, true, notExecutable, "the init process may not execute it"],
    [{ ExitCode: 127, FinishedAt: at(-80) }, true, missing, "old engines take the beginning for later than the end"],
    [{ ExitCode: 127, FinishedAt: at(1500) }, true, missing, "busy engines count from long before the process is there"],
    [{ ExitCode: 127, FinishedAt: at(1501) }, true, "", "it ran: the code is its own"],
    [{ ExitCode: 127, FinishedAt: never }, true, "", "nobody knows when it ended"],
    [{ ExitCode: 127, Status: "dead" }, true, missing, "a removal that was cut short changes nothing"],
    [{ ExitCode: 127, Status: "running" }, true, "", "it runs: the code is of an earlier run"],
    [{ ExitCode: 1 }, true, "", "any other code is the program's"],
    [{ ExitCode: 0 }, true, "", "it ended well"],
    [{ ExitCode: 127 }, false, "", "without the init process the engine itself says so"],
    [{ ExitCode: 127 }, null, "", "made by somebody else, who did not say"],
    [{ ExitCode: 127 }, undefined, "", "the engine does not say whether there is an init process"],
    [{ ExitCode: 127, Error: "no such network" }, true, "no such network", "the engine's own words come first"],
    [{ ExitCode: 127, Status: "created", StartedAt: never, FinishedAt: never, Error: "exec: no such file" }, false, "exec: no such file", "it never ran"]
  ])("%o, init %s: %o, because %s", (state, init, expected, because) => {
    assert.strictEqual(startError(state, init), expected, because)
  })
})

describe("who made a container", () => {
  const madeBy = (labels: Readonly<Record<string, string>>) => {
    const { Config, ...rest } = seen({}, true)
    const { epoch, instance } = detail({ ...rest, Config: { ...Config, Labels: { ...Config.Labels, ...labels } } }, 8080)!
    return { instance, epoch }
  }
  it.each<[Readonly<Record<string, string>>, string | undefined, number | undefined, string]>([
    [{ "com.galaxy.instance": "prod", "com.galaxy.epoch": "7" }, "prod", 7, "a controller, under its lease"],
    [{}, undefined, undefined, "somebody by hand, or an earlier release"],
    [{ "com.galaxy.instance": "", "com.galaxy.epoch": "" }, undefined, undefined, "a client without an installation"],
    [{ "com.galaxy.instance": "prod", "com.galaxy.epoch": "soon" }, "prod", undefined, "an epoch is a number"]
  ])("%o: %s, epoch %s, because %s", (labels, instance, epoch, because) => {
    assert.deepStrictEqual(madeBy(labels), { instance, epoch }, because)
  })
})

describe("when a run ended", () => {
  it.each<[State, number | null, string]>([
    [{ ExitCode: 3, FinishedAt: at(50) }, start + 50, "the engine says so"],
    [{ ExitCode: 0, FinishedAt: at(0) }, start, "it may take no time"],
    [{ ExitCode: 3, FinishedAt: at(-80) }, start, "a code other than 0 is of this run, whose beginning is told too late"],
    [{ ExitCode: 0, FinishedAt: at(-80) }, null, "the end of an earlier run: this one's is lost"],
    [{ ExitCode: 0, FinishedAt: never }, null, "found dead: nobody saw it end"],
    [{ ExitCode: 3, FinishedAt: never }, null, "nobody saw it end"]
  ])("%o: %s, because %s", (state, expected, because) => {
    assert.strictEqual(detail(seen(state, true), 8080)!.exit?.finishedAtMs, expected, because)
  })
})

describe("an answer of the engine", () => {
  const error = (reason: EngineReason) => new EngineError({ operation: "x", reason, message: "m" })
  it.each(["NotFound", "NameTaken", "Conflict", "ImageMissing", "NetworkMissing", "Invalid", "StartFailed", "PullFailed", "Internal"] as const)(
    "is %s: the engine itself said no", (reason) => assert.isTrue(isAnswer(error(reason))))
  it.each(["Unavailable", "Timeout", "Undecodable", "NotLeader", "PullStalled"] as const)(
    "is not %s: there is none, or none that makes sense", (reason) => assert.isFalse(isAnswer(error(reason))))
})
