/** What an act on the engine makes known, case by case; the contract's point in brackets. */
import { assert, describe, it } from "@effect/vitest"
import { outcomeCommit, type Outcome } from "../../../controllers/game/record/outcome.ts"
import type { Action } from "../../../controllers/game/decide/step.ts"
import { assessContainer } from "../../../controllers/game/observe/assess.ts"
import {
  bare, changed, endpoint, exchanging, exited, failed, type Given, gameId, image, known, live, type MadeKnown, madeKnown, minute, never, noImage, now,
  observation, onFailure, refused, removeWanted, replacing, running, second, startJob, stopBegun, stopJob, stopped, stopWanted
} from "../../support/observations.ts"

interface Case {
  readonly name: string
  readonly because: string
  readonly given: Given
  readonly action: Action
  readonly outcome: Outcome
  /** undefined: nothing is made known. */
  readonly then: MadeKnown | undefined
}
type Cases = ReadonlyArray<Case>

const actedAtMs = now - second
const nothing = { record: null, containers: [] }
const gone = { record: bare(), containers: [] }
const at = `c1 ${endpoint}`

const container = (one: ReturnType<typeof live>) => assessContainer(one, null, null)
const target = observation({}).target!
const create: Action = { _tag: "Create", target }
const start: Action = { _tag: "Start", container: container(exited(3)) }
const signal: Action = { _tag: "Signal", container: container(live()), signal: "SIGTERM" }
const fetchImage: Action = { _tag: "FetchImage", target }
const remove = (mode: "removed" | "retention" | "leftover" | "replaced" | "stray", id = "c1"): Action =>
  ({ _tag: "Remove", container: container(exited(0, { id })), mode })

const startedAs = (id: string): Outcome => ({ _tag: "Started", container: live({ id, startedAtMs: now - 200 }) })
/** What the changed row asks for. */
const newer = live({ id: "c2", imageRef: "galaxy/engine:2.0.0", generation: 2, specHash: "v1:changed" })
const startedNewer: Outcome = { _tag: "Started", container: newer }
const refusedAs = (containerId: string): Outcome => ({ _tag: "StartFailed", failure: refused, containerId })
const signalled: Outcome = { _tag: "Signalled" }
const removed: Outcome = { _tag: "Removed" }

const restartAsked = {
  desired: never({ restartRequestedAtMs: now - second }), record: stopped(143, { restartingSinceMs: now - second, restartObservedAtMs: now - second }),
  containers: [exited(143)]
} satisfies Given

