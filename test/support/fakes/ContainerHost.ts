/**
 * A container engine's host in memory, with Docker's states, names, errors and events (20.10's, where versions differ).
 * Time is the Clock's: processes end and removals finish when it moves. What it refuses, it throws.
 */
import { monotonicMsOf } from "../../../src/clock/monotonic.ts"
import { isGameId } from "../../../src/domain/GameId.ts"
import type { HostPort, PublishedPort } from "../../../src/domain/ports.ts"
import type { ContainerExit, ContainerState, EngineEvent } from "../../../src/engine/ContainerEngine.ts"
import { Availability } from "./Availability.ts"
import { Broadcast } from "./Broadcast.ts"
import { alive, type FakeContainer, type FakeImage, isLabelled, type Labels, labelNames, nameTaken, portTaken, refusal } from "./container.ts"
import { behaviourOf } from "./process.ts"
import { hex, type Surroundings } from "./Surroundings.ts"

/** Something that happened to a container, whether anybody was told or not. */
export interface Happened {
  readonly atMs: number
  readonly action: string
  readonly containerId: string
  readonly name: string
  readonly gameId: string | null
}

export interface ContainerRequest {
  readonly name: string
  readonly image: string
  readonly labels?: Labels
  readonly command?: ReadonlyArray<string>
  readonly stopSignal?: string
  readonly restartsByItself?: boolean
  readonly init?: boolean
  readonly ports?: ReadonlyArray<PublishedPort>
}

/** As far as the tests use them. */
const isSignal = (name: string): boolean => /^(?:SIG)?(?:TERM|INT|KILL|USR1|HUP|QUIT)$/.test(name)

export class ContainerHost {
  readonly answers = new Availability()
  readonly events: Broadcast<EngineEvent>
  readonly images = new Map<string, FakeImage>()
  /** Beside the games' own. */
  readonly networks = new Set<string>()
  /** Files that `env` may come from, and registry logins, by their names. */
  readonly files = new Map<string, string>()
  readonly logins = new Set<string>()
  readonly size = { cpus: 8, memoryBytes: 16 * 2 ** 30 }
  readonly history: Array<Happened> = []
  /** Ports that processes of the host listen on. */
  readonly processes: Array<HostPort> = []
  /** Told of everything at once, whatever the events' line carries. */
  onHappened: (happened: Happened) => void = () => {}
  readonly quirks = {
    /** A list wrongly answers with nothing. */
    emptyList: false,
    /** A list says for so long after a change what was so before it. */
    listLagMs: 0,
    /** So many containers more are made for a network that is remembered and gone. */
    deadNetworks: 0,
    /** What it warns of when it makes a container. */
    warnings: [] as ReadonlyArray<string>,
    /** A removal takes so long; the name stays taken. */
    removalMs: 0,
    /** Every change is answered with a refusal, as by a proxy that lets nothing but reads through. */
    refusesChanges: false
  }
  protected readonly world: Surroundings
  readonly #engines = new Map<string, Map<string, FakeContainer>>()
  readonly #bornMs: number
  #engineId: string

  constructor(world: Surroundings) {
    this.world = world
    this.events = new Broadcast(this.answers, world)
    this.#bornMs = monotonicMsOf(world.clock)
    this.#engineId = hex(world.random, 16)
    this.#engines.set(this.#engineId, new Map())
  }

  /** The engine's own clock, which somebody may set. */
  get nowMs(): number {
    return this.world.clock.currentTimeMillisUnsafe()
  }

  /** Time as it goes, since this host was made. */
  get steadyMs(): number {
    return monotonicMsOf(this.world.clock) - this.#bornMs
  }

  get engineId(): string {
    return this.#engineId
  }

  get containers(): ReadonlyArray<FakeContainer> {
    return [...this.#containers.values()]
  }

  get #containers(): Map<string, FakeContainer> {
    return this.#engines.get(this.#engineId)!
  }

  get(id: string): FakeContainer | undefined {
    return this.#containers.get(id)
  }

