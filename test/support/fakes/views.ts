/** The fake engine's containers in the service's words, and a template in the fake engine's. */
import { containerName, type GameId, isGameId } from "../../../src/domain/GameId.ts"
import type { ContainerDetail, ContainerSummary, ContainerTemplate } from "../../../src/engine/ContainerEngine.ts"
import { byImageAlone, executionError, type FakeContainer, isLabelled, labelNames } from "./container.ts"
import { fileOf } from "../../../src/domain/spec/env.ts"
import { hostProblem } from "../../../src/domain/spec/host.ts"
import type { ContainerRequest } from "./ContainerHost.ts"
import type { EngineWorld } from "./EngineWorld.ts"

export const list = (world: EngineWorld, gameId: GameId | undefined): ReadonlyArray<ContainerSummary> =>
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
    generation: generation === undefined ? null : Number(generation),
    ...(labels[labelNames.instance] ? { instance: labels[labelNames.instance] } : {})
  }
}

export const inspect = (world: EngineWorld, id: string, port: number): ContainerDetail | "gone" => {
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
    imageId: container.imageId,
    warnings: container.warnings,
    stopGraceMs: container.labels[labelNames.stopGraceMs] === undefined ? null : Number(container.labels[labelNames.stopGraceMs]),
    restartsByItself: container.restartsByItself,
    endpoint: `http://${container.hostname}:${port}`,
    ports: container.ports
  }
}

/** What the spec asks for and is not to be had here; undefined: nothing. */
export const unmet = (world: EngineWorld, { spec }: ContainerTemplate): string | undefined => {
  const large = hostProblem(spec, world.size)
  if (large !== undefined) return `${large.path}: ${large.message}`
  const network = spec.networks?.findIndex(({ name }) => !world.networks.has(name)) ?? -1
  if (network !== -1) return `spec.networks.${network}.name: there is no network ${spec.networks![network]!.name}`
  const missing = Object.entries(spec.env ?? {}).find(([, value]) => fileOf(value) !== undefined && !world.files.has(fileOf(value)!))
  return missing && `spec.env.${missing[0]}.from_file: the file ${fileOf(missing[1])} in RTM_SECRETS_ROOT is not there`
}

export const requestOf = ({ spec, ...template }: ContainerTemplate, instance: string | undefined): ContainerRequest => ({
  name: containerName(template.gameId),
  image: template.imageRef,
  command: [...spec.command ?? [], ...spec.args ?? []],
  init: spec.init ?? true,
  ports: template.ports ?? [],
  ...(spec.stop_signal === undefined ? {} : { stopSignal: spec.stop_signal }),
  labels: {
    ...spec.labels,
    [labelNames.owner]: "rtmanager",
    [labelNames.kind]: "game-engine",
    [labelNames.gameId]: template.gameId,
    [labelNames.imageRef]: template.imageRef,
    [labelNames.startedAtMs]: String(template.createdAtMs),
    [labelNames.specHash]: template.specHash,
    [labelNames.generation]: String(template.generation),
    [labelNames.instance]: instance ?? "",
    [labelNames.stopGraceMs]: String(template.stopGraceMs)
  }
})
