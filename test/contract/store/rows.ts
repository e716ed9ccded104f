/** Desired rows: what the database makes of what people and programs write. */
import { assert, it } from "@effect/vitest"
import { g1, image, type Open, surveyAll, withStore } from "./OpenStore.ts"

const refusal = (writing: Promise<void>): Promise<string> => writing.then(() => "", String)

export const rowTests = (open: Open): void => {
  const on = withStore(open)

  it("reads a game that is not there as nothing", on(async ({ reader }, run) => {
    assert.deepStrictEqual(await run(reader.load(g1)), { game: null, record: null, jobs: [], lastHealth: null })
  }))

  it("counts a generation for each change of what is desired, and for nothing else", on(async ({ insert, reader, remove, update }, run) => {
    const generation = async () => (await run(reader.load(g1))).game?.generation
    await insert("g1", image)
    assert.deepStrictEqual((await run(reader.load(g1))).game, {
      gameId: g1, state: "running", restartPolicy: "always", imageRef: image, generation: 1, spec: {}
    })
    await update("g1", { state: "running" })
    assert.strictEqual(await generation(), 1)
    await update("g1", { spec: { env: { A: "1" } } })
    assert.strictEqual(await generation(), 2)
    await update("g1", { spec: { env: { A: "1" } }, image_ref: image })
    assert.strictEqual(await generation(), 2)
    await update("g1", { restart_policy: "never" })
    await update("g1", { state: "stopped" })
    assert.strictEqual(await generation(), 4)
    await remove("g1")
    assert.deepInclude((await run(reader.load(g1))).game, { state: "removed", generation: 5 })
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
