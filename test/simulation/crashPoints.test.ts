/**
 * A controller that dies right before or after any call that changes something, or never hears the answer of one: in the
 * end everything has happened, and was told, exactly as if nothing had gone wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Call, type Fault, faultAt } from "../support/fakes/faults.ts"
import { images } from "./script.ts"
import { simulate, type Simulation, startController } from "./world.ts"

const game = "g1"
const row = { game_id: game, image_ref: images.present }

interface Scenario {
  readonly name: string
  /** What was so before: the controller settles after each. */
  readonly before: ReadonlyArray<(simulation: Simulation) => void>
  /** What happens then, with one fault in what follows. */
  readonly then: (simulation: Simulation) => void
  /** What happens 20 seconds after that. */
  readonly later?: (simulation: Simulation) => void
  /** So many calls that change something at least. Default: 2. */
  readonly calls?: number
  /** The same container runs again: a signal that the engine carries out only after its deadline ends that run too, as an end of its own. */
  readonly runsAgain?: boolean
  /** An attempt that failed unheard is made again. */
  readonly mayTryTwice?: boolean
}

const scenarios: ReadonlyArray<Scenario> = [
  { name: "a start by job", before: [], then: ({ streams }) => void streams.startJob({ game_id: game, image_ref: images.present }) },
  { name: "a start by row", before: [], then: ({ store }) => store.insert(row) },
  { name: "a start whose image must be pulled", before: [], then: ({ store }) => store.insert({ ...row, image_ref: images.pullable }) },
  {
    name: "a start by job of an image that does not exist",
    before: [],
    then: ({ streams }) => void streams.startJob({ game_id: game, image_ref: images.missing })
  },
  {
    name: "a start that the engine refuses",
    before: [],
    mayTryTwice: true,
    then: ({ store }) => store.insert({ ...row, restart_policy: "never", spec: { args: ["unstartable"] } })
  },
  {
    name: "a start by job of a program that does not exist",
    before: [],
    mayTryTwice: true,
    then: ({ streams }) => void streams.startJob({ game_id: game, image_ref: images.present, spec: JSON.stringify({ args: ["missing"] }) })
  },
  { name: "a start job for a game that runs", before: [({ store }) => store.insert(row)], then: ({ streams }) => void streams.startJob(row) },
  { name: "a stop by job", before: [({ store }) => store.insert(row)], then: ({ streams }) => void streams.stopJob({ game_id: game, reason: "finished" }) },
  {
    name: "a stop that needs SIGKILL",
    before: [({ store }) => store.insert({ ...row, spec: { args: ["stop=never"] } })],
    then: ({ store }) => store.update(game, { state: "stopped" })
  },
  {
    name: "a stop of a paused game",
    before: [({ store }) => store.insert(row)],
    then: ({ engine, store }) => {
      engine.pause(engine.of(game)[0]!.id)
      store.update(game, { state: "stopped" })
    }
  },
  {
    name: "a stop that the engine refuses for a while",
    before: [({ store }) => store.insert(row)],
    then: ({ engine, streams }) => {
      engine.quirks.refusesChanges = true
      streams.stopJob({ game_id: game, reason: "finished" })
    },
    later: ({ engine }) => void (engine.quirks.refusesChanges = false)
  },
  {
    name: "a removal of a game that must be killed for it",
    before: [({ store }) => store.insert({ ...row, spec: { args: ["stop=never"] } })],
    then: ({ store }) => store.delete(game)
  },
  {
    name: "a game that exits when it is to be stopped anyway",
    before: [({ store }) => store.insert(row)],
    then: ({ engine, store }) => {
      engine.exit(`galaxy-game-${game}`, 3)
      store.update(game, { state: "stopped" })
    }
  },
  { name: "a removal", before: [({ store }) => store.insert(row)], then: ({ store }) => store.delete(game) },
  { name: "a new image", before: [({ store }) => store.insert(row)], then: ({ store }) => store.update(game, { image_ref: images.pullable }) },
  {
    name: "a stopped game that is started with a new image",
    before: [({ store }) => store.insert(row), ({ store }) => store.update(game, { state: "stopped" })],
    then: ({ store }) => store.update(game, { state: "running", image_ref: images.pullable })
  },
  { name: "a container that is removed by force", before: [({ store }) => store.insert(row)], then: ({ engine }) => engine.removeByForce(`galaxy-game-${game}`) },
  {
    name: "a container that is removed by force, with policy never",
    before: [({ store }) => store.insert({ ...row, restart_policy: "never" })],
    then: ({ engine }) => engine.removeByForce(`galaxy-game-${game}`)
  },
  { name: "a container that exits", before: [({ store }) => store.insert(row)], then: ({ engine }) => engine.exit(`galaxy-game-${game}`, 3) },
  {
    name: "a restart in place, with policy never",
    runsAgain: true,
    before: [({ store }) => store.insert({ ...row, restart_policy: "never" })],
    then: ({ store }) => store.update(game, { restart_requested_at: new Date(store.nowMs).toISOString() })
  },
  {
    name: "a restart in place of a game that must be killed for it",
    runsAgain: true,
    before: [({ store }) => store.insert({ ...row, spec: { args: ["stop=never"] } })],
    then: ({ store }) => store.update(game, { restart_requested_at: new Date(store.nowMs).toISOString() })
  },
  {
    name: "a container that exits for good",
    // Its end; nothing else is done.
    calls: 1,
    before: [({ store }) => store.insert({ ...row, spec: { restart: { never_on: [64] } } })],
    then: ({ engine }) => engine.exit(`galaxy-game-${game}`, 64)
  },
  { name: "an adoption", before: [], then: ({ engine }) => void engine.run(engine.byHand(game, images.present)) },
  {
    name: "an adoption of what the engine would restart",
    before: [],
    then: ({ engine }) => void engine.run(engine.byHand(game, images.present, { restartsByItself: true }))
  },
  {
    name: "a new spec that the engine cannot start, with policy never",
    before: [({ store }) => store.insert({ ...row, restart_policy: "never" })],
    mayTryTwice: true,
    then: ({ store }) => store.update(game, { spec: { args: ["unstartable"] } })
  },
  {
    name: "a new image of a game that must be killed for it",
    before: [({ store }) => store.insert({ ...row, spec: { args: ["stop=never"] } })],
    then: ({ store }) => store.update(game, { image_ref: images.pullable })
  },
  {
    name: "a paused game",
    // Its thaw; nothing is recorded of it.
    calls: 1,
    before: [({ store }) => store.insert(row)],
    then: ({ engine }) => engine.pause(engine.of(game)[0]!.id)
  },
  { name: "a stray of ours", before: [({ store }) => store.insert(row)], then: ({ engine }) => {
    const { image, labels } = engine.of(game)[0]!
    engine.run({ name: "copy", image, labels })
  } }
]

