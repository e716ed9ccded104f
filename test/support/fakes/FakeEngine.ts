/** ContainerEngine over an engine in memory. One instance is one controller's client; many may share a world. */
import { Context, Effect, Exit, Layer, Schedule, type Scope, Stream } from "effect"
import {
  type ContainerDetail, ContainerEngine, type ContainerTemplate, EngineError, type EngineEvent
} from "../../../src/engine/ContainerEngine.ts"
import { KnownContainers } from "../../../src/engine/KnownContainers.ts"
import { notLeader, type Permission } from "../../../src/engine/Permission.ts"
import { makeCalls } from "./calls.ts"
import { alive, type FakeContainer } from "./container.ts"
import { EngineWorld } from "./EngineWorld.ts"
import { makePull } from "./pull.ts"
import { makeSurroundings } from "./Surroundings.ts"
import { inspect, list, requestOf, unmet } from "./views.ts"

export interface FakeEngineOptions {
  /** Port in a game's endpoint. Default: 8080. */
  readonly enginePort?: number
  /** A pull without progress for so long fails. Default: 2 minutes. */
  readonly pullStallMs?: number
  readonly permission?: Permission
  readonly instance?: string
  readonly deadlines?: Partial<typeof defaultDeadlines>
  /** From a start to the look at its program. Default: as the real adapter's. */
  readonly lookAfterMs?: number
}

/** As the real adapter's. */
export const defaultDeadlines = { ping: 3000, list: 10_000, inspect: 5000, kill: 15_000, change: 60_000 }

const reconnect = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")])
/** The actions after which a game may look different. */
const telling: ReadonlySet<string> = new Set(["start", "die", "oom", "pause", "unpause", "rename", "destroy"])

/** The engine as tests hold it. */
export class FakeEngine extends Context.Service<FakeEngine, EngineWorld>()("rtmanager/test/FakeEngine") {
  static readonly layer: Layer.Layer<FakeEngine> = Layer.effect(
    FakeEngine,
    Effect.map(makeSurroundings, (surroundings) => new EngineWorld(surroundings))
  )
}

/** The service and the handle of its world. */
export const layer = (options: FakeEngineOptions = {}): Layer.Layer<ContainerEngine | FakeEngine> =>
  Layer.effect(ContainerEngine, Effect.flatMap(FakeEngine, (world) => makeFakeEngine(world, options))).pipe(
    Layer.provideMerge(FakeEngine.layer)
  )

export const makeFakeEngine = Effect.fnUntraced(function*(
  world: EngineWorld,
  options: FakeEngineOptions = {}
): Effect.fn.Return<ContainerEngine["Service"], never, Scope.Scope> {
  const deadlines = { ...defaultDeadlines, ...options.deadlines }
  /** Containers that this client started itself, whose `start` event is no news. */
  const echoes = new Set<string>()
  const known = new KnownContainers()
  const { ask, askOf } = makeCalls(world)
  const create = (template: ContainerTemplate) =>
    ask("create", deadlines.change, template.gameId, () => {
      const problem = unmet(world, template)
      if (problem !== undefined) throw new EngineError({ operation: "create", reason: "Unmet", message: problem })
      return world.make(requestOf(template, options.instance)).id
    }, true).pipe(
      Effect.tap((id) => Effect.sync(() => known.made(template.gameId, id))),
      Effect.tapError(() => Effect.sync(() => known.doubt(template.gameId)))
    )

  const inspectOf = (id: string) => askOf("inspect", deadlines.inspect, id, () => inspect(world, id, options.enginePort ?? 8080), false)

  const engine: ContainerEngine["Service"] = {
    identity: ask("ping", deadlines.ping, null, () => ({ id: world.engineId, version: world.version, apiVersion: "1.41" })),
    known: (gameId) => known.of(gameId),
    list: (gameId) =>
      Effect.suspend(() => {
        const done = known.listing(gameId)
        return ask("list", deadlines.list, gameId ?? null, () => list(world, gameId)).pipe(
          Effect.onExit((exit) => Effect.sync(() => done(Exit.isSuccess(exit) ? exit.value : null)))
        )
      }),
    inspect: inspectOf,
    create,
    start: Effect.fnUntraced(function*(id, onStarted = Effect.void) {
      echoes.add(id)
      const isFresh = yield* askOf("start", deadlines.change, id, () => {
        const ran = world.get(id)?.state === "running"
        world.start(id)
        return !ran
      })
      if (isFresh) yield* Effect.andThen(onStarted, Effect.raceFirst(ended(world.get(id)), Effect.sleep(options.lookAfterMs ?? 100)))
      return yield* judged(yield* inspectOf(id), isFresh)
    }),
    kill: (id, signal) => askOf("kill", deadlines.kill, id, () => world.kill(id, signal)),
    disarm: (id) => askOf("update", deadlines.kill, id, () => world.disarm(id)),
    unpause: (id) => askOf("unpause", deadlines.kill, id, () => world.unpause(id)),
    remove: (id) => askOf("remove", deadlines.change, id, () => world.remove(id)),
    hasImage: (imageRef) => ask("has_image", deadlines.inspect, null, () => world.images.get(imageRef)?.onHost === true),
    pull: yield* makePull(world, options.pullStallMs ?? 120_000),
    events: eventsOf(world, known, echoes)
  }
  return options.permission ? withPermission(engine, options.permission) : engine
})

/** Asks before each call that changes something, and waits for no answer once the permission is lost. */
export const withPermission = (engine: ContainerEngine["Service"], { guard, lost }: Permission): ContainerEngine["Service"] => {
  const permitted = <A>(operation: string, call: Effect.Effect<A, EngineError>) =>
    Effect.andThen(guard, Effect.raceFirst(call, Effect.andThen(lost, Effect.fail(notLeader(operation)))))
  return {
    ...engine,
    create: (template) => permitted("create", engine.create(template)),
    start: (id, onStarted) => permitted("start", engine.start(id, onStarted)),
    kill: (id, signal) => permitted("kill", engine.kill(id, signal)),
    disarm: (id) => permitted("update", engine.disarm(id)),
    unpause: (id) => permitted("unpause", engine.unpause(id)),
    remove: (id) => permitted("remove", engine.remove(id))
  }
}

/** What the look after a start says of it. */
const judged = (seen: ContainerDetail | "gone", isFresh: boolean): Effect.Effect<ContainerDetail, EngineError> => {
  const fail = (reason: EngineError["reason"], message: string) => Effect.fail(new EngineError({ operation: "start", reason, message }))
  if (seen === "gone") return fail("NotFound", "the container is gone right after its start")
  return isFresh && seen.startError !== "" ? fail("StartFailed", seen.startError) : Effect.succeed(seen)
}

const eventsOf = (world: EngineWorld, known: KnownContainers, echoes: Set<string>): Stream.Stream<EngineEvent> =>
  world.events.stream({ _tag: "Opened" }, reconnect, () => known.disconnected()).pipe(Stream.filter((event) => {
    if (event._tag === "Opened") {
      known.connected()
      return true
    }
    if (event.action === "destroy") known.gone(event.gameId, event.containerId)
    else if (event.action === "create" || event.action === "start") known.appeared(event.gameId, event.containerId)
    return telling.has(event.action) && !(event.action === "start" && echoes.delete(event.containerId))
  }))

/** Completes when it does not run any more. */
const ended = (container: FakeContainer | undefined): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (container === undefined || !alive(container)) return resume(Effect.void)
    const tell = () => resume(Effect.void)
    container.onEnd.add(tell)
    return Effect.sync(() => container.onEnd.delete(tell))
  })