  /** Whether it is on an engine that does not answer now. */
  isElsewhere(id: string): boolean {
    return [...this.#engines].some(([engineId, containers]) => engineId !== this.#engineId && containers.has(id))
  }

  /** Another engine answers now, or did. */
  get wasExchanged(): boolean {
    return this.#engines.size > 1
  }

  /** Another engine answers under this address, with its own containers. */
  switchTo(engineId: string): void {
    this.answers.down()
    this.#engineId = engineId
    if (!this.#engines.has(engineId)) this.#engines.set(engineId, new Map())
    this.answers.up()
  }

  make(request: ContainerRequest): FakeContainer {
    const image = this.images.get(request.image)
    if (!image?.onHost) throw refusal("create", "ImageMissing", `No such image: ${request.image}`, 404)
    const holder = this.containers.find((container) => container.name === request.name)
    if (holder) throw nameTaken(request.name, holder, request.labels?.[labelNames.instance])
    const container: FakeContainer = {
      id: hex(this.world.random, 64),
      name: request.name,
      state: "created",
      hostname: request.name.replace(/-manual$/, ""),
      image: request.image,
      imageId: image.hostId,
      warnings: this.quirks.warnings,
      labels: { ...image.labels, ...request.labels },
      createdAtMs: this.nowMs,
      startedAtMs: null,
      exit: null,
      startError: "",
      stopSignal: request.stopSignal ?? "SIGTERM",
      init: request.init ?? false,
      onEnd: new Set(),
      restartsByItself: request.restartsByItself ?? false,
      behaviour: behaviourOf([...image.words, ...request.command ?? []]),
      runs: 0,
      run: 0,
      held: [],
      ports: request.ports ?? [],
      networkGone: this.quirks.deadNetworks-- > 0,
      answers: new Availability(),
      stale: null
    }
    this.#containers.set(container.id, container)
    this.happened("create", container)
    return container
  }

  start(id: string): void {
    const container = this.#existing("start", id)
    if (container.state === "running") return
    if (container.state !== "created" && container.state !== "exited") {
      throw refusal("start", "Conflict", `cannot start a container that is ${container.state}`, 409)
    }
    if (container.networkGone) {
      container.startError = "network of this container not found"
      throw refusal("start", "NetworkMissing", container.startError, 404)
    }
    const taken = portTaken(container, this.containers, this.processes)
    if (taken) {
      container.startError = taken.message
      throw taken
    }
    if (!container.behaviour.startable) {
      container.startError = "OCI runtime create failed: exec: no such file or directory: unknown"
      throw refusal("start", "StartFailed", container.startError, 400)
    }
    container.runs++
    container.run++
    container.startedAtMs = this.nowMs
    container.exit = null
    container.startError = ""
    container.held.length = 0
    this.become(container, "running", "start")
    this.#schedule(container)
  }

  kill(id: string, signal: string): void {
    const container = this.#containers.get(id)
    if (!isSignal(signal)) throw refusal("kill", "Invalid", `Invalid signal: ${signal}`, 400)
    if (!container || !alive(container)) return
    // The engine thaws a container that it asks to end.
    const asksToEnd = signal === "SIGKILL" || signal === container.stopSignal
    if (container.state === "paused" && asksToEnd) this.become(container, "running", "unpause")
    if (container.state === "paused") container.held.push(signal)
    else this.#signal(container, signal)
  }

  disarm(id: string): void {
    const container = this.#containers.get(id)
    if (container) container.restartsByItself = false
  }

  unpause(id: string): void {
    const container = this.#containers.get(id)
    if (container?.state !== "paused") return
    this.become(container, "running", "unpause")
    for (const signal of container.held.splice(0)) this.#signal(container, signal)
  }

  remove(id: string): void {
    const container = this.#containers.get(id)
    if (!container) return
    if (alive(container)) throw refusal("remove", "Conflict", "You cannot remove a running container", 409)
    if (container.state === "removing") throw refusal("remove", "Conflict", `removal of container ${id} is already in progress`, 409)
    this.drop(container)
  }

  /** A list's state of a container, which may be yesterday's. */
  listedState(container: FakeContainer): ContainerState {
    return container.stale && container.stale.untilMs > this.steadyMs ? container.stale.state : container.state
  }

  #existing(operation: string, id: string): FakeContainer {
    const container = this.#containers.get(id)
    if (!container) throw refusal(operation, "NotFound", `No such container: ${id}`, 404)
    return container
  }

  #signal(container: FakeContainer, signal: string): void {
    if (signal === "SIGKILL") return this.end(container, { code: 137, oomKilled: false, finishedAtMs: this.nowMs })
    const { run } = container
    const { stopMs } = container.behaviour
    if (stopMs === null || signal !== container.stopSignal) return
    this.world.after(stopMs, () => this.endOf(container, run, { code: 0, oomKilled: false }))
  }

  /** What the process does by itself. */
  #schedule(container: FakeContainer): void {
    const { behaviour, run } = container
    const { end } = behaviour
    if (end === null || container.runs > behaviour.times) return
    this.world.after(end.afterMs, () => this.endOf(container, run, end))
  }

  /** The process of that run ends by itself, unless it ended before. */
  protected endOf(container: FakeContainer, run: number, how: { readonly code: number; readonly oomKilled: boolean }): void {
    if (container.run !== run || !alive(container)) return
    this.end(container, { code: how.code, oomKilled: how.oomKilled, finishedAtMs: this.nowMs })
  }

  protected end(container: FakeContainer, exit: ContainerExit): void {
    container.run++
    container.exit = exit
    if (exit.oomKilled) this.happened("oom", container)
    this.become(container, "exited", "die")
    for (const ended of Array.from(container.onEnd)) ended()
  }

  protected drop(container: FakeContainer): void {
    container.state = "removing"
    const host = this.#containers
    const gone = () => {
      if (container.state !== "removing") return
      host.delete(container.id)
      container.answers.up()
      this.happened("destroy", container)
    }
    if (this.quirks.removalMs === 0) gone()
    else this.world.after(this.quirks.removalMs, gone)
  }

  protected become(container: FakeContainer, state: ContainerState, action: string): void {
    const { listLagMs } = this.quirks
    container.stale = listLagMs === 0 ? null : { state: container.state, untilMs: this.steadyMs + listLagMs }
    container.state = state
    this.happened(action, container)
  }

  protected happened(action: string, container: FakeContainer): void {
    const { id, labels, name } = container
    const gameId = labels[labelNames.gameId]
    const happened = { atMs: this.steadyMs, action, containerId: id, name, gameId: gameId ?? null }
    this.history.push(happened)
    this.onHappened(happened)
    const here = this.#containers.get(id) === container || action === "destroy"
    if (here && isLabelled(labels) && isGameId(gameId)) this.events.tell({ _tag: "Changed", gameId, containerId: id, action })
  }
}
