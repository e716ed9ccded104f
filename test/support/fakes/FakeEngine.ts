/** ContainerEngine over an engine in memory. One instance is one controller's client; many may share a world. */
import { Context, Effect, Exit, Layer, Schedule, type Scope, Stream } from "effect"
import { containerName, type GameId, isGameId } from "../../../src/domain/GameId.ts"
import {
  type ContainerDetail, ContainerEngine, type ContainerSummary, type ContainerTemplate, EngineError
} from "../../../src/engine/ContainerEngine.ts"
import { KnownContainers } from "../../../src/engine/KnownContainers.ts"
import { notLeader, type Permission } from "../../../src/engine/Permission.ts"
import { alive, byImageAlone, executionError, type FakeContainer, isLabelled, labelNames, refusal } from "./container.ts"
import { EngineWorld } from "./EngineWorld.ts"
import { makePull } from "./pull.ts"
import { makeSurroundings } from "./Surroundings.ts"

export interface FakeEngineOptions {
  /** Port in a game's endpoint. Default: 8080. */
  readonly enginePort?: number
  /** A pull without progress for so long fails. Default: 2 minutes. */
  readonly pullStallMs?: number
  readonly permission?: Permission
  readonly deadlines?: Partial<typeof defaultDeadlines>
  /** From a start to the look at its program. Default: as the real adapter's. */
  readonly lookAfterMs?: number
}

/** As the real adapter's. */
export const defaultDeadlines = { ping: 3000, list: 10_000, inspect: 5000, kill: 15_000, change: 60_000 }

const reconnect = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")])
const fullId = /^[0-9a-f]{64}$/
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

  /** A call that names no container, or none that is there. */
  const ask = <A>(verb: string, deadlineMs: number, gameId: string | null, body: () => A, mutates = false) =>
    inTime(world, verb, deadlineMs, world.answers.reach<A, EngineError>(
      () => recorded(world, verb, gameId, null, body), () => away(verb), mutates))
  /** A call on one container, which may be stuck. */
  const askOf = <A>(verb: string, deadlineMs: number, id: string, body: () => A, mutates = true) => {
    const gone = () => refusal(verb, "NotFound", `No such container: ${id}`, 404)
    const done = () => recorded(world, verb, world.get(id)?.labels[labelNames.gameId] ?? null, id, body)
    return inTime(world, verb, deadlineMs, Effect.flatMap(
      world.answers.reach<FakeContainer | undefined, EngineError>(() => world.get(id), () => away(verb), mutates),
      (container) => container === undefined ? world.answers.reach<A, EngineError>(done, gone, mutates) : container.answers.reach<A, EngineError>(done, gone, mutates)
    ), world.get(id))
  }
  const change = <A>(verb: string, deadlineMs: number, id: string, body: () => A) =>
    fullId.test(id)
      ? askOf(verb, deadlineMs, id, body)
      : Effect.fail(refusal(verb, "Invalid", `${JSON.stringify(id)} is not a full container id`, 400))

  const create = (template: ContainerTemplate) =>
    ask("create", deadlines.change, template.gameId, () => world.make(requestOf(template)).id, true).pipe(
      Effect.tap((id) => Effect.sync(() => known.made(template.gameId, id))),
      Effect.tapError(() => Effect.sync(() => known.doubt(template.gameId)))
    )

  const inspectOf = (id: string) =>
    fullId.test(id)
      ? askOf("inspect", deadlines.inspect, id, () => inspect(world, id, options.enginePort ?? 8080), false)
      : Effect.fail(refusal("inspect", "Invalid", `${JSON.stringify(id)} is not a full container id`, 400))

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
    start: Effect.fnUntraced(function*(id) {
      echoes.add(id)
      const isFresh = yield* change("start", deadlines.change, id, () => {
        const ran = world.get(id)?.state === "running"
        world.start(id)
        return !ran
      })
      if (isFresh) yield* Effect.raceFirst(ended(world.get(id)), Effect.sleep(options.lookAfterMs ?? 100))
      const seen = yield* inspectOf(id)
      if (seen === "gone") return yield* refusal("start", "NotFound", `container ${id} is gone right after its start`, 404)
      return isFresh && seen.startError !== "" ? yield* refusal("start", "StartFailed", seen.startError, 500) : seen
    }),
    kill: (id, signal) => change("kill", deadlines.kill, id, () => world.kill(id, signal)),
    disarm: (id) => change("update", deadlines.kill, id, () => world.disarm(id)),
    unpause: (id) => change("unpause", deadlines.kill, id, () => world.unpause(id)),
    remove: (id) => change("remove", deadlines.change, id, () => world.remove(id)),
    hasImage: (imageRef) => ask("has_image", deadlines.inspect, null, () => world.images.get(imageRef)?.onHost === true),
    pull: yield* makePull(world, options.pullStallMs ?? 120_000),
    events: world.events.stream({ _tag: "Opened" }, reconnect, () => known.disconnected()).pipe(Stream.filter((event) => {
      if (event._tag === "Opened") {
        known.connected()
        return true
      }
      if (event.action === "destroy") known.gone(event.gameId, event.containerId)
      else if (event.action === "create" || event.action === "start") known.seen(event.gameId, event.containerId)
      return telling.has(event.action) && !(event.action === "start" && echoes.delete(event.containerId))
    }))
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
    start: (id) => permitted("start", engine.start(id)),
    kill: (id, signal) => permitted("kill", engine.kill(id, signal)),
    disarm: (id) => permitted("update", engine.disarm(id)),
    unpause: (id) => permitted("unpause", engine.unpause(id)),
    remove: (id) => permitted("remove", engine.remove(id))
  }
}

