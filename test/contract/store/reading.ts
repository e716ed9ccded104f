/** The survey, what changed, and rows that are not what they should be. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { type ChangesSince, fromTheStart, type StoreChange } from "../../../src/store/GameReader.ts"
import { until } from "../../support/until.ts"
import { commitOf, g1, game, image, type Open, type OpenStore, recordOf, type Run, startJob, surveyAll, withStore } from "./OpenStore.ts"

const words = ({ changes }: ChangesSince): ReadonlyArray<string> => changes.map(({ gameId, kind }) => `${kind} ${gameId}`)

/** Reads on until so much was answered: a transaction elsewhere on the server may hold it up a moment. */
const readOn = ({ reader }: OpenStore, run: Run) => async (cursor: string, count: number): Promise<ChangesSince> => {
  let read: ChangesSince = { changes: [], cursor }
  await until(`${count} changes`, async () => {
    const next = await run(reader.changesSince(read.cursor, 100))
    read = { changes: [...read.changes, ...next.changes], cursor: next.cursor }
    return read.changes.length >= count
  })
  return read
}

export const readingTests = (open: Open): void => {
  const on = withStore(open)

  it("surveys what is not settled for ever", on(async ({ insert, reader, remove, writer }, run) => {
    const surveyed = async () => (await surveyAll({ reader })).map(({ game, gameId, pendingJobs, record }) => [gameId, game?.state, record?.status, pendingJobs])
    await insert("g1", image)
    await insert("g2", image)
    await remove("g2")
    const g2 = game("g2")
    await run(writer.commit(commitOf({ gameId: g2, record: recordOf({ gameId: g2 }) })))
    assert.sameDeepMembers(await surveyed(), [["g1", "running", undefined, 0], ["g2", "removed", "stopped", 0]])
    await run(writer.commit(commitOf({ gameId: g2, expectedVersion: 1, record: recordOf({ gameId: g2, status: "removed" }) })))
    assert.deepStrictEqual(await surveyed(), [["g1", "running", undefined, 0]])
    await run(writer.takeJobs([startJob("1-0", { gameId: g2 })]))
    assert.sameDeepMembers(await surveyed(), [["g1", "running", undefined, 0], ["g2", "removed", "removed", 1]])
  }))

  it("surveys of a spec how its game is restarted, and nothing else", on(async ({ insert, reader }) => {
    const restart = { base: "2s", never_on: [64] }
    await insert("g1", image, { spec: { env: { TOKEN: "secret" }, restart } })
    await insert("g2", image, { spec: { env: { TOKEN: "secret" } } })
    assert.deepStrictEqual((await surveyAll({ reader })).map(({ game }) => game?.spec), [{ restart }, {}])
  }))

  it("surveys a settled game no more, until its row or its record is written or a job comes for it", on(async ({ insert, reader, update, writer }, run) => {
    const ids = async (part?: "settled") => (await surveyAll({ reader }, part)).map(({ gameId }) => gameId)
    const settle = (version: number, generation: number) => run(writer.settle([{ gameId: g1, version, generation }, { gameId: game("nobody"), version: 1, generation: null }]))
    const isSettled = async () => {
      assert.deepStrictEqual([await ids(), await ids("settled")], [[], [g1]])
    }
    const isOpen = async (why: string) => {
      assert.deepStrictEqual(await ids(), [g1], why)
    }
    await insert("g1", image)
    await run(writer.commit(commitOf({ record: recordOf() })))
    await isOpen("nobody said that it is settled")
    await settle(1, 1)
    await isSettled()
    await update("g1", { image_ref: "galaxy/engine:2" })
    await isOpen("its row was written")
    await settle(1, 1)
    await isOpen("the row is not the one that was seen")
    await settle(1, 2)
    await isSettled()
    await run(writer.commit(commitOf({ record: recordOf(), expectedVersion: 1 })))
    await isOpen("its record was written")
    await settle(1, 2)
    await isOpen("the record is not the one that was seen")
    await settle(2, 2)
    await isSettled()
    await run(writer.takeJobs([startJob("1-0", { imageRef: "galaxy/engine:2", restartPolicy: "always" })]))
    await isOpen("a job waits")
  }))

  it("hands its survey out page by page, in order, each game once", on(async ({ insert, reader, writer }, run) => {
    const names = Array.from({ length: 45 }, (_, index) => game(`g${String(index).padStart(2, "0")}`))
    for (const name of names) await insert(name, image)
    await run(writer.takeJobs([startJob("1-0", { gameId: names[7]! })]))
    await run(writer.commit(commitOf({ gameId: names[7]!, record: recordOf({ gameId: names[7]! }) })))
    assert.deepStrictEqual((await surveyAll({ reader })).map(({ gameId }) => gameId), names)
  }))

  it("tells no reader of changes that a game is settled", on(async (opened, run) => {
    await opened.insert("g1", image)
    await run(opened.writer.commit(commitOf({ record: recordOf() })))
    const { cursor } = await readOn(opened, run)(fromTheStart, 2)
    await run(opened.writer.settle([{ gameId: g1, version: 1, generation: 1 }]))
    await opened.insert("g2", image)
    assert.deepStrictEqual(words(await readOn(opened, run)(cursor, 1)), ["row g2"])
  }))

  it("says which game's row is not what the schema says and where, and surveys the others", on(async ({ insert, reader, spoil, writer }, run) => {
    await insert("g1", image)
    await insert("g2", image)
    await run(writer.commit(commitOf({ record: recordOf() })))
    await spoil("g1")
    const error = await Effect.runPromise(Effect.flip(reader.load(g1)))
    assert.strictEqual(error.reason, "Undecodable")
    assert.match(error.message, /^game g1: record\.stopping\.because: /)
    assert.deepStrictEqual((await surveyAll({ reader })).map(({ gameId }) => gameId), [game("g2")])
  }))

  it("tells of changed rows with what they say, of nothing else, and asks for a look at everything after a break", on(
    async ({ breakConnections, insert, reader, remove, update }) => {
      const heard: Array<string> = []
      const say = (change: StoreChange) => change._tag === "Opened" ? "opened" : `${change.state} ${change.gameId}`
      const listening = Effect.runFork(Stream.runForEach(reader.changes, (change) => Effect.sync(() => heard.push(say(change)))))
      await until("opened", () => heard.length === 1)
      await insert("g1", image)
      await update("g1", { image_ref: image })
      await update("g1", { restart_requested_at: "2026-01-02T03:04:05.678Z" })
      await update("g1", { restart_requested_at: "2026-01-02T03:04:05.678Z" })
      await update("g1", { state: "stopped" })
      await remove("g1")
      await until("all four", () => heard.length === 5)
      await breakConnections()
      await until("opened again", () => heard.length === 6)
      await insert("g2", image)
      await until("g2", () => heard.length === 7)
      assert.deepStrictEqual(heard, ["opened", "running g1", "running g1", "stopped g1", "removed g1", "opened", "running g2"])
      await Effect.runPromise(Fiber.interrupt(listening))
    }
  ))

  it("answers what changed after a cursor: rows and records, oldest first, and nothing that was not written", on(async (opened, run) => {
    const { insert, remove, update, writer } = opened
    const read = readOn(opened, run)
    assert.deepStrictEqual(words(await read(fromTheStart, 0)), [])
    await insert("g1", image)
    await run(writer.commit(commitOf({ record: recordOf() })))
    const first = await read(fromTheStart, 2)
    assert.deepStrictEqual(words(first), ["row g1", "record g1"])
    await update("g1", { image_ref: image })
    await run(writer.commit(commitOf({ messages: [{ topic: "dead_jobs", fields: {} }] })))
    await run(writer.commit(commitOf({ record: recordOf(), expectedVersion: 1 })))
    await insert("g2", image)
    const second = await read(first.cursor, 2)
    assert.deepStrictEqual(words(second), ["record g1", "row g2"])
    await remove("g1")
    assert.deepStrictEqual(words(await read(second.cursor, 1)), ["row g1"])
    assert.deepStrictEqual(words(await read(fromTheStart, 3)), ["record g1", "row g2", "row g1"])
  }))

  it("answers page by page, in the middle of a transaction too", on(async (opened, run) => {
    const games = Array.from({ length: 7 }, (_, index) => game(`g${index}`))
    await run(opened.writer.takeJobs(games.map((gameId, index) => startJob(`${index}-0`, { gameId }))))
    await readOn(opened, run)(fromTheStart, 7)
    const pages: Array<ReadonlyArray<string>> = []
    for (let cursor = fromTheStart, more = true; more;) {
      const page = await run(opened.reader.changesSince(cursor, 3))
      pages.push(words(page))
      cursor = page.cursor
      more = page.changes.length === 3
    }
    assert.deepStrictEqual(pages.map(({ length }) => length), [3, 3, 1])
    assert.deepStrictEqual(pages.flat(), games.map((gameId) => `row ${gameId}`))
  }))

  it.each([["none of ours", "nonsense"], ["another server's, which was ahead", "4611686018427387904"]])(
    "begins from the start after a cursor that is %s", (_what, cursor) => on(async (opened, run) => {
      await opened.insert("g1", image)
      assert.deepStrictEqual(words(await readOn(opened, run)(cursor, 1)), ["row g1"])
    })()
  )
}