const starts: Cases = [{
  name: "tells a row's start", because: "record running with its container, `start` by desired_state, no job result (2)",
  given: nothing, action: create, outcome: startedAs("c1"),
  then: known("running", {
    log: ["start desired_state success c1"], health: ["container_started c1"],
    knows: {
      currentContainerId: "c1", currentImageRef: image, engineEndpoint: endpoint, engineId: "e1", specHash: "v1:wanted",
      observedGeneration: 1, startedAtMs: now - 200, Ready: "True ContainerRunning", Progressing: "False Settled", SpecValid: "True Valid"
    }
  })
}, {
  name: "tells a job's start", because: "one success with container_id and engine_endpoint, `start` by job_stream (1)",
  given: { ...nothing, desired: never(), jobs: [startJob()] }, action: create, outcome: startedAs("c1"),
  then: known("running", { log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`] })
}, {
  name: "answers every job of one wish", because: "every job gets exactly one result, also when two ask for the same",
  given: { ...nothing, jobs: [startJob(1, "1-0"), startJob(1, "2-0")] }, action: create, outcome: startedAs("c1"),
  then: known("running", {
    log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`, `2-0 success ${at}`]
  })
}, {
  name: "answers superseded to the job that a later one overtook", because: "the latest wish wins",
  given: { ...gone, desired: changed(), jobs: [startJob(1, "1-0"), startJob(2, "2-0")] }, action: create, outcome: startedNewer,
  then: known("running", {
    log: ["start job_stream success c2"], health: ["container_started c2"],
    results: ["1-0 failure superseded", `2-0 success c2 ${endpoint}`]
  })
}, {
  name: "tells a restart that was asked for", because: "a line of its own by the row, from the intent on, and no restart of the policy's (14)",
  given: restartAsked,
  action: start, outcome: startedAs("c1"),
  then: known("running", {
    log: ["restart desired_state success c1"], health: ["container_started c1"],
    knows: { restartCount: 0, restartingSinceMs: null, restartObservedAtMs: now - second, Progressing: "False Settled" }
  })
}, {
  name: "takes on a second wish that came before the start", because: "what began to run since is what was asked for (14)",
  given: {
    desired: never({ restartRequestedAtMs: now - 1 }), record: stopped(143, { restartingSinceMs: now - second, restartObservedAtMs: now - second }),
    containers: [exited(143)]
  },
  action: start, outcome: startedAs("c1"),
  then: known("running", { log: ["restart desired_state success c1"], health: ["container_started c1"], knows: { restartObservedAtMs: now - 1 } })
}, {
  name: "keeps a restart that is asked for later", because: "its time has not come (14)",
  given: { desired: never({ restartRequestedAtMs: now + minute }), record: stopped(3), containers: [exited(3)], jobs: [startJob()] },
  action: start, outcome: startedAs("c1"),
  then: known("running", {
    log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`], knows: { restartObservedAtMs: null }
  })
}, {
  name: "gives a restart up that fails to start", because: "from there on its policy decides, with its back-off (4, 14)",
  given: restartAsked,
  action: start, outcome: refusedAs("c1"),
  then: known("stopped", {
    log: ["start auto_reconcile failure container_start_failed c1"], told: ["runtime.container_start_failed"],
    knows: { restartingSinceMs: null, nextRestartAtMs: null }
  })
}, {
  name: "tells a restart in place", because: "reconcile_restart, one restart more, and what the end left is cleared (6)",
  given: { record: stopped(3, { restartCount: 2, nextRestartAtMs: now - 10 }), containers: [exited(3)] },
  action: start, outcome: startedAs("c1"),
  then: known("running", {
    log: ["reconcile_restart auto_reconcile success c1"], health: ["container_started c1"],
    knows: { restartCount: 3, nextRestartAtMs: null, exitCode: null, stoppedAtMs: null }
  })
}, {
  name: "tells a recreation", because: "reconcile_recreate after a disappearance, with the new id (5)",
  given: { ...gone, desired: onFailure() }, action: create, outcome: startedAs("c2"),
  then: known("running", {
    log: ["reconcile_recreate auto_reconcile success c2"], health: ["container_started c2"], knows: { currentContainerId: "c2" }
  })
}, {
  name: "tells a start in place by a job", because: "somebody's wish is a `start`, and no restart in a row (1)",
  given: { desired: never(), record: stopped(3, { restartCount: 2 }), containers: [exited(3)], jobs: [startJob()] },
  action: start, outcome: startedAs("c1"),
  then: known("running", {
    log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`], knows: { restartCount: 0 }
  })
}, {
  name: "tells the new container of a replacement", because: "healed towards the row and logged as such; the replacement is over (10)",
  given: { desired: changed(), record: bare(replacing), containers: [] }, action: create,
  outcome: startedNewer,
  then: known("running", {
    log: ["reconcile_recreate desired_state success c2"], health: ["container_started c2"],
    knows: {
      currentContainerId: "c2", currentImageRef: "galaxy/engine:2.0.0", specHash: "v1:changed", observedGeneration: 2,
      Progressing: "False Settled"
    }
  })
}, {
  name: "tells a game that ended at once as started", because: "the start was carried out; its end is a fact of its own, told next (6)",
  given: { ...nothing, desired: never(), jobs: [startJob()] }, action: create, outcome: { _tag: "Started", container: exited(1) },
  then: known("running", { log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`] })
}]

const refusals: Cases = [{
  name: "tells a refused start under never", because: "a result without container or endpoint, one intent, no second try (4)",
  given: { ...nothing, desired: never(), jobs: [startJob()] }, action: create, outcome: refusedAs("c1"),
  then: known("stopped", {
    log: ["start job_stream failure container_start_failed c1"], results: ["1-0 failure container_start_failed"],
    told: ["runtime.container_start_failed"],
    knows: { currentContainerId: null, engineEndpoint: null, observedGeneration: 1, nextRestartAtMs: null, Ready: "False StartFailed" }
  })
}, {
  name: "plans another try under always", because: "other policies are retried with back-off (4)",
  given: nothing, action: create, outcome: refusedAs("c1"),
  then: known("stopped", {
    log: ["start desired_state failure container_start_failed c1"], told: ["runtime.container_start_failed"],
    knows: { nextRestartAtMs: now + 1000, failureCount: 1, Progressing: "True BackOff" }
  })
}, {
  name: "tells people of the same failure once", because: "told again only when the reason changes; the pause doubles (4)",
  given: { record: failed(refused, { failureCount: 2 }), containers: [] }, action: create, outcome: refusedAs("c2"),
  then: known("stopped", {
    log: ["start auto_reconcile failure container_start_failed c2"],
    knows: { nextRestartAtMs: now + 4000, failureCount: 3, Progressing: "True CrashLoopBackOff" }
  })
}, {
  name: "says of a second failed start in a row that it is a crash loop", because: "a loop is shown as a state, with the next time (4, 6)",
  given: { record: failed(refused), containers: [] }, action: create, outcome: refusedAs("c2"),
  then: known("stopped", {
    log: ["start auto_reconcile failure container_start_failed c2"], knows: { nextRestartAtMs: now + 2000, Progressing: "True CrashLoopBackOff" }
  })
}, {
  name: "forgets that the last run ended for good when a start after it failed", because: "the start is tried again as its policy says, whatever the run before ended with",
  given: { record: stopped(64, { finalExit: true }), containers: [exited(64)], jobs: [startJob()] }, action: start, outcome: refusedAs("c1"),
  then: known("stopped", {
    log: ["start job_stream failure container_start_failed c1"], results: ["1-0 failure container_start_failed"], told: ["runtime.container_start_failed"],
    knows: { finalExit: false, nextRestartAtMs: now + 1000 }
  })
}, {
  name: "tells people of another reason", because: "told again when the reason changes (4)",
  given: { record: failed({ ...refused, reason: "Invalid" }), containers: [] }, action: create, outcome: refusedAs("c2"),
  then: known("stopped", { log: ["start auto_reconcile failure container_start_failed c2"], told: ["runtime.container_start_failed"] })
}, {
  name: "tells people of the same failure of a new job", because: "each start job that fails has its one result and its one intent (4)",
  given: { desired: never(), record: failed(refused), containers: [], jobs: [startJob()] }, action: create, outcome: refusedAs("c2"),
  then: known("stopped", {
    log: ["start job_stream failure container_start_failed c2"], results: ["1-0 failure container_start_failed"],
    told: ["runtime.container_start_failed"]
  })
}, {
  name: "tells an image that is not on the host and must not be pulled", because: "image_pull_failed, whoever did not pull it (4)",
  given: { ...nothing, desired: never() }, action: create,
  outcome: { _tag: "StartFailed", failure: { ...noImage, reason: "ImageMissing" } },
  then: known("stopped", { log: ["start desired_state failure image_pull_failed"], told: ["runtime.image_pull_failed"] })
}, {
  name: "looks at a name that somebody holds every 10 s at least", because: "a foreign container frees the name without an event for us",
  given: { record: failed({ ...refused, reason: "NameTaken" }, { failureCount: 6 }), containers: [] }, action: create,
  outcome: { _tag: "StartFailed", failure: { ...refused, reason: "NameTaken" } },
  then: known("stopped", { log: ["start auto_reconcile failure container_start_failed"], knows: { nextRestartAtMs: now + 10_000 } })
}, {
  name: "leaves the old container when its replacement fails", because: "what runs stays recorded as it runs (4)",
  given: { desired: changed(), containers: [live()] }, action: fetchImage, outcome: { _tag: "StartFailed", failure: noImage },
  then: known("running", {
    log: ["start desired_state failure image_pull_failed"], told: ["runtime.image_pull_failed"],
    knows: { currentContainerId: "c1", currentImageRef: image, nextRestartAtMs: now + 1000, Ready: "True ContainerRunning" }
  })
}, {
  name: "answers superseded to the job before the one that failed", because: "the latest wish wins, also when it fails",
  given: { ...gone, desired: changed(), jobs: [startJob(1, "1-0"), startJob(2, "2-0")] }, action: create, outcome: refusedAs("c2"),
  then: known("stopped", {
    log: ["start job_stream failure container_start_failed c2"], told: ["runtime.container_start_failed"],
    results: ["1-0 failure superseded", "2-0 failure container_start_failed"]
  })
}]

const ends: Cases = [{
  name: "notes when the signal was sent", because: "the grace counts from here; the game runs on and the job waits for its end (9)",
  given: { desired: stopWanted(), record: running(stopBegun()), jobs: [stopJob(2)] }, action: signal, outcome: signalled,
  then: known("running", {
    knows: { stopping: { ...stopBegun().stopping, signalledAtMs: now }, Ready: "False Stopping", Progressing: "True Stopping" }
  })
}, {
  name: "lets the grace run when the engine knows no such signal", because: "its job waits for the SIGKILL, and people are told why it takes so long (9)",
  given: { desired: stopWanted(), record: running(stopBegun()), jobs: [stopJob(2)] }, action: signal,
  outcome: { ...signalled, refusal: "Invalid signal: SIGFOO" },
  then: known("running", {
    knows: {
      stopping: { ...stopBegun().stopping, signalledAtMs: now }, refused: { action: "Signal", message: "Invalid signal: SIGFOO", sinceMs: now },
      Progressing: "True EngineRefuses"
    }
  })
}, {
  name: "answers superseded to a start as soon as its stop begins", because: "it will never be carried out: the latest wish wins",
  given: { desired: stopWanted(), record: running(stopBegun()), jobs: [startJob(1, "1-0"), stopJob(2, "2-0")] }, action: signal, outcome: signalled,
  then: known("running", { results: ["1-0 failure superseded"] })
}, {
  name: "keeps in mind that a container is being replaced", because: "its end is then no stop and no failure, whatever crashes in between (10)",
  given: { desired: changed(), record: running({ ...exchanging(second), ...stopBegun("exchange") }) }, action: signal, outcome: signalled,
  then: known("running", { knows: { Progressing: "True Replacing", observedGeneration: 1 } })
}, {
  name: "tells a stop that the engine refuses, to its job and on the condition", because: "a failure that lasts is told where people look",
  given: { desired: stopWanted(), record: running(stopBegun()), jobs: [stopJob(2)] }, action: signal,
  outcome: { _tag: "Refused", failure: { code: "service_unavailable", reason: "Internal", message: "permission denied" } },
  then: known("running", {
    results: ["1-0 failure service_unavailable"],
    knows: { refused: { action: "Signal", message: "permission denied", sinceMs: now }, ...stopBegun(), Progressing: "True EngineRefuses" }
  })
}, {
  name: "keeps since when the engine refuses", because: "people ask how long it has been so",
  given: { record: running({ refused: { action: "Unpause", message: "no", sinceMs: now - minute } }) },
  action: { _tag: "Unpause", container: container(live({ state: "paused" })) },
  outcome: { _tag: "Refused", failure: { code: "service_unavailable", reason: "Internal", message: "still no" } },
  then: known("running", { knows: { refused: { action: "Unpause", message: "still no", sinceMs: now - minute } } })
}, {
  name: "tells a removal after the retention", because: "cleanup_container by auto_ttl; only the container goes (9)",
  given: { desired: never(), record: stopped(3, { stoppedAtMs: now - 50_000 * minute }), containers: [exited(3)] },
  action: remove("retention"), outcome: removed,
  then: known("stopped", {
    log: ["cleanup_container auto_ttl success c1"], knows: { currentContainerId: null, engineEndpoint: null, exitCode: 3 }
  })
}, {
  name: "tells the removal of a game", because: "container gone, record removed, by the row's wish (9)",
  given: { desired: removeWanted(), record: stopped(0), containers: [exited(0)] }, action: remove("removed"), outcome: removed,
  then: known("removed", {
    log: ["cleanup_container desired_state success c1"], knows: { currentContainerId: null, removedAtMs: now, observedGeneration: 2 }
  })
}, {
  name: "answers success to a stop of a game that is removed meanwhile", because: "it runs no more, which is what the job asked for (9)",
  given: { desired: removeWanted(), record: stopped(0), containers: [exited(0)], jobs: [stopJob(2)] },
  action: remove("removed"), outcome: removed,
  then: known("removed", { log: ["cleanup_container desired_state success c1"], results: ["1-0 success"] })
}, {
  name: "keeps a replacement in mind", because: "to make room for the new container is a step of it, not a deed of its own (10)",
  given: { desired: changed(), record: stopped(0, replacing), containers: [exited(0)] }, action: remove("replaced"), outcome: removed,
  then: known("stopped", { knows: { currentContainerId: null, Progressing: "True Replacing", observedGeneration: 1 } })
}, {
  name: "says nothing of a container that no record named", because: "a leftover or a stray was never told of, so nobody misses it",
  given: { containers: [live(), exited(0, { id: "c2" })] }, action: remove("stray", "c2"), outcome: removed,
  then: undefined
}, {
  name: "says nothing of a kill", because: "the container's end says it all, with its exit code (6)",
  given: { desired: stopWanted() }, action: { _tag: "Kill", container: container(live()) }, outcome: { _tag: "Done" }, then: undefined
}, {
  name: "says nothing of a pull that began", because: "the next look sees the pull and says so",
  given: nothing, action: create, outcome: { _tag: "Fetching" }, then: undefined
}]

const changes: Cases = [{
  name: "counts no restart for a replacement", because: "a change of the row is none: the first real crash waits 1 s (6)",
  given: { desired: changed(), record: bare({ ...replacing, specHash: "v1:wanted", observedGeneration: 2 }), containers: [] },
  action: create, outcome: { _tag: "Started", container: newer },
  then: known("running", { log: ["reconcile_recreate auto_reconcile success c2"], health: ["container_started c2"], knows: { restartCount: 0 } })
}, {
  name: "counts no restart for a change that failed before", because: "a change of the row is none: the first real crash waits 1 s (6)",
  given: { desired: changed(), record: failed(noImage, { specHash: "v1:wanted", observedGeneration: 2 }), containers: [] },
  action: create, outcome: { _tag: "Started", container: newer },
  then: known("running", { log: ["start auto_reconcile success c2"], health: ["container_started c2"], knows: { restartCount: 0 } })
}, {
  name: "tells the retention of a game that failed", because: "cleanup_container by auto_ttl, whatever was tried before (9)",
  given: { desired: never(), record: stopped(3, { lastErrorCode: refused.code, stoppedAtMs: now - 50_000 * minute }), containers: [exited(3)] },
  action: remove("retention"), outcome: removed,
  then: known("stopped", { log: ["cleanup_container auto_ttl success c1"], knows: { currentContainerId: null } })
}, {
  name: "tells nothing of a container that could not start for want of its network", because: "it is a step of the start (6)",
  given: { desired: onFailure(), record: stopped(3), containers: [exited(3)] },
  action: start, outcome: removed,
  then: known("stopped", { knows: { currentContainerId: null, lastErrorCode: null } })
}]

const commitOf = ({ action, given, outcome }: Omit<Case, "name" | "because" | "then">) =>
  outcomeCommit(observation(given), action, outcome, actedAtMs)

describe.each([
  ["a start", starts], ["a start that failed", refusals], ["the other acts", ends], ["a change", changes]
] as const)("the outcome of %s", (_topic, cases) => {
  it.each(cases)("$name", ({ because, then, ...one }) => {
    const commit = commitOf(one)
    assert.deepStrictEqual(commit && madeKnown(commit, then?.knows ?? {}), then, because)
  })
})

describe("the outcome of an act", () => {
  it("carries the times: when the act began, when it ended, and the engine's own for the game's start", () => {
    const commit = commitOf({ given: { ...nothing, jobs: [startJob()] }, action: create, outcome: startedAs("c1") })!
    assert.deepInclude(commit.operations[0], { startedAtMs: now - 1000, finishedAtMs: now, sourceRef: "1-0" })
    assert.strictEqual(commit.health[0]!.occurredAtMs, now - 200)
    assert.strictEqual(commit.answers[0]!.completedAtMs, now)
  })

  it("tells people what failed, in the contract's words", () => {
    const outcome: Outcome = { _tag: "StartFailed", failure: noImage }
    const commit = commitOf({ given: { ...nothing, desired: never() }, action: create, outcome })!
    const { payload_json: payload, idempotency_key: key, ...fields } = commit.messages[0]!.fields
    assert.deepStrictEqual(fields, {
      notification_type: "runtime.image_pull_failed", producer: "runtime_manager", audience_kind: "admin_email", occurred_at_ms: String(now)
    })
    assert.deepStrictEqual(JSON.parse(payload!), {
      game_id: "g1", image_ref: "galaxy/engine:1.4.2", error_code: "image_pull_failed", error_message: "no such image",
      attempted_at_ms: now
    })
    assert.include(key, "runtime.image_pull_failed:g1:")
  })

  it("moves a condition's time only when its status changes", () => {
    const ready = (status: "True" | "False") =>
      ({ type: "Ready", status, reason: "", message: "", last_transition_at: "2026-01-01T00:00:00.000Z" }) as const
    const times = (["True", "False"] as const).map((status) =>
      commitOf({ given: { ...nothing, record: bare({ conditions: [ready(status)] }) }, action: create, outcome: startedAs("c1") })!
        .record!.conditions.find(({ type }) => type === "Ready")!.last_transition_at)
    assert.deepStrictEqual(times, ["2026-01-01T00:00:00.000Z", new Date(now).toISOString()])
  })

  it("writes against the version that was read, and never writes a row of its own", () => {
    const commit = commitOf({ given: { ...gone, record: bare({ version: 7 }) }, action: create, outcome: startedAs("c2") })!
    assert.deepInclude(commit, { gameId, expectedVersion: 7, adopt: null })
  })
})
