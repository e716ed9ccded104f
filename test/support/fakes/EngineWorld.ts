/**
 * The fake engine as tests hold it: they are the people and programs who use it behind the controller's back, and they
 * see every call that reached it.
 */
import { alive, type FakeContainer, type FakeImage, labelNames } from "./container.ts"
import { ContainerHost, type ContainerRequest } from "./ContainerHost.ts"

/** A call that reached the engine, in the order in which they were carried out. */
export interface EngineCall {
  readonly atMs: number
  readonly verb: string
  readonly gameId: string | null
  readonly containerId: string | null
  /** `ok`, or the reason of the failure. */
  readonly result: string
}

export class EngineWorld extends ContainerHost {
  readonly calls: Array<EngineCall> = []
  /** Image references that a registry was asked for, in order. */
  readonly registryCalls: Array<string> = []
  version = "20.10.24"

  image(ref: string, image: Partial<FakeImage> = {}): FakeImage {
    const known: FakeImage = { onHost: true, hostId: `sha256:${ref}`, registryId: `sha256:${ref}`, registry: "there", pullMs: 0, labels: {}, words: [], ...this.images.get(ref), ...image }
    this.images.set(ref, known)
    return known
  }

  /** `docker run -d`: any container, ours or not. */
  run(request: ContainerRequest): FakeContainer {
    const container = this.make(request)
    this.start(container.id)
    return container
  }

  /** A container with the contract's five labels and no more, as people make it by hand. */
  byHand(gameId: string, image: string, more: Partial<ContainerRequest> = {}): ContainerRequest {
    return {
      name: `galaxy-game-${gameId}-manual`,
      image,
      ...more,
      labels: {
        [labelNames.owner]: "rtmanager",
        [labelNames.kind]: "game-engine",
        [labelNames.gameId]: gameId,
        [labelNames.imageRef]: image,
        [labelNames.startedAtMs]: String(this.nowMs),
        ...more.labels
      }
    }
  }

  find(idOrName: string): FakeContainer | undefined {
    return this.get(idOrName) ?? this.containers.find((container) => container.name === idOrName)
  }

  of(gameId: string): ReadonlyArray<FakeContainer> {
    return this.containers.filter((container) => container.labels[labelNames.gameId] === gameId)
  }

  /** The process ends by itself. */
  exit(id: string, code: number, oomKilled = false): void {
    const container = this.find(id)
    if (container) this.endOf(container, container.run, { code, oomKilled })
  }

  /** `docker stop`: the stop signal, and SIGKILL after the grace. */
  stop(id: string, graceMs = 10_000): void {
    const container = this.find(id)
    if (!container || !alive(container)) return
    const { run } = container
    this.kill(container.id, container.stopSignal)
    this.world.after(graceMs, () => {
      if (container.run === run && alive(container)) this.kill(container.id, "SIGKILL")
    })
  }

  /** `docker rm -f`. */
  removeByForce(id: string): void {
    const container = this.find(id)
    if (!container) return
    if (alive(container)) this.end(container, { code: 137, oomKilled: false, finishedAtMs: this.nowMs })
    this.drop(container)
  }

  pause(id: string): void {
    const container = this.find(id)
    if (container?.state === "running") this.become(container, "paused", "pause")
  }

  rename(id: string, name: string): void {
    const container = this.find(id)
    if (!container || this.find(name)) return
    container.name = name
    this.happened("rename", container)
  }

  /** `docker network rm`: what is made by now can never start again. */
  removeNetwork(): void {
    for (const container of this.containers) container.networkGone = true
  }

  /** A removal that broke off in the middle. */
  leaveDead(id: string): void {
    const container = this.find(id)
    if (!container) return
    if (alive(container)) this.end(container, { code: 137, oomKilled: false, finishedAtMs: this.nowMs })
    container.state = "dead"
  }

  /** The engine goes down with its containers: asked to (their ends are known), or killed (they are lost). */
  goDown(how: "asked" | "killed"): void {
    this.answers.down()
    for (const container of this.containers) {
      if (container.state === "removing") container.state = "dead"
      if (!alive(container)) continue
      container.run++
      container.state = "exited"
      container.exit = how === "asked"
        ? { code: 143, oomKilled: false, finishedAtMs: this.nowMs }
        : { code: 0, oomKilled: false, finishedAtMs: null }
    }
  }

  record(verb: string, gameId: string | null, containerId: string | null, result: string): void {
    this.calls.push({ atMs: this.steadyMs, verb, gameId, containerId, result })
  }

  /** Calls that were carried out, by verb. */
  count(verb: string, gameId?: string): number {
    return this.calls.filter((call) => call.verb === verb && (gameId === undefined || call.gameId === gameId)).length
  }
}
