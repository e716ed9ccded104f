/** The body that makes a game's container: name, labels, state, network and hardening of the contract. Pure. */
import type Docker from "dockerode"
import { containerName, type GameId } from "../../domain/GameId.ts"
import { defaultPids, type GameSpec } from "../../domain/GameSpec.ts"
import { steers } from "../../domain/labels.ts"
import { parseMemoryBytes } from "../../domain/Quantity.ts"
import type { ContainerTemplate } from "../ContainerEngine.ts"

export const statePath = "/var/lib/galaxy-game"

export const labels = {
  owner: "com.galaxy.owner",
  kind: "com.galaxy.kind",
  gameId: "com.galaxy.game_id",
  imageRef: "com.galaxy.engine_image_ref",
  startedAtMs: "com.galaxy.started_at_ms",
  specHash: "com.galaxy.spec_hash",
  generation: "com.galaxy.generation",
  instance: "com.galaxy.instance",
  epoch: "com.galaxy.epoch",
  stopGraceMs: "com.galaxy.stop_grace_ms"
} as const
export const ownerValue = "rtmanager"
export const kindValue = "game-engine"

export interface BodySettings {
  /** This installation: a label of what it makes. */
  readonly instance?: string
  /** Of the lease under which it makes it. */
  readonly epoch?: number
  /** A bind mount under this folder of the host instead of a named volume. */
  readonly stateRoot: string | undefined
  /** Limits of a container whose spec names none; part of no hash. Default: 512 pids, no others. */
  readonly defaults?: Limits
  /** Prefixes of steering labels that a container may have. Default: none. */
  readonly labelsAllowed?: ReadonlyArray<string>
}

type Limits = NonNullable<GameSpec["resources"]>

export const createBody = (
  template: ContainerTemplate,
  settings: BodySettings,
  networkId: string,
  /** Names of the labels that the image brings along. */
  imageLabels: ReadonlyArray<string> = []
): Docker.ContainerCreateOptions => {
  const { spec } = template
  const name = containerName(template.gameId)
  const env = { GAME_STATE_PATH: statePath, STORAGE_PATH: statePath, ...spec.env }
  return {
    Image: template.imageRef,
    Hostname: name,
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    ...(spec.command === undefined ? {} : { Entrypoint: [...spec.command] }),
    ...(spec.args === undefined ? {} : { Cmd: [...spec.args] }),
    ...(spec.stop_signal === undefined ? {} : { StopSignal: spec.stop_signal }),
    // An image's own health check costs three engine events a probe and may ask for one each millisecond.
    Healthcheck: { Test: ["NONE"] },
    Labels: {
      // The engine copies an image's labels: one cannot be left out, but what has no value says nothing.
      ...Object.fromEntries(imageLabels.filter((name) => steers(name, settings.labelsAllowed ?? [])).map((name) => [name, ""])),
      ...spec.labels,
      // Last, and all of them: neither a spec nor an image may supply one.
      [labels.owner]: ownerValue,
      [labels.kind]: kindValue,
      [labels.gameId]: template.gameId,
      [labels.imageRef]: template.imageRef,
      [labels.startedAtMs]: String(template.createdAtMs),
      [labels.specHash]: template.specHash,
      [labels.generation]: String(template.generation),
      [labels.instance]: settings.instance ?? "",
      [labels.epoch]: String(settings.epoch ?? ""),
      [labels.stopGraceMs]: String(template.stopGraceMs)
    },
    HostConfig: {
      NetworkMode: networkId,
      ...stateMount(template.gameId, name, settings),
      RestartPolicy: { Name: "no" },
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ...limits({ pids: defaultPids, ...settings.defaults, ...spec.resources }),
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      Init: true
    },
    NetworkingConfig: { EndpointsConfig: { [networkId]: { Aliases: [name] } } }
  } as unknown as Docker.ContainerCreateOptions
}

const limits = ({ cpus, memory, pids = defaultPids }: Limits) => {
  const bytes = memory === undefined ? undefined : parseMemoryBytes(memory)
  return {
    PidsLimit: pids,
    // The same for both: no swap beside it.
    ...(bytes === undefined ? {} : { Memory: bytes, MemorySwap: bytes }),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) })
  }
}

const stateMount = (gameId: GameId, name: string, { stateRoot }: BodySettings) =>
  stateRoot === undefined
    ? {
      Mounts: [{
        Type: "volume",
        Source: name,
        Target: statePath,
        VolumeOptions: { Labels: { [labels.owner]: ownerValue, [labels.gameId]: gameId } }
      }]
    }
    // Not as a mount: engines before API 1.42 make the folder of a bind only.
    : { Binds: [`${stateRoot}/${name}:${statePath}`] }
