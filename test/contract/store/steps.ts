/** Commits: all of a step or nothing, compare-and-set, fenced. */
import { assert, it } from "@effect/vitest"
import type { Operation } from "../../../src/domain/Operation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { answerOf, commitOf, g1, image, type Open, reason, recordOf, startJob, withStore } from "./OpenStore.ts"

const operation: Operation = {
  kind: "start", source: "desired_state", sourceRef: "1", imageRef: image, containerId: "c", outcome: "success",
  errorCode: null, errorMessage: null, startedAtMs: 900, finishedAtMs: 1000
}
const health = [
  { containerId: "b", type: "container_exited" as const, occurredAtMs: 900, details: { exit_code: 1 } },
  { containerId: "c", type: "container_started" as const, occurredAtMs: 1000, details: {} }
]
const messages = [{ topic: "dead_jobs" as const, fields: { n: "1" } }]

/** Every field set, so that none can get lost on the way. */
const full: RuntimeRecord = recordOf({
  status: "running", currentContainerId: "c", currentImageRef: image, engineEndpoint: "http://e",
  ports: [{ name: "game", container: 8080, protocol: "udp", address: "0.0.0.0", host: 20_000 }], engineId: "engine", specHash: "v1:a",
  observedGeneration: 3, observedHash: "d", conditions: [{ type: "Ready", status: "True", reason: "Running", message: "", last_transition_at: "2026-01-01T00:00:00.000Z" }],
  restartCount: 2, nextRestartAtMs: 2000, failureCount: 1, lastErrorCode: "image_pull_failed", lastErrorReason: "PullFailed",
  lastErrorMessage: "no", exitCode: 137, oomKilled: true, startedAtMs: 1000, stoppedAtMs: 1500,
  stopping: { sinceMs: 1600, because: "exchange", signalledAtMs: 1601 },
  rollout: { from: "v1:a", to: "v1:b", sinceMs: 1600, phase: "stopping" }, refused: { action: "Signal", message: "no", sinceMs: 1650 },
  removedAtMs: 1700
})