const operations: ReadonlySet<string> = new Set([
  "create", "start", "kill", "update", "unpause", "remove", "commit", "takeJobs", "acknowledge", "append", "markSent", "pull"
])
const counts = ({ operation }: Call): boolean => operations.has(operation)

const faults: ReadonlyArray<readonly [string, Fault]> = [
  ["dying before", { _tag: "Crash", when: "before" }],
  ["dying after", { _tag: "Crash", when: "after" }],
  ["losing the answer of", { _tag: "Lost", beforeMs: 0, afterMs: 0, reason: "Unavailable" }],
  ["timing out, then carried out:", { _tag: "Late", afterMs: 10, lateMs: 500, reason: "Timeout" }]
]

/** Everything that people see of it, without ids and times. */
const seen = ({ engine, store, streams }: Simulation) => ({
  engine: engine.history.map(({ action, name }) => `${action} ${name}`),
  health: store.told.flatMap(({ fields, topic }) => topic === "health_events" ? [`${fields.event_type} ${fields.details}`] : []),
  results: store.told.flatMap(({ fields, topic }) => topic === "job_results" ? [`${fields.job_kind} ${fields.outcome} ${fields.error_code}`] : []),
  intents: store.told.flatMap(({ fields, topic }) => topic === "notification_intents" ? [fields.notification_type] : []),
  operations: store.operations.map(({ error_code, op_kind, op_source, outcome }) => `${op_kind} ${op_source} ${outcome} ${error_code ?? ""}`),
  status: store.records.get(game)?.status,
  sent: new Set(streams.log.flatMap(({ fields }) => fields.event_id ?? [])).size
})

/** Whether the fault was reached, and what people see. */
const run = (scenario: Scenario, index: number, fault: Fault) => Effect.scoped(
  simulate(scenario.name, Effect.fnUntraced(function*(simulation): Effect.fn.Return<
    { readonly hit: string; readonly seen: ReturnType<typeof seen>; readonly trace: ReadonlyArray<string>; readonly violations: ReadonlyArray<string> },
    never,
    Scope.Scope
  > {
    let hit = ""
    simulation.engine.image(images.present)
    simulation.engine.image(images.pullable, { onHost: false, pullMs: 300 })
    yield* startController(simulation, "c0")
    for (const step of [...scenario.before, () => {}]) {
      step(simulation)
      yield* TestClock.adjust("5 seconds")
    }
    const plan = faultAt(index, counts, fault)
    simulation.faults = (call) => {
      const decided = plan(call)
      if (decided) hit = `${call.service}.${call.operation}`
      return decided
    }
    scenario.then(simulation)
    if (scenario.later) {
      yield* TestClock.adjust("20 seconds")
      scenario.later(simulation)
    }
    yield* TestClock.adjust("50 seconds")
    return { hit, seen: seen(simulation), trace: simulation.trace, violations: simulation.violations }
  })))

describe.each([...scenarios])("$name", (scenario) => {
  it.effect.each([...faults])("%s any call ends as if nothing had gone wrong", ([name, fault]) =>
    Effect.gen(function*() {
      const well = yield* run(scenario, -1, fault)
      let reached = 0
      for (;;) {
        const end = yield* run(scenario, reached, fault)
        if (end.hit === "") break
        reached++
        if (scenario.runsAgain && fault._tag === "Late" && end.hit === "engine.kill") {
          assert.deepStrictEqual(end.violations, [])
          assert.includeMembers(end.seen.operations, well.seen.operations)
          continue
        }
        const engine = scenario.mayTryTwice ? well.seen.engine : end.seen.engine
        assert.deepStrictEqual({ ...end.seen, engine, violations: end.violations }, { ...well.seen, violations: [] }, `${name} call ${reached - 1}, ${end.hit}\n${end.trace.join("\n")}`)
      }
      assert.isAtLeast(reached, scenario.calls ?? 2)
    }))
})
