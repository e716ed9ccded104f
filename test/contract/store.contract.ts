/** What every Store promises, the real one and the one in memory: the same tests for both. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Commit } from "../../src/domain/Commit.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { JobIntake, StartWish } from "../../src/domain/Job.ts"
import type { Store, StoreError } from "../../src/store/Store.ts"
import { freshRecord } from "../../controllers/game/commit.ts"

/** A store with a database of its own, and the hands of a user on its rows. */
export interface OpenStore {
  readonly store: Store["Service"]
  readonly insert: (gameId: string, imageRef: string) => Promise<void>
  readonly update: (gameId: string, change: { readonly state?: string; readonly image_ref?: string }) => Promise<void>
  readonly remove: (gameId: string) => Promise<void>
  /** Another controller takes the lease. */
  readonly takeOver: () => Promise<void>
  readonly close: () => Promise<void>
}

const image = "galaxy/engine:1.4.2"
const g1 = "g1" as GameId

const commitOf = (change: Partial<Commit>): Commit => ({
  gameId: g1, expectedVersion: 0, record: null, adopt: null, operations: [], health: [], messages: [], answers: [], ...change
})
const startJob = (entryId: string, wish: Partial<StartWish> = {}): JobIntake => ({
  _tag: "Wish", kind: "start", stream: "start", entryId, payload: { game_id: "g1" },
  wish: { kind: "start", gameId: g1, imageRef: image, restartPolicy: undefined, spec: undefined, ...wish }
})
const stopJob = (entryId: string): JobIntake => ({
  _tag: "Wish", kind: "stop", stream: "stop", entryId, payload: {}, wish: { kind: "stop", gameId: g1, reason: "finished" }
})
const refused: JobIntake = {
  _tag: "Refused", kind: "start", stream: "start", entryId: "9-0", gameId: "BAD", dead: true, imageRef: undefined,
  failure: { code: "invalid_request", reason: "InvalidJob", message: "game_id is \"BAD\"" }, payload: { game_id: "BAD" }
}