/** Completes when it does not run any more. */
const ended = (container: FakeContainer | undefined): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (container === undefined || !alive(container)) return resume(Effect.void)
    const tell = () => resume(Effect.void)
    container.onEnd.add(tell)
    return Effect.sync(() => container.onEnd.delete(tell))
  })

const away = (operation: string): EngineError =>
  new EngineError({ operation, reason: "Unavailable", message: "connect ECONNREFUSED /var/run/docker.sock" })

/** No deadline where the answer comes at once: most calls need no timer. */
const inTime = <A>(
  world: EngineWorld,
  operation: string,
  deadlineMs: number,
  call: Effect.Effect<A, EngineError>,
  container?: FakeContainer
): Effect.Effect<A, EngineError> =>
  Effect.suspend(() =>
    world.answers.state !== "silent" && (container?.answers.state ?? "up") !== "silent"
      ? call
      : Effect.timeoutOrElse(call, {
        duration: deadlineMs,
        orElse: () => Effect.fail(new EngineError({
          operation, reason: "Timeout", message: `the engine did not answer ${operation} within ${deadlineMs} ms`
        }))
      })
  )

const recorded = <A>(world: EngineWorld, verb: string, gameId: string | null, id: string | null, body: () => A): A => {
  try {
    const answer = body()
    world.record(verb, gameId, id ?? (verb === "create" ? String(answer) : null), "ok")
    return answer
  } catch (thrown) {
    world.record(verb, gameId, id, thrown instanceof EngineError ? thrown.reason : "defect")
    throw thrown
  }
}

const list = (world: EngineWorld, gameId: GameId | undefined): ReadonlyArray<ContainerSummary> =>
  world.quirks.emptyList ? [] : world.containers
    .filter((container) => isLabelled(container.labels) && !byImageAlone(container, world.images.get(container.image)))
    .filter(({ labels }) => gameId === undefined || labels[labelNames.gameId] === gameId)
    .map((container) => ({ ...summary(container), state: world.listedState(container) }))

const summary = (container: FakeContainer): ContainerSummary => {
  const { createdAtMs, id, image, labels, name, state } = container
  const generation = labels[labelNames.generation]
  return {
    id,
    gameId: labels[labelNames.gameId] as GameId,
    name: state === "dead" ? "" : name,
    state,
    createdAtMs,
    imageRef: labels[labelNames.imageRef] ?? image,
    specHash: labels[labelNames.specHash] ?? null,
    generation: generation === undefined ? null : Number(generation)
  }
}

const inspect = (world: EngineWorld, id: string, port: number): ContainerDetail | "gone" => {
  const container = world.get(id)
  if (container === undefined || !isGameId(container.labels[labelNames.gameId])) return "gone"
  const ended = container.state === "exited" || container.state === "dead" || container.state === "removing"
  return {
    ...summary(container),
    name: container.name,
    startedAtMs: container.startedAtMs,
    exit: ended ? container.exit : null,
    startError: container.startError || (ended ? executionError(container) : ""),
    stopSignal: container.stopSignal,
    restartsByItself: container.restartsByItself,
    endpoint: `http://${container.hostname}:${port}`
  }
}

const requestOf = ({ spec, ...template }: ContainerTemplate) => ({
  name: containerName(template.gameId),
  image: template.imageRef,
  command: [...spec.command ?? [], ...spec.args ?? []],
  init: true,
  ...(spec.stop_signal === undefined ? {} : { stopSignal: spec.stop_signal }),
  labels: {
    ...spec.labels,
    [labelNames.owner]: "rtmanager",
    [labelNames.kind]: "game-engine",
    [labelNames.gameId]: template.gameId,
    [labelNames.imageRef]: template.imageRef,
    [labelNames.startedAtMs]: String(template.createdAtMs),
    [labelNames.specHash]: template.specHash,
    [labelNames.generation]: String(template.generation)
  }
})
