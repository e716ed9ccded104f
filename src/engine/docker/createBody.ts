/** The body that makes a game's container: name, labels, state, network and hardening of the contract, and what its spec says. Pure. */
import type Docker from "dockerode"
import { containerName } from "../../domain/GameId.ts"
import { defaultPids, type GameSpec } from "../../domain/GameSpec.ts"
import { steers } from "../../domain/labels.ts"
import { parseMemoryBytes } from "../../domain/Quantity.ts"
import { statePath } from "../../domain/spec/mounts.ts"
import type { Resources } from "../../domain/spec/resources.ts"
import { defaultLogging } from "../../domain/spec/surroundings.ts"
import type { ContainerTemplate } from "../ContainerEngine.ts"
import { kindValue, labels, ownerValue } from "./labels.ts"
import { mountsOf } from "./mounts.ts"
import { publishing } from "./portBindings.ts"
import type { Contents } from "./specFiles.ts"

export interface BodySettings {
  /** This installation: a label of what it makes. */
  readonly instance?: string
  /** Of the lease under which it makes it. */
  readonly epoch?: number
  /** A bind mount under this folder of the host instead of a named volume. */
  readonly stateRoot: string | undefined
  /** Limits of a container whose spec names none; part of no hash. Default: 512 pids, no others. */
  readonly defaults?: Resources
  /** Prefixes of steering labels that a container may have. Default: none. */
  readonly labelsAllowed?: ReadonlyArray<string>
}

/** What is found out for a container before it is made. */
export interface Found {
  readonly networkId: string
  /** Names of the labels that the image brings along. */
  readonly imageLabels: ReadonlyArray<string>
  readonly contents: Contents
}

export const createBody = (template: ContainerTemplate, settings: BodySettings, { contents, imageLabels, networkId }: Found): Docker.ContainerCreateOptions => {
  const { gameId, imageRef, spec } = template
  const name = containerName(gameId)
  const { ExposedPorts, PortBindings } = publishing(template.ports)
  return {
    Image: imageRef,
    Hostname: name,
    Env: Object.entries({ GAME_STATE_PATH: statePath, STORAGE_PATH: statePath, ...contents.env }).map(([key, value]) => `${key}=${value}`),
    ...program(spec),
    ExposedPorts,
    // An image's own health check costs three engine events a probe and may ask for one each millisecond.
    Healthcheck: { Test: ["NONE"] },
    Labels: labelsOf(template, imageLabels, settings),
    HostConfig: {
      NetworkMode: networkId,
      ...mountsOf(gameId, spec, settings.stateRoot),
      PortBindings,
      RestartPolicy: { Name: "no" },
      ...hardening(spec, contents),
      ...limits({ pids: defaultPids, ...settings.defaults, ...spec.resources }),
      LogConfig: logging(spec),
      Init: spec.init ?? true
    },
    NetworkingConfig: { EndpointsConfig: { [networkId]: { Aliases: [name] } } }
  } as unknown as Docker.ContainerCreateOptions
}

/** What runs, as whom and where; the image says what the spec does not. */
const program = ({ args, command, stdin, stop_signal, tty, user, working_dir }: GameSpec) => ({
  ...(command === undefined ? {} : { Entrypoint: [...command] }),
  ...(args === undefined ? {} : { Cmd: [...args] }),
  ...(working_dir === undefined ? {} : { WorkingDir: working_dir }),
  ...(user === undefined ? {} : { User: user }),
  ...(stop_signal === undefined ? {} : { StopSignal: stop_signal }),
  ...(tty ? { Tty: true } : {}),
  ...(stdin ? { OpenStdin: true } : {})
})

const labelsOf = ({ spec, ...template }: ContainerTemplate, ofImage: ReadonlyArray<string>, { epoch, instance = "", labelsAllowed = [] }: BodySettings) => ({
  // The engine copies an image's labels: one cannot be left out, but what has no value says nothing.
  ...Object.fromEntries(ofImage.filter((name) => steers(name, labelsAllowed) || name === labels.networks).map((name) => [name, ""])),
  ...spec.labels,
  // Last, and all of them: neither a spec nor an image may supply one.
  [labels.owner]: ownerValue,
  [labels.kind]: kindValue,
  [labels.gameId]: template.gameId,
  [labels.imageRef]: template.imageRef,
  [labels.startedAtMs]: String(template.createdAtMs),
  [labels.specHash]: template.specHash,
  [labels.generation]: String(template.generation),
  [labels.instance]: instance,
  [labels.epoch]: String(epoch ?? ""),
  [labels.stopGraceMs]: String(template.stopGraceMs),
  ...(spec.networks === undefined || spec.networks.length === 0 ? {} : { [labels.networks]: spec.networks.map(({ name }) => name).join(",") })
})

const hardening = ({ security = {} }: GameSpec, { seccomp }: Contents) => ({
  CapDrop: ["ALL"],
  ...(security.cap_add === undefined ? {} : { CapAdd: [...security.cap_add] }),
  SecurityOpt: [
    "no-new-privileges",
    ...(seccomp === undefined ? [] : [`seccomp=${seccomp}`]),
    ...(security.apparmor === undefined ? [] : [`apparmor=${security.apparmor}`])
  ],
  ...(security.read_only_root ? { ReadonlyRootfs: true } : {})
})

const limits = ({ cpus, memory, pids = defaultPids, shm_size, ulimits }: Resources) => {
  const bytes = memory === undefined ? undefined : parseMemoryBytes(memory)
  return {
    PidsLimit: pids,
    // The same for both: no swap beside it.
    ...(bytes === undefined ? {} : { Memory: bytes, MemorySwap: bytes }),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
    ...(shm_size === undefined ? {} : { ShmSize: parseMemoryBytes(shm_size) }),
    ...(ulimits === undefined ? {} : { Ulimits: Object.entries(ulimits).map(([Name, { hard, soft }]) => ({ Name, Soft: soft, Hard: hard })) })
  }
}

/** Every log has an end: files are put aside and dropped, whatever the engine's own default is. */
const logging = ({ logging: { driver = defaultLogging.driver, max_files = defaultLogging.max_files, max_size = defaultLogging.max_size } = {} }: GameSpec) => ({
  Type: driver,
  Config: driver === "json-file" || driver === "local"
    ? {
      "max-size": String(parseMemoryBytes(max_size)),
      "max-file": String(max_files),
      // What is put aside is compressed by `local`, which refuses to where nothing is.
      ...(driver === "local" && max_files === 1 ? { compress: "false" } : {})
    }
    : {}
})
