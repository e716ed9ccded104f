/** Desired rows: what the database makes of what people and programs write. */
import { assert, it } from "@effect/vitest"
import { fromTheStart } from "../../../src/store/GameReader.ts"
import { until } from "../../support/until.ts"
import { commitOf, g1, game, image, type Open, recordOf, surveyAll, withStore } from "./OpenStore.ts"

const refusal = (writing: Promise<void>): Promise<string> => writing.then(() => "", String)

export const rowTests = (open: Open): void => {
  const on = withStore(open)

  it("reads a game that is not there as nothing", on(async ({ reader }, run) => {
    assert.deepStrictEqual(await run(reader.load(g1)), { game: null, record: null, jobs: [], lastHealth: null, claims: [] })
  }))

  it("counts a generation for each change of what is desired, and for nothing else", on(async ({ insert, reader, remove, update }, run) => {
    const generation = async () => (await run(reader.load(g1))).game?.generation
    await insert("g1", image)
    const { desiredHash, ...first } = (await run(reader.load(g1))).game!
    assert.deepStrictEqual(first, { gameId: g1, state: "running", restartPolicy: "always", imageRef: image, generation: 1, restartRequestedAtMs: null, spec: {} })
    await update("g1", { state: "running" })
    assert.strictEqual(await generation(), 1)
    await update("g1", { spec: { env: { A: "1" } } })
    assert.strictEqual(await generation(), 2)
    await update("g1", { spec: { env: { A: "1" } }, image_ref: image })
    assert.strictEqual(await generation(), 2)
    assert.notStrictEqual((await run(reader.load(g1))).game?.desiredHash, desiredHash)
    await update("g1", { spec: {} })
    assert.strictEqual((await run(reader.load(g1))).game?.desiredHash, desiredHash, "what is asked for is what it was")
    await update("g1", { spec: { env: { A: "1" } } })
    await update("g1", { restart_policy: "never" })
    await update("g1", { state: "stopped" })
    assert.strictEqual(await generation(), 6)
    await remove("g1")
    assert.deepInclude((await run(reader.load(g1))).game, { state: "removed", generation: 7 })
  }))

  it("takes a restart that is asked for as no change of what is desired, and tells of it", on(async ({ insert, reader, update, writer }, run) => {
    const at = "2026-01-02T03:04:05.678Z"
    await insert("g1", image, { spec: { env: { A: "1" } } })
    await run(writer.commit(commitOf({ record: recordOf() })))
    const before = (await run(reader.load(g1))).game!
    const read = await run(reader.changesSince(fromTheStart, 10))
    await update("g1", { restart_requested_at: at })
    assert.deepStrictEqual((await run(reader.load(g1))).game, { ...before, restartRequestedAtMs: Date.parse(at) })
    assert.deepStrictEqual((await surveyAll({ reader }))[0]?.game?.restartRequestedAtMs, Date.parse(at))
    assert.deepStrictEqual((await until("it is told", async () => {
      const { changes } = await run(reader.changesSince(read.cursor, 10))
      return changes.length > 0 ? changes : undefined
    })), [{ gameId: g1, kind: "row" }])
    await update("g1", { state: "stopped" })
    assert.deepInclude((await run(reader.load(g1))).game, { generation: 2, restartRequestedAtMs: Date.parse(at) }, "it stays as it was written")
  }))

  it("tells rows apart by what they say where their generation says nothing, and tells nobody of those that were made again without triggers", on(
    async ({ insert, reader, restore, update, writer }, run) => {
      const saw = async () => (await run(reader.load(g1))).game!
      await insert("g1", image, { restart_policy: "never", spec: { env: { A: "1", B: "2" } } })
      await update("g1", { state: "stopped" })
      await run(writer.commit(commitOf({ record: recordOf() })))
      await run(writer.settle([{ gameId: g1, version: 1, generation: 2 }]))
      const before = await saw()
      await restore("g1", image, { restart_policy: "never", state: "stopped", spec: { env: { A: "1", B: "2" } } })
      assert.deepStrictEqual(await saw(), { ...before, generation: 1 })
      const others = [
        { image_ref: "galaxy/engine:2" }, { state: "running" }, { restart_policy: "always" }, { spec: { env: { A: "1", B: "3" } } }, { generation: 7 }
      ]
      for (const { image_ref: imageRef = image, ...other } of others) {
        await restore("g1", imageRef, { restart_policy: "never", state: "stopped", spec: { env: { A: "1", B: "2" } }, ...other })
        assert.strictEqual((await saw()).desiredHash === before.desiredHash, "generation" in other, JSON.stringify(other))
      }
      assert.deepStrictEqual(await surveyAll({ reader }), [])
      const [found] = await surveyAll({ reader }, "settled")
      assert.deepInclude(found?.game, { generation: 7, desiredHash: before.desiredHash })
    }
  ))

  it("finds rows that were made without triggers and of which nothing is recorded, and no others", on(async ({ insert, reader, restore, writer }, run) => {
    const unnoted = async () => (await surveyAll({ reader }, "unnoted")).map(({ gameId, record }) => [gameId, record] as const)
    await insert("told", image)
    await insert("known", image)
    await run(writer.commit(commitOf({ gameId: game("known"), record: recordOf({ gameId: game("known") }) })))
    await restore("known", image)
    assert.deepStrictEqual(await unnoted(), [])
    const names = Array.from({ length: 45 }, (_, index) => game(`new${String(index).padStart(2, "0")}`))
    for (const name of names) await restore(name, image)
    assert.deepStrictEqual(await unnoted(), names.map((name) => [name, null]))
    await run(writer.commit(commitOf({ gameId: names[7]!, record: recordOf({ gameId: names[7]! }) })))
    assert.lengthOf(await unnoted(), 44)
  }))

  it("keeps the words of a wish that is only written otherwise", on(async ({ insert, reader, update }, run) => {
    await insert("g1", image, { spec: { env: { A: "1", B: "2" } } })
    const before = (await run(reader.load(g1))).game
    await update("g1", { spec: { env: { B: "2", A: "1" } } })
    assert.deepStrictEqual((await run(reader.load(g1))).game, before)
  }))

  it("lets nothing out of removed", on(async ({ insert, reader, remove, update }, run) => {
    await insert("g1", image)
    await remove("g1")
    assert.match(await refusal(update("g1", { state: "running" })), /removed is for good/)
    assert.strictEqual((await run(reader.load(g1))).game?.state, "removed")
  }))

  it.each([
    ["a game_id that is no DNS label", "G_1", image, {}, /game_id takes 1 to 51 characters/],
    ["an image without tag or digest", "g1", "galaxy/engine", {}, /image_ref takes an image with a tag or digest/],
    ["a state that is none", "g1", image, { state: "on" }, /state takes running, stopped or removed/],
    ["a spec of more than 256 KiB", "g1", image, { spec: { env: { A: "x".repeat(262_144) } } }, /spec of a game to run takes at most 262144 bytes/],
    ["a policy that is none", "g1", image, { restart_policy: "sometimes" }, /restart_policy takes always, on_failure or never/]
  ])("refuses %s, with words that say what it takes", (_what, gameId, imageRef, more, words) => on(async ({ insert, reader }) => {
    assert.match(await refusal(insert(gameId, imageRef, more)), words)
    assert.deepStrictEqual(await surveyAll({ reader }), [])
  })())

  it("refuses to forget all rows at once", on(async ({ insert, reader, truncate }, run) => {
    await insert("g1", image)
    assert.match(await refusal(truncate()), /TRUNCATE of games is refused/)
    assert.strictEqual((await run(reader.load(g1))).game?.state, "running")
  }))
}
