/** Jobs taken and answered, and the outbox. */
import { assert, it } from "@effect/vitest"
import type { JobIntake } from "../../../src/domain/Job.ts"
import { answerOf, commitOf, g1, game, image, type Open, reason, recordOf, refused, startJob, stopJob, withStore } from "./OpenStore.ts"

export const jobTests = (open: Open): void => {
  const on = withStore(open)

  it("takes a job once, however often it is delivered", on(async ({ reader, writer }, run) => {
    assert.deepStrictEqual(await run(writer.takeJobs([startJob("1-0")])), [g1])
    assert.deepStrictEqual(await run(writer.takeJobs([stopJob("2-0"), startJob("1-0")])), [g1])
    const { game, jobs } = await run(reader.load(g1))
    assert.deepInclude(game, { state: "stopped", generation: 2, restartPolicy: "never" })
    assert.deepStrictEqual(jobs.map(({ entryId, generation, kind }) => [entryId, kind, generation]), [["1-0", "start", 1], ["2-0", "stop", 2]])
    assert.deepStrictEqual(await run(writer.takeJobs([startJob("1-0")])), [])
  }))

  it("takes a batch as a whole or not at all", on(async ({ reader, writer }, run) => {
    assert.strictEqual(await reason(writer.takeJobs([startJob("3-0"), startJob("4-0", { imageRef: "no tag" })])), "Invalid")
    assert.deepStrictEqual(await run(reader.load(g1)), { game: null, record: null, jobs: [], lastHealth: null, claims: [] })
    await run(writer.takeJobs([startJob("3-0"), startJob("4-0", { imageRef: "galaxy/engine:2" })]))
    const { game, jobs } = await run(reader.load(g1))
    assert.deepStrictEqual(jobs.map(({ generation }) => generation), [1, 2])
    assert.strictEqual(game?.imageRef, "galaxy/engine:2")
  }))

  it("keeps the row's policy and spec where a start job says none, and has no row to stop for a stop job", on(async ({ reader, writer }, run) => {
    await run(writer.takeJobs([stopJob("1-0"), startJob("2-0", { restartPolicy: "always", spec: { env: { A: "1" } } }), startJob("3-0")]))
    const { game, jobs } = await run(reader.load(g1))
    assert.deepInclude(game, { restartPolicy: "always", generation: 1 })
    assert.deepStrictEqual(game?.spec, { env: { A: "1" } })
    assert.deepStrictEqual(jobs.map(({ generation }) => generation), [null, 1, 1])
  }))

  it("writes no wish for a game that was removed", on(async ({ insert, reader, remove, writer }, run) => {
    await insert("g1", image)
    await remove("g1")
    await run(writer.takeJobs([startJob("1-0"), stopJob("2-0")]))
    assert.deepInclude((await run(reader.load(g1))).game, { state: "removed", generation: 2 })
    const g2 = game("g2")
    await run(writer.commit(commitOf({ gameId: g2, record: recordOf({ gameId: g2 }) })))
    await run(writer.commit(commitOf({ gameId: g2, expectedVersion: 1, record: recordOf({ gameId: g2, status: "removed" }) })))
    await run(writer.takeJobs([startJob("3-0", { gameId: g2 })]))
    assert.strictEqual((await run(reader.load(g2))).game, null)
    assert.deepStrictEqual((await run(reader.load(g2))).jobs.map(({ generation }) => generation), [null])
  }))

  it("waits not long for a row that somebody holds locked, and takes nothing of that batch", on(async ({ hold, insert, reader, writer }, run) => {
    await insert("g1", image)
    const letGo = await hold("g1")
    const batch = writer.takeJobs([startJob("1-0", { gameId: game("g2") }), stopJob("2-0")])
    assert.strictEqual(await reason(batch), "Conflict")
    assert.strictEqual((await run(reader.load(game("g2")))).game, null)
    await letGo()
    assert.sameMembers<string>([...await run(batch)], ["g1", "g2"])
  }))

  it("reads the oldest and the newest of a game's many jobs, and lets them be answered bit by bit", on(async ({ reader, writer }, run) => {
    const count = 2500
    for (let sent = 0; sent < count; sent += 500) await run(writer.takeJobs(Array.from({ length: 500 }, (_, index) => startJob(`${sent + index}-0`))))
    const numbers = async () => (await run(reader.load(g1))).jobs.map(({ entryId }) => Number(entryId.split("-")[0]))
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
    assert.deepStrictEqual(await numbers(), [...range(0, 900), ...range(2400, 2500)])
    const answerAll = async () => {
      const { jobs } = await run(reader.load(g1))
      await run(writer.commit(commitOf({ answers: jobs.map((job) => answerOf(job)) })))
    }
    await answerAll()
    assert.deepStrictEqual(await numbers(), [...range(900, 1800), ...range(2300, 2400)])
    await answerAll()
    assert.deepStrictEqual(await numbers(), range(1800, 2300))
    await answerAll()
    assert.deepStrictEqual(await numbers(), [])
  }))

  it("answers a refused job at once, with a dead job beside the result, and a job once in all", on(async ({ reader, writer }, run) => {
    await run(writer.takeJobs([refused, refused, startJob("1-0")]))
    assert.deepStrictEqual((await run(writer.unsent(10))).map(({ topic }) => topic), ["dead_jobs", "job_results"])
    const [job] = (await run(reader.load(g1))).jobs
    await run(writer.commit(commitOf({ answers: [answerOf(job!)] })))
    await run(writer.commit(commitOf({ answers: [answerOf(job!, { outcome: "failure" })] })))
    const results = (await run(writer.unsent(10))).filter(({ topic }) => topic === "job_results")
    assert.deepStrictEqual(results.map(({ fields }) => [fields.job_id, fields.outcome]), [["9-0", "failure"], ["1-0", "success"]])
    assert.deepStrictEqual((await run(reader.load(g1))).jobs, [])
  }))

  it("takes text that a database has no word for", on(async ({ writer }, run) => {
    await run(writer.takeJobs([{ ...refused, payload: { text: "a\u0000b\ud800" } } as JobIntake]))
    assert.lengthOf(await run(writer.unsent(10)), 2)
  }))

  it("hands messages out oldest first until they are struck out", on(async ({ writer }, run) => {
    const messages = ["a", "b", "c"].map((word) => ({ topic: "dead_jobs" as const, fields: { word } }))
    await run(writer.commit(commitOf({ messages })))
    const first = await run(writer.unsent(2))
    assert.deepStrictEqual(first.map(({ fields }) => fields.word), ["a", "b"])
    assert.deepStrictEqual((await run(writer.unsent(2))).map(({ eventId }) => eventId), first.map(({ eventId }) => eventId))
    await run(writer.markSent(first.map(({ id }) => id)))
    const rest = await run(writer.unsent(5))
    assert.deepStrictEqual(rest.map(({ fields }) => fields.word), ["c"])
    assert.deepStrictEqual(await run(writer.unsent(5, { sent: rest.map(({ id }) => id) })), [])
    assert.deepStrictEqual(await run(writer.unsent(5)), [])
  }))

  it("hands out the messages of other topics behind any number of one that is left aside", on(async ({ writer }, run) => {
    const messages = (["job_results", "job_results", "health_events", "job_results", "dead_jobs"] as const).map((topic, index) => ({ topic, fields: { n: String(index) } }))
    await run(writer.commit(commitOf({ messages })))
    assert.deepStrictEqual((await run(writer.unsent(2, { except: ["job_results"] }))).map(({ fields }) => fields.n), ["2", "4"])
    assert.deepStrictEqual((await run(writer.unsent(9, { except: [] }))).length, 5)
  }))
}