export const storeContract = (name: string, open: () => Promise<OpenStore>): void => {
  const withStore = (body: (opened: OpenStore, run: <A>(effect: Effect.Effect<A, StoreError>) => Promise<A>) => Promise<void>) => async () => {
    const opened = await open()
    try {
      await body(opened, (effect) => Effect.runPromise(effect))
    } finally {
      await opened.close()
    }
  }
  const reason = (effect: Effect.Effect<unknown, StoreError>) => Effect.runPromise(Effect.map(Effect.flip(effect), (error) => error.reason))

  describe(`Store: ${name}`, () => {
    it("reads a game that is not there as nothing", withStore(async ({ store }, run) => {
      assert.deepStrictEqual(await run(store.load(g1)), { game: null, record: null, jobs: [] })
    }))

    it("counts a generation for each change of what is desired, and for nothing else", withStore(async ({ insert, remove, store, update }, run) => {
      await insert("g1", image)
      assert.deepInclude((await run(store.load(g1))).game, { state: "running", restartPolicy: "always", imageRef: image, generation: 1, spec: {} })
      await update("g1", { state: "running" })
      assert.strictEqual((await run(store.load(g1))).game?.generation, 1)
      await update("g1", { state: "stopped" })
      assert.strictEqual((await run(store.load(g1))).game?.generation, 2)
      await remove("g1")
      assert.deepInclude((await run(store.load(g1))).game, { state: "removed", generation: 3 })
    }))

    it("lets nothing out of removed", withStore(async ({ insert, remove, store, update }, run) => {
      await insert("g1", image)
      await remove("g1")
      const refusal = await update("g1", { state: "running" }).then(() => "", String)
      assert.match(refusal, /removed is for good/)
      assert.strictEqual((await run(store.load(g1))).game?.state, "removed")
    }))

    it("commits a step as a whole, and refuses one that was decided on an older record", withStore(async ({ insert, store }, run) => {
      await insert("g1", image)
      const record = { ...freshRecord(g1), status: "running" as const, currentContainerId: "c", startedAtMs: 1000, observedGeneration: 1 }
      const health = [{ containerId: "c", type: "container_started" as const, occurredAtMs: 1000, details: {} }]
      await run(store.commit(commitOf({ record, health })))
      assert.deepInclude((await run(store.load(g1))).record, { ...record, version: 1 })
      assert.strictEqual(await reason(store.commit(commitOf({ record, health }))), "Conflict")
      const unsent = await run(store.unsent(10))
      assert.deepStrictEqual(unsent.map(({ topic }) => topic), ["health_events"])
      await run(store.commit(commitOf({ expectedVersion: 1, record: { ...record, status: "stopped" } })))
      assert.deepInclude((await run(store.load(g1))).record, { status: "stopped", version: 2 })
    }))

    it("refuses a move of status that the contract does not allow", withStore(async ({ store }) => {
      assert.strictEqual(await reason(store.commit(commitOf({ record: { ...freshRecord(g1), status: "removed" } }))), "Invalid")
    }))

    it("takes a job once, however often it is delivered", withStore(async ({ store }, run) => {
      assert.deepStrictEqual(await run(store.takeJobs([startJob("1-0")])), [g1])
      assert.deepStrictEqual(await run(store.takeJobs([stopJob("2-0"), startJob("1-0")])), [g1])
      const { game, jobs } = await run(store.load(g1))
      assert.deepInclude(game, { state: "stopped", generation: 2, restartPolicy: "never" })
      assert.deepStrictEqual(jobs.map(({ changed, entryId, generation, kind }) => ({ changed, entryId, generation, kind })), [
        { changed: true, entryId: "1-0", generation: 1, kind: "start" }, { changed: true, entryId: "2-0", generation: 2, kind: "stop" }
      ])
      assert.deepStrictEqual(await run(store.takeJobs([startJob("1-0")])), [])
    }))

    it("keeps the row's policy and spec where a start job says none, and has no row to stop for a stop job", withStore(async ({ store }, run) => {
      await run(store.takeJobs([stopJob("1-0"), startJob("2-0", { restartPolicy: "always", spec: { env: { A: "1" } } }), startJob("3-0")]))
      const { game, jobs } = await run(store.load(g1))
      assert.deepInclude(game, { restartPolicy: "always", generation: 1 })
      assert.deepStrictEqual(game?.spec, { env: { A: "1" } })
      assert.deepStrictEqual(jobs.map(({ changed, generation }) => [generation, changed]), [[null, false], [1, true], [1, false]])
    }))

    it("answers a refused job at once, with a dead job beside the result, and a job once in all", withStore(async ({ store }, run) => {
      await run(store.takeJobs([refused, refused, startJob("1-0")]))
      const unsent = await run(store.unsent(10))
      assert.deepStrictEqual(unsent.map(({ topic }) => topic), ["dead_jobs", "job_results"])
      const { jobs } = await run(store.load(g1))
      const answer = { job: jobs[0]!, completedAtMs: 5, result: { outcome: "success" as const, containerId: "c", engineEndpoint: "e", errorCode: "" as const, errorMessage: "" } }
      await run(store.commit(commitOf({ answers: [answer] })))
      await run(store.commit(commitOf({ answers: [answer] })))
      const results = (await run(store.unsent(10))).filter(({ topic }) => topic === "job_results")
      assert.lengthOf(results, 2)
      assert.deepStrictEqual((await run(store.load(g1))).jobs, [])
    }))

    it("hands messages out oldest first until they are struck out", withStore(async ({ store }, run) => {
      const messages = ["a", "b", "c"].map((word) => ({ topic: "dead_jobs" as const, fields: { word } }))
      await run(store.commit(commitOf({ messages })))
      const first = await run(store.unsent(2))
      assert.deepStrictEqual(first.map(({ fields }) => fields.word), ["a", "b"])
      assert.deepStrictEqual((await run(store.unsent(2))).map(({ eventId }) => eventId), first.map(({ eventId }) => eventId))
      await run(store.markSent(first.map(({ id }) => id)))
      const rest = await run(store.unsent(5))
      assert.deepStrictEqual(rest.map(({ fields }) => fields.word), ["c"])
      assert.deepStrictEqual(await run(store.unsent(5, { sent: rest.map(({ id }) => id) })), [])
      assert.deepStrictEqual(await run(store.unsent(5)), [])
    }))

    it("hands out the messages of other topics behind any number of one that is left aside", withStore(async ({ store }, run) => {
      const messages = (["job_results", "job_results", "health_events", "job_results", "dead_jobs"] as const).map((topic, index) => ({ topic, fields: { n: String(index) } }))
      await run(store.commit(commitOf({ messages })))
      assert.deepStrictEqual((await run(store.unsent(2, { except: ["job_results"] }))).map(({ fields }) => fields.n), ["2", "4"])
      assert.deepStrictEqual((await run(store.unsent(9, { except: [] }))).length, 5)
    }))

    it("surveys what is not settled for ever", withStore(async ({ insert, remove, store }, run) => {
      await insert("g1", image)
      await insert("g2", image)
      await remove("g2")
      await run(store.commit(commitOf({ gameId: "g2" as GameId, record: { ...freshRecord("g2" as GameId) } })))
      await run(store.commit(commitOf({ gameId: "g2" as GameId, expectedVersion: 1, record: { ...freshRecord("g2" as GameId), status: "removed" } })))
      assert.deepStrictEqual((await run(store.survey)).map(({ gameId, pendingJobs }) => [gameId, pendingJobs]), [["g1", 0]])
    }))

    it("writes nothing for a controller whose term is over", withStore(async ({ store, takeOver }, run) => {
      await takeOver()
      assert.strictEqual(await reason(store.commit(commitOf({ record: freshRecord(g1) }))), "Fenced")
      assert.strictEqual(await reason(store.takeJobs([startJob("1-0")])), "Fenced")
      assert.deepStrictEqual(await run(store.load(g1)), { game: null, record: null, jobs: [] })
    }))

    it("takes text that a database has no word for", withStore(async ({ store }, run) => {
      await run(store.takeJobs([{ ...refused, payload: { text: "a\u0000b\ud800" } } as JobIntake]))
      assert.lengthOf(await run(store.unsent(10)), 2)
    }))
  })
}