export const stepTests = (open: Open): void => {
  const on = withStore(open)

  it("keeps every field of a record, and forgets those that are set to nothing", on(async ({ reader, writer }, run) => {
    await run(writer.commit(commitOf({ record: full })))
    assert.deepStrictEqual((await run(reader.load(g1))).record, { ...full, version: 1 })
    const intended = { ...full, stopping: { sinceMs: 1600, because: "row" as const, signalledAtMs: null }, rollout: { ...full.rollout!, from: null } }
    await run(writer.commit(commitOf({ record: intended, expectedVersion: 1 })))
    assert.deepStrictEqual((await run(reader.load(g1))).record, { ...intended, version: 2 })
    await run(writer.commit(commitOf({ record: recordOf(), expectedVersion: 2 })))
    assert.deepStrictEqual((await run(reader.load(g1))).record, recordOf({ version: 3 }))
  }))

  it("commits a step as a whole, and refuses one that was decided on an older record", on(async ({ operations, reader, writer, ...hands }, run) => {
    const step = commitOf({ record: recordOf({ status: "running" }), operations: [operation], health, messages })
    await run(writer.commit(step))
    assert.strictEqual(await reason(writer.commit(step)), "Conflict")
    assert.strictEqual(await reason(writer.commit({ ...step, expectedVersion: 7 })), "Conflict")
    assert.deepStrictEqual((await run(writer.unsent(10))).map(({ topic }) => topic), ["health_events", "health_events", "dead_jobs"])
    assert.deepStrictEqual(await operations("g1"), ["start success"])
    assert.strictEqual(await hands.health("g1"), "container_started")
    await run(writer.commit(commitOf({ expectedVersion: 1, record: recordOf(), health: [health[0]!] })))
    assert.deepInclude((await run(reader.load(g1))).record, { status: "stopped", version: 2 })
    assert.strictEqual(await hands.health("g1"), "container_exited")
  }))

  it("leaves the record as it is where a step has none", on(async ({ operations, reader, writer }, run) => {
    await run(writer.commit(commitOf({ record: full })))
    await run(writer.commit(commitOf({ operations: [{ ...operation, outcome: "failure" }] })))
    assert.strictEqual((await run(reader.load(g1))).record?.version, 1)
    assert.deepStrictEqual(await operations("g1"), ["start failure"])
  }))

  it("allows no move of status but the contract's, and writes nothing of a step that tries", on(async ({ operations, reader, writer }, run) => {
    assert.strictEqual(await reason(writer.commit(commitOf({ record: recordOf({ status: "removed" }) }))), "Invalid")
    await run(writer.commit(commitOf({ record: recordOf() })))
    await run(writer.commit(commitOf({ record: recordOf({ status: "removed" }), expectedVersion: 1 })))
    await run(writer.takeJobs([startJob("1-0")]))
    const { jobs } = await run(reader.load(g1))
    const back = commitOf({
      record: recordOf({ status: "running" }), expectedVersion: 2, operations: [operation], health, messages, answers: jobs.map((job) => answerOf(job))
    })
    assert.strictEqual(await reason(writer.commit(back)), "Invalid")
    assert.deepInclude((await run(reader.load(g1))).record, { status: "removed", version: 2 })
    assert.deepStrictEqual((await run(reader.load(g1))).jobs, jobs)
    assert.deepStrictEqual([await operations("g1"), await run(writer.unsent(10))], [[], []])
  }))

  it("remembers what was told of a game's health last", on(async ({ reader, writer }, run) => {
    await run(writer.commit(commitOf({ record: recordOf(), health })))
    const { containerId, type } = health.at(-1)!
    assert.deepStrictEqual((await run(reader.load(g1))).lastHealth, { containerId, type })
    await run(writer.commit(commitOf({ record: recordOf(), expectedVersion: 1 })))
    assert.deepStrictEqual((await run(reader.load(g1))).lastHealth, { containerId, type }, "a step that tells nothing changes nothing")
  }))

  it("adopts a game with the row and the record of one step", on(async ({ reader, writer }, run) => {
    const adopt = { imageRef: image, state: "running", restartPolicy: "never" } as const
    await run(writer.commit(commitOf({ adopt, record: recordOf({ status: "running", observedGeneration: 1 }) })))
    const { game, record } = await run(reader.load(g1))
    assert.deepInclude(game, { imageRef: image, state: "running", restartPolicy: "never", generation: 1 })
    assert.deepInclude(record, { observedGeneration: 1, observedHash: game!.desiredHash, version: 1 })
  }))

  it("adopts no game whose row somebody wrote meanwhile: it would take his wish for one that was carried out", on(
    async ({ insert, operations, reader, writer }, run) => {
      await insert("g1", image, { restart_policy: "never" })
      const adopt = { imageRef: image, state: "stopped", restartPolicy: "never" } as const
      const step = commitOf({ adopt, record: recordOf({ observedGeneration: 1 }), operations: [operation], messages })
      assert.strictEqual(await reason(writer.commit(step)), "Conflict")
      const { game, record } = await run(reader.load(g1))
      assert.deepInclude(game, { state: "running", restartPolicy: "never", generation: 1 })
      assert.deepStrictEqual([record, await operations("g1"), await run(writer.unsent(10))], [null, [], []])
    }
  ))

  it("writes nothing for a controller whose term is over, and ends its term", on(async ({ ended, reader, takeOver, writer }, run) => {
    await run(writer.commit(commitOf({ messages })))
    assert.strictEqual(ended(), 0)
    const next = await takeOver()
    assert.strictEqual(await reason(writer.commit(commitOf({ record: recordOf() }))), "Fenced")
    assert.strictEqual(await reason(writer.takeJobs([startJob("1-0")])), "Fenced")
    assert.strictEqual(ended(), 2)
    assert.deepStrictEqual(await run(reader.load(g1)), { game: null, record: null, jobs: [], lastHealth: null, claims: [] })
    await run(next.commit(commitOf({ record: recordOf() })))
    assert.strictEqual((await run(reader.load(g1))).record?.version, 1)
  }))
}
