/** A container and an image of the fake engine, and how the engine refuses. */
import { containerName, type GameId, isGameId } from "../../../src/domain/GameId.ts"
import { addressesOverlap, type HostPort, type PublishedPort } from "../../../src/domain/ports.ts"
import { type ContainerExit, type ContainerState, EngineError } from "../../../src/engine/ContainerEngine.ts"
import { labels as labelNames } from "../../../src/engine/docker/labels.ts"
import type { Availability } from "./Availability.ts"
import type { Behaviour } from "./process.ts"

export { labelNames }

export type Labels = Readonly<Record<string, string>>

export interface FakeContainer {
  readonly id: string
  name: string
  state: ContainerState
  readonly hostname: string
  readonly image: string
  /** What the image's name meant when it was made. */
  readonly imageId: string
  readonly warnings: ReadonlyArray<string>
  readonly labels: Labels
  readonly createdAtMs: number
  startedAtMs: number | null
  exit: ContainerExit | null
  startError: string
  readonly stopSignal: string
  /** Its program is run by the engine's init process, as with all that a controller makes. */
  readonly init: boolean
  /** Run when it ends. */
  readonly onEnd: Set<() => void>
  /** `--restart always`, as far as it matters here: it is known. */
  restartsByItself: boolean
  readonly behaviour: Behaviour
  /** How often it was started. */
  runs: number
  /** The run that timers belong to; a timer of an earlier run does nothing. */
  run: number
  /** Signals that reach it when it is thawed. */
  readonly held: Array<string>
  /** Its network was removed after it was made. */
  networkGone: boolean
  /** Published on the host while it runs. */
  readonly ports: ReadonlyArray<PublishedPort>
  /** `silent`: every call that names it hangs, as with a stuck shim. */
  readonly answers: Availability
  /** What a list said before its last change, and until when it goes on saying so. */
  stale: { readonly state: ContainerState; readonly untilMs: number } | null
}

export interface FakeImage {
  onHost: boolean
  /** What its name means on the host, and in the registry. */
  hostId: string
  registryId: string
  /** `missing`: the registry knows no such image; `hung`: its answer never ends. */
  registry: "there" | "missing" | "hung"
  pullMs: number
  readonly labels: Labels
  readonly words: ReadonlyArray<string>
}

export const alive = ({ state }: FakeContainer): boolean => state === "running" || state === "paused"

/** A program that ran longer was executed, whatever its exit code. */
const shortestRunMs = 1500

/** Why the program of its last run was not executed; empty: it was, or nobody can tell. */
export const executionError = ({ exit, init, startedAtMs }: FakeContainer): string =>
  init && exit !== null && exit.finishedAtMs !== null && startedAtMs !== null && (exit.code === 126 || exit.code === 127) &&
    exit.finishedAtMs - startedAtMs <= shortestRunMs
    ? `the program could not be executed (exit code ${exit.code})`
    : ""

export const isLabelled = (labels: Labels): boolean =>
  labels[labelNames.owner] === "rtmanager" && labels[labelNames.kind] === "game-engine" && isGameId(labels[labelNames.gameId])

/** Made by a controller, not by hand. */
export const isOurs = ({ labels }: FakeContainer): boolean =>
  isLabelled(labels) && labels[labelNames.specHash] !== undefined && labels[labelNames.generation] !== undefined

/** A label that came with the image makes nobody's container ours; the game's own name is given on purpose. */
export const byImageAlone = (container: FakeContainer, image: FakeImage | undefined): boolean => {
  const gameId = container.labels[labelNames.gameId]
  return image?.labels[labelNames.gameId] === gameId && container.name !== containerName(gameId as GameId)
}

export const refusal = (operation: string, reason: EngineError["reason"], message: string, status: number): EngineError =>
  new EngineError({ operation, reason, message, status })

/** Two that cannot be had at once. */
const collide = (a: HostPort, b: HostPort): boolean => a.host === b.host && a.protocol === b.protocol && addressesOverlap(a.address, b.address)

/** Why `container` cannot have its ports beside the others that run, and beside the processes of the host. */
export const portTaken = (container: FakeContainer, others: ReadonlyArray<FakeContainer>, processes: ReadonlyArray<HostPort>): EngineError | undefined => {
  for (const port of container.ports) {
    const other = others.find((one) => one !== container && alive(one) && one.ports.some((its) => collide(its, port)))
    if (other === undefined && !processes.some((its) => collide(its, port))) continue
    const { address, host, protocol } = port
    return new EngineError({
      operation: "start", reason: "PortTaken", status: 500, taken: { host, protocol: other ? null : protocol },
      message: other ? `Bind for ${address}:${host} failed: port is already allocated` : `listen ${protocol}4 ${address}:${host}: bind: address already in use`,
      holder: other
        ? { id: other.id, description: `container ${other.name} (${other.id.slice(0, 12)})`, gameId: isLabelled(other.labels) ? other.labels[labelNames.gameId]! : null }
        : { id: "", description: "a process of the host", gameId: null }
    })
  }
  return undefined
}

export const nameTaken = (name: string, holder: FakeContainer, instance: string | undefined): EngineError => {
  const by = holder.labels[labelNames.instance]
  const isAnothers = by !== undefined && by !== "" && by !== instance
  const ours = isLabelled(holder.labels) && !isAnothers
  const whose = isAnothers ? `of another installation, ${by}` : ours ? "of this controller" : "not of this controller"
  const description = `container ${holder.id.slice(0, 12)} (${holder.state}, ${whose})`
  return new EngineError({
    operation: "create",
    reason: "NameTaken",
    message: `the name ${name} is held by ${description}`,
    status: 409,
    holder: { id: holder.id, description, gameId: ours ? holder.labels[labelNames.gameId]! : null }
  })
}
