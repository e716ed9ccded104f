/** How games are started again: because somebody asked, by a curve of their own, or not at all. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

/** Nothing here depends on the engine's age: the newest alone. */
const engine = environment.engines.at(-1)!
const shell = (script: string) => ["/bin/sh", "-c", script]

describe(`restarts on ${engine.name}`, () => {
  const world = new World(engine.host)
  let controller: ControllerProcess
  beforeAll(async () => {
    await world.open()
    controller = await world.start({ RTM_LEASE: "1500ms" })
  })
  afterAll(() => world.close())
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-60).join("\n"))
  })

  const condition = async (gameId: string, type: string) =>
    (await world.record(gameId))?.conditions.find((one: { readonly type: string }) => one.type === type)
  const log = async (gameId: string) => (await world.operations(gameId)).map(({ op_kind, op_source, outcome }) => `${op_kind} ${op_source} ${outcome}`)
  const startedTimes = async (gameId: string, count: number) => until(`start ${count} of ${gameId} is told`, async () => {
    const found = await world.health(gameId, "container_started")
    return found.length >= count ? found : undefined
  })

  it("in place are carried out once, in the same container, told as asked for, whoever dies meanwhile", async () => {
    await world.insertGame("asked", { policy: "never", spec: { command: shell("trap 'sleep 1; exit 3' TERM; while :; do sleep 0.1; done") } })
    const before = await world.status("asked", "running")
    await world.sql`UPDATE rtmanager.games SET restart_requested_at = now() WHERE game_id = 'asked'`
    await until("its signal was sent", async () => (await world.record("asked"))?.stopping?.signalled_at != null)
    assert.deepInclude(await condition("asked", "Progressing"), { status: "True", reason: "Restarting" })
    await controller.kill("SIGKILL")
    controller = await world.start({ RTM_LEASE: "1500ms" })
    await startedTimes("asked", 2)
    const record = await world.status("asked", "running")
    assert.strictEqual(record.current_container_id, before.current_container_id)
    assert.isAbove(Number(record.started_at), Number(before.started_at))
    assert.deepInclude(record, { restart_count: 0, restarting_since: null, stopping: null, observed_generation: "1" })
    const [exited, ...more] = await world.health("asked", "container_exited")
    assert.deepStrictEqual([JSON.parse(exited!.details!), more], [{ exit_code: 3, expected: true, because: "restart" }, []])
    assert.deepStrictEqual(await log("asked"), ["start desired_state success", "restart desired_state success"])
    await new Promise((resolve) => setTimeout(resolve, 2000))
    assert.deepStrictEqual(await log("asked"), ["start desired_state success", "restart desired_state success"])
    assert.lengthOf(await world.containers("asked"), 1)
  })

  it("are not made after an exit code that the game names, whatever its policy, until its row changes", async () => {
    await world.insertGame("final", { spec: { command: shell("sleep 1; exit 64"), restart: { base: "100ms", never_on: [64] } } })
    await until("its end is recorded", async () => (await world.record("final"))?.exit_code === 64)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const record = await world.record("final")
    assert.deepInclude(record, { status: "stopped", final_exit: true, next_restart_at: null })
    assert.deepInclude(await condition("final", "Ready"), { status: "False", reason: "NeverOn" })
    assert.lengthOf(await world.health("final", "container_started"), 1)
    await world.sql`UPDATE rtmanager.games SET spec = jsonb_set(spec, '{restart,never_on}', '[65]') WHERE game_id = 'final'`
    await startedTimes("final", 3)
    assert.strictEqual((await world.record("final"))?.current_container_id, record?.current_container_id)
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'final'`
  })

  it("of a game that keeps ending come by its own curve, and it says that it is in a loop and when it is tried next", async () => {
    await world.insertGame("curve", { spec: { command: ["/bin/false"], restart: { base: "500ms", max: "2s" } } })
    const starts = (await startedTimes("curve", 5)).map(({ occurred_at_ms }) => Number(occurred_at_ms))
    const ends = (await world.health("curve", "container_exited")).map(({ occurred_at_ms }) => Number(occurred_at_ms))
    for (const [index, wantedMs] of [500, 1000, 2000, 2000].entries()) assert.isAtLeast(starts[index + 1]! - ends[index]!, wantedMs - 50)
    const record = await until("it waits", async () => {
      const found = await world.record("curve")
      return found?.next_restart_at == null ? undefined : found
    })
    const progress = record.conditions.find((one: { readonly type: string }) => one.type === "Progressing")
    assert.deepInclude(progress, { status: "True", reason: "CrashLoopBackOff" })
    assert.include(progress.message, new Date(record.next_restart_at).toISOString())
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'curve'`
  })
})
