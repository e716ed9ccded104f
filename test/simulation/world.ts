/**
 * The seam for simulation: real queue, controller, plan, apply, record, sweep, job consumer, outbox relay and leader in one
 * process, on a virtual clock, over the fakes. Everything that happens comes from one seed.
 */
import { Cause, Clock, Effect, Layer, Logger, type LogLevel, Random, References, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { alive } from "../support/fakes/container.ts"
import { EngineWorld } from "../support/fakes/EngineWorld.ts"
import type { Fault, FaultPlan } from "../support/fakes/faults.ts"
import { StoreWorld } from "../support/fakes/StoreWorld.ts"
import { StreamsWorld } from "../support/fakes/StreamsWorld.ts"
import { between, makeSurroundings } from "../support/fakes/Surroundings.ts"
import { settableClock } from "../support/wallClock.ts"
import { type ControllerProcess, startProcess, type Worlds } from "./ControllerProcess.ts"

/** When every simulation begins. */
export const startMs = Date.UTC(2026, 0, 1)

export interface Simulation extends Worlds {
  readonly random: Random.Random
  /** What happened, with virtual times; printed when a seed fails. */
  readonly trace: Array<string>
  /** What must never be, as soon as it is seen. */
  readonly violations: Array<string>
  readonly note: (text: string) => void
  /** Jobs that Redis lost before anybody took them: nobody can answer those. */
  readonly lostJobs: Set<string>
  /** The engine that answers in the end. */
  readonly homeEngine: string
  engineWasChanged: boolean
  /** When somebody told the engine to restart a container by itself: no list shows that, and nobody is told. */
  readonly armedAtMs: Map<string, number>
  /** Since when nothing is in anybody's way. */
  calmSinceMs: number
  /** Faults of processes from here on; none after `calm`. */
  faults: FaultPlan
  /** Processes that were started and have not ended. */
  readonly processes: Array<ControllerProcess>
}

/** An empty world at `startMs`, with logs going to the trace. Run `body` with it under TestClock. */
export const simulate = <A, E>(
  seed: string | number,
  body: (simulation: Simulation) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.gen(function*() {
    yield* TestClock.setTime(startMs)
    const simulation = yield* makeSimulation
    return yield* body(simulation).pipe(Effect.provide(tracing(simulation)))
  }).pipe(Random.withSeed(seed))

const makeSimulation: Effect.Effect<Simulation, never, Scope.Scope> = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const settable = yield* settableClock
  const surroundings = yield* Effect.provideService(makeSurroundings, Clock.Clock, settable.clock)
  const trace: Array<string> = []
  const violations: Array<string> = []
  const note = (text: string) => void trace.push(`${((clock.currentTimeMillisUnsafe() - startMs) / 1000).toFixed(3).padStart(9)}  ${text}`)
  const engine = new EngineWorld(surroundings)
  engine.onHappened = ({ action, containerId, gameId, name }) => {
    note(`  engine: ${action} ${name} ${containerId.slice(0, 12)}`)
    // Who is shown an empty list, and finds the name free because somebody renamed the container, cannot know better.
    if (action !== "start" || gameId === null || engine.quirks.emptyList) return
    const made = new Set(engine.calls.flatMap((call) => call.verb === "create" ? call.containerId ?? [] : []))
    const running = engine.of(gameId).filter((container) => made.has(container.id) && alive(container))
    if (running.length > 1) violations.push(`two containers of game ${gameId} run at once`)
  }
  return {
    engine,
    store: new StoreWorld(surroundings),
    streams: new StreamsWorld(surroundings),
    ...settable,
    random: surroundings.random,
    trace,
    violations,
    note,
    lostJobs: new Set(),
    homeEngine: engine.engineId,
    engineWasChanged: false,
    armedAtMs: new Map(),
    calmSinceMs: -Infinity,
    faults: () => undefined,
    processes: []
  }
})

/** Starts a controller in the scope; its faults are those that `simulation.faults` decides at each call. */
export const startController = Effect.fnUntraced(function*(
  simulation: Simulation,
  name: string
): Effect.fn.Return<ControllerProcess, never, Scope.Scope> {
  simulation.note(`${name} starts`)
  let crashed = false
  const controller = yield* startProcess(simulation, name, (call) => {
    const fault = simulation.faults(call)
    crashed ||= fault?._tag === "Crash"
    if (fault) simulation.note(`  fault: ${faultText(fault)} at ${call.service}.${call.operation} ${call.about} of ${name}`)
    return fault
  }, (problem) => {
    simulation.note(`  violation of ${name}: ${problem}`)
    simulation.violations.push(problem)
  })
  simulation.processes.push(controller)
  yield* Effect.forkScoped(Effect.andThen(controller.ended, Effect.sync(() => {
    simulation.note(`${name} ended`)
    simulation.processes.splice(simulation.processes.indexOf(controller), 1)
  }).pipe(Effect.andThen(Effect.suspend(() => crashed ? comeBack(simulation) : Effect.void)))))
  return controller
})

/** A supervisor starts a crashed controller anew, sooner or later. */
const comeBack = (simulation: Simulation) =>
  Effect.andThen(
    Effect.sleep(between(simulation.random, 50, 9000)),
    Effect.suspend(() => startController(simulation, `c${simulation.trace.length}`))
  )

const faultText = (fault: Fault): string => {
  switch (fault._tag) {
    case "Slow":
      return `slow by ${fault.beforeMs} + ${fault.afterMs} ms`
    case "Refused":
      return `${fault.reason}, not carried out`
    case "Lost":
      return `${fault.reason}, but carried out`
    case "Late":
      return `${fault.reason}, and carried out ${fault.lateMs} ms later`
    case "Crash":
      return `crash ${fault.when}`
  }
}

const quietLevel = (): LogLevel.LogLevel => process.env.RTM_SIMULATION_TRACE === undefined ? "Warn" : "Debug"

/** Logs become lines of the trace; a bug that throws is a violation. */
const tracing = (simulation: Simulation) => {
  const logger = Logger.make(({ cause, fiber, logLevel, message }) => {
    const parts = (Array.isArray(message) ? message : [message]) as ReadonlyArray<unknown>
    const game = fiber.getRef(References.CurrentLogAnnotations).game_id
    const text = parts.map((part) => part instanceof Error ? `${part.name}: ${part.message}` : typeof part === "string" ? part : JSON.stringify(part))
    const died = cause.reasons.filter((reason) => reason._tag === "Die")
    simulation.note(`  ${logLevel.toLowerCase()}: ${game === undefined ? "" : `${String(game)} `}${text.join(" ")} ${cause.reasons.length > 0 ? Cause.pretty(cause).split("\n")[0] : ""}`)
    for (const reason of died) simulation.violations.push(`a bug threw: ${String(reason.defect instanceof Error ? reason.defect.stack : reason.defect)}`)
  })
  return Layer.mergeAll(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, quietLevel()))
}
