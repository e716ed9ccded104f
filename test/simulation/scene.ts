/** One story of a whole system on the virtual clock: how it is set up, and what people see of it. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { images } from "./script.ts"
import { simulate, type Simulation, startController } from "./world.ts"

export const game = "g1"
export const row = { game_id: game, image_ref: images.present }

/** A controller runs; nothing that must never be may have been seen by the end. */
export const scene = (name: string, body: (simulation: Simulation) => Effect.Effect<void, never, Scope.Scope>) =>
  it.effect(name, () =>
    Effect.scoped(simulate(name, Effect.fnUntraced(function*(simulation): Effect.fn.Return<void, never, Scope.Scope> {
      simulation.engine.image(images.present)
      simulation.engine.image(images.pullable, { onHost: false, pullMs: 300 })
      yield* startController(simulation, "c0")
      yield* TestClock.adjust("1 second")
      yield* body(simulation)
      assert.deepStrictEqual(simulation.violations, [], simulation.trace.join("\n"))
    }))))

export const results = ({ store }: Simulation) =>
  store.told.flatMap(({ fields, topic }) => topic === "job_results" ? [`${fields.outcome} ${fields.error_code}`.trim()] : [])
export const intents = ({ store }: Simulation) => store.told.filter(({ topic }) => topic === "notification_intents")
export const log = ({ store }: Simulation) => store.operations.map(({ op_kind, op_source, outcome }) => `${op_kind} ${op_source} ${outcome}`)
export const health = ({ store }: Simulation) =>
  store.told.flatMap(({ fields, topic }) => topic === "health_events" ? [[fields.event_type, JSON.parse(fields.details!) as unknown]] : [])
export const starts = ({ engine }: Simulation) => engine.history.flatMap(({ action, atMs }) => action === "start" ? [atMs] : [])
export const condition = ({ store }: Simulation, type: "Ready" | "Progressing" | "AsSpecified") =>
  store.records.get(game)?.conditions?.find((one) => one.type === type)
