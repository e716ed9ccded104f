/** Rows that are not what the schema says: each is found, with its place, by the load of one game and by the survey of all. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { fromRecord } from "../../../src/store/postgres/record.ts"
import { changeOf } from "../../../src/store/postgres/changes.ts"
import { gameState, surveyRows } from "../../../src/store/postgres/rows.ts"
import { g1, game, image, recordOf } from "../../contract/store/OpenStore.ts"

const goodGame = { game_id: "g1", state: "running", image_ref: image, restart_policy: "always", generation: 1, desired_hash: "d", restart_requested_at: "2026-01-01T00:00:00+00:00", spec: { a: 1 }, created_at: "x" }
const goodRecord = {
  ...fromRecord(recordOf({
    status: "running", ports: [{ container: 1, protocol: "tcp", address: "0.0.0.0", host: 2 }], nextRestartAtMs: 5, startedAtMs: 6, stoppedAtMs: 7, removedAtMs: 8, lastErrorCode: "conflict", exitCode: 1,
    conditions: [{ type: "Ready", status: "True", reason: "Running", message: "", last_transition_at: "2026-01-01T00:00:00.000Z" }],
    stopping: { sinceMs: 1, because: "restart", signalledAtMs: 2 }, rollout: { from: null, to: "v1:b", sinceMs: 3, phase: "starting" },
    refused: { action: "Signal", message: "no", sinceMs: 4 }
  })),
  game_id: "g1", created_at: "x", updated_at: "x"
}

type Row = Readonly<Record<string, unknown>>
/** The row with something else at that place. */
const spoiled = (row: Row, [head, ...rest]: ReadonlyArray<string>, value: unknown): Row =>
  ({ ...row, [head!]: rest.length === 0 ? value : spoiled(row[head!] as Row, rest, value) })

const text = { is: 5 }
const number = { is: "five" }
const word = { is: "whatever" }
const time = { is: "infinity" }
const recordPlaces: Readonly<Record<string, { readonly is: unknown }>> = {
  status: word, current_container_id: text, current_image_ref: text, engine_endpoint: text, ports: word, engine_id: text, spec_hash: text,
  observed_generation: number, observed_hash: text, conditions: word, restart_count: number, next_restart_at: time, failure_count: number,
  last_error_code: word, last_error_reason: text, last_error_message: text, exit_code: number, oom_killed: { is: "t" }, final_exit: { is: "t" },
  started_at: time, stopped_at: time, stopping: word, "stopping.since": time, "stopping.because": word, "stopping.signalled_at": time,
  rollout: word, "rollout.from": text, "rollout.to": { is: "" }, "rollout.since": time, "rollout.phase": word,
  refused: word, "refused.action": text, "refused.message": text, "refused.since": time, restart_observed_at: time, restarting_since: time, removed_at: time, version: { is: null }
}
const gamePlaces: Readonly<Record<string, { readonly is: unknown }>> = {
  state: word, image_ref: { is: null }, restart_policy: word, generation: number, desired_hash: text, restart_requested_at: time
}
const cases = [
  ...Object.entries(recordPlaces).map(([place, { is }]) => ({ place: `record.${place}`, game: goodGame, record: spoiled(goodRecord, place.split("."), is) })),
  ...Object.entries(gamePlaces).map(([place, { is }]) => ({ place: `game.${place}`, game: spoiled(goodGame, place.split("."), is), record: goodRecord }))
]

/** The survey of rows, and what it said of those that it left out. */
const surveyed = (rows: ReadonlyArray<unknown>) => {
  const said: Array<unknown> = []
  const logger = Logger.make(({ message }) => void said.push((message as ReadonlyArray<unknown>)[1]))
  return Effect.map(Effect.provide(surveyRows(rows), Logger.layer([logger])), (good) => ({ good, said }))
}

describe("rows as they are decoded", () => {
  it("every column of a record is among the cases", () => {
    assert.includeMembers(Object.keys(recordPlaces), Object.keys(fromRecord(recordOf())))
  })

  it.effect.each(cases)("a wrong $place is found by load and survey alike", ({ game, place, record }) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gameState(g1, { game, record, jobs: null, health: null, claims: null }))
      assert.strictEqual(error.reason, "Undecodable")
      assert.isTrue(error.message.startsWith(`game g1: ${place}: `), error.message)
      const { good, said } = yield* surveyed([["g1", game, record, 0, null]])
      assert.deepStrictEqual(good, [])
      assert.deepStrictEqual(said, [{ game_id: "g1", problem: error.message.slice("game g1: ".length) }])
    }))

  it.effect("a job that is none is found", () =>
    Effect.gen(function*() {
      const jobs = [{ id: 1, kind: "start", entry_id: "1-0", generation: null }, { id: 2, kind: "pause", entry_id: "2-0", generation: 1 }]
      assert.include((yield* Effect.flip(gameState(g1, { game: null, record: null, jobs, health: null, claims: null }))).message, "game g1: jobs.1.kind: ")
    }))

  it.effect("the survey and the load of a good game agree, and a bad one holds up no other, however many they are", () =>
    Effect.gen(function*() {
      const rows = Array.from({ length: 1200 }, (_, index) => [index % 400 === 7 ? "BAD ID" : `g${index}`, goodGame, goodRecord, 2, null])
      const { good, said } = yield* surveyed(rows)
      assert.deepStrictEqual(said.map((each) => (each as { problem: string }).problem.split(":")[0]), ["game_id", "game_id", "game_id"])
      assert.lengthOf(good, 1197)
      const state = yield* gameState(game("g1"), { game: goodGame, record: goodRecord, jobs: null, health: null, claims: null })
      const row = good.find(({ gameId }) => gameId === "g1")
      assert.deepStrictEqual(row?.record, state.record)
      assert.deepStrictEqual(row?.game, state.game)
    }))
})

describe("a notification", () => {
  it.each([
    ["running g1", { _tag: "Changed", gameId: g1, state: "running" }],
    ["g1", { _tag: "Changed", gameId: g1, state: undefined }],
    ["dancing g1", { _tag: "Changed", gameId: g1, state: undefined }],
    ["running G1", undefined],
    ["", undefined],
    ["running ", undefined],
    ["running g1 g2", undefined]
  ])("%j is read as what it says", (payload, change) => {
    assert.deepStrictEqual<unknown>(changeOf(payload), change)
  })
})
