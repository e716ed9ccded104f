/** What the engine answers, as far as it is used, and its translation into the domain's words. */
import { Result, Schema } from "effect"
import { isGameId } from "../../domain/GameId.ts"
import { ContainerState, type ContainerDetail, type ContainerExit, type ContainerSummary } from "../ContainerEngine.ts"
import { kindValue, labels, ownerValue } from "./labels.ts"
import { PortBindings, publishedPorts } from "./portBindings.ts"

const Labels = Schema.NullOr(Schema.Record(Schema.String, Schema.String))

export const Version = Schema.Struct({
  ApiVersion: Schema.String.check(Schema.isPattern(/^\d+\.\d+$/)),
  Components: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({ Name: Schema.String }))))
})

/** The network `none`, whose random id each data root keeps. */
export const NoneNetwork = Schema.Struct({ Id: Schema.String })

export const Info = Schema.Struct({
  ID: Schema.String,
  DockerRootDir: Schema.String,
  ServerVersion: Schema.String,
  NCPU: Schema.optionalKey(Schema.Number),
  MemTotal: Schema.optionalKey(Schema.Number),
  /** As `name=seccomp,profile=default`. */
  SecurityOptions: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
})

export const ListedContainer = Schema.Struct({
  Id: Schema.String,
  /** Empty for a container whose removal was cut short. */
  Names: Schema.NullOr(Schema.Array(Schema.String)),
  ImageID: Schema.String,
  State: ContainerState,
  Created: Schema.Number,
  /** Published ones of a container that runs have a `PublicPort`. */
  Ports: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Struct({ PublicPort: Schema.optionalKey(Schema.Number), Type: Schema.optionalKey(Schema.String) })))),
  Labels
})
/** Each is decoded by itself: one that cannot be must not hide the others. */
export const ContainerList = Schema.Array(Schema.Unknown)
/** Enough to know whose it is. */
const NamedContainer = Schema.Struct({ Id: Schema.String, Labels })

export const InspectedContainer = Schema.Struct({
  Id: Schema.String,
  Name: Schema.String,
  Created: Schema.String,
  Image: Schema.optionalKey(Schema.String),
  State: Schema.Struct({
    Status: ContainerState,
    ExitCode: Schema.Int,
    OOMKilled: Schema.Boolean,
    Error: Schema.String,
    StartedAt: Schema.String,
    FinishedAt: Schema.String
  }),
  Config: Schema.Struct({
    Hostname: Schema.String,
    Image: Schema.String,
    StopSignal: Schema.optionalKey(Schema.String),
    Labels
  }),
  HostConfig: Schema.Struct({
    RestartPolicy: Schema.Struct({ Name: Schema.String }),
    PortBindings: Schema.optionalKey(PortBindings),
    /** Whether the engine's init process runs the program. null: as the engine is set, by an older API. */
    Init: Schema.optionalKey(Schema.NullOr(Schema.Boolean))
  }),
  /** By their names. */
  NetworkSettings: Schema.optionalKey(Schema.NullOr(Schema.Struct({ Networks: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))) })))
})

export type Inspected = typeof InspectedContainer.Type

export const InspectedImage = Schema.Struct({
  Id: Schema.String,
  Config: Schema.optionalKey(Schema.NullOr(Schema.Struct({ Labels: Schema.optionalKey(Labels) })))
})

export const Created = Schema.Struct({ Id: Schema.String, Warnings: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))) })

export const NetworkList = Schema.Array(Schema.Struct({ Id: Schema.String, Name: Schema.String, Created: Schema.String }))

/** Milliseconds of an RFC 3339 time; null for Go's zero time, which says "never" or "not known". */
const timeMs = (text: string): number | null => {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms <= 0 ? null : ms
}

const number = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null

type LabelMap = Readonly<Record<string, string>>

const madeBy = (of: LabelMap): Pick<ContainerSummary, "instance" | "epoch"> => {
  const instance = of[labels.instance]
  const epoch = number(of[labels.epoch])
  return { ...(instance ? { instance } : {}), ...(epoch === null ? {} : { epoch }) }
}

const common = (id: string, name: string, of: LabelMap, imageFallback: string) => ({
  id,
  name,
  imageRef: of[labels.imageRef] ?? imageFallback,
  specHash: of[labels.specHash] ?? null,
  generation: number(of[labels.generation]),
  ...madeBy(of)
})

/** undefined: not a container of ours, whatever the filter let through. */
export const summary = (listed: typeof ListedContainer.Type): ContainerSummary | undefined => {
  const of = listed.Labels ?? {}
  const gameId = of[labels.gameId]
  if (of[labels.owner] !== ownerValue || of[labels.kind] !== kindValue || !isGameId(gameId)) return undefined
  const name = (listed.Names?.[0] ?? "").replace(/^\//, "")
  return { ...common(listed.Id, name, of, ""), gameId, state: listed.State, createdAtMs: listed.Created * 1000 }
}

const decodeListed = Schema.decodeUnknownResult(ListedContainer)
const decodeNamed = Schema.decodeUnknownResult(NamedContainer)

/** One entry of a list: as it is, or as one of whom only its game is known, or what is wrong with it. */
export type ListEntry =
  | { readonly _tag: "Listed"; readonly container: typeof ListedContainer.Type }
  | { readonly _tag: "Unreadable"; readonly shown: ContainerSummary | undefined; readonly problem: string }

export const listEntry = (entry: unknown): ListEntry => {
  const listed = decodeListed(entry)
  if (Result.isSuccess(listed)) return { _tag: "Listed", container: listed.success }
  const named = decodeNamed(entry)
  const nothing = { Names: null, ImageID: "", State: "created", Created: 0 } as const
  const known = Result.isSuccess(named) ? summary({ ...nothing, ...named.success }) : undefined
  return { _tag: "Unreadable", shown: known && { ...known, state: "unresponsive" }, problem: listed.failure.message }
}

export const detail = (seen: Inspected, enginePort: number): ContainerDetail | undefined => {
  const of = seen.Config.Labels ?? {}
  const gameId = of[labels.gameId]
  if (!isGameId(gameId)) return undefined
  const { State: state } = seen
  const startedAtMs = timeMs(state.StartedAt)
  const exit = ends.has(state.Status) && startedAtMs !== null
    ? { code: state.ExitCode, oomKilled: state.OOMKilled, finishedAtMs: exitTime(state, startedAtMs) }
    : null
  return {
    ...common(seen.Id, seen.Name.replace(/^\//, ""), of, seen.Config.Image),
    gameId,
    state: state.Status,
    createdAtMs: timeMs(seen.Created) ?? 0,
    startedAtMs,
    exit,
    startError: state.Status === "running" || state.Status === "paused" ? "" : state.Error || failedStart(seen, startedAtMs, exit) || incomplete(seen),
    stopSignal: seen.Config.StopSignal || "SIGTERM",
    imageId: seen.Image ?? null,
    warnings: [],
    stopGraceMs: number(of[labels.stopGraceMs]),
    restartsByItself: !["", "no"].includes(seen.HostConfig.RestartPolicy.Name),
    endpoint: `http://${seen.Config.Hostname}:${enginePort}`,
    ports: publishedPorts(seen.HostConfig.PortBindings)
  }
}

/** Why a container that never ran must not be started: a network is missing that it was made for; empty: none is. */
const incomplete = ({ Config, NetworkSettings, State }: Inspected): string => {
  const wanted = State.Status === "created" ? Config.Labels?.[labels.networks] ?? "" : ""
  const missing = wanted.split(",").find((name) => name !== "" && !Object.hasOwn(NetworkSettings?.Networks ?? {}, name))
  return missing === undefined ? "" : `it was made, and not connected to the network ${missing}`
}

const ends: ReadonlySet<string> = new Set(["exited", "dead", "removing"])

/**
 * An engine that finds a container dead at its own start and has no record of its end says code 0 and keeps the zero time,
 * or the end of an earlier run: then nobody knows how this run ended. A code other than 0 is always of this run, though
 * old engines take its beginning for later than its end when it ends at once.
 */
const exitTime = (state: Inspected["State"], startedAtMs: number): number | null => {
  const finishedAtMs = timeMs(state.FinishedAt)
  if (finishedAtMs === null || finishedAtMs >= startedAtMs) return finishedAtMs
  return state.ExitCode === 0 ? null : startedAtMs
}

/** The init process's own exit codes for a program that it could not execute. */
const executionErrors: Readonly<Record<number, string>> = { 126: "it is not executable", 127: "it does not exist" }

/** What the end of a container says of the execution of its program; undefined: it was executed, or no init process told. */
export const executionError = ({ HostConfig, State }: Inspected): string | undefined => {
  const problem = HostConfig.Init === true && ends.has(State.Status) ? executionErrors[State.ExitCode] : undefined
  return problem && `the program could not be executed (exit code ${State.ExitCode}: ${problem})`
}

/**
 * A program that ran longer, as far as the engine's times tell, was executed: 126 and 127 are its own then. New engines
 * count from before the process is there, which takes a second when they are busy.
 */
const shortestRunMs = 1500

const failedStart = (seen: Inspected, startedAtMs: number | null, exit: ContainerExit | null): string =>
  startedAtMs !== null && exit !== null && exit.finishedAtMs !== null && exit.finishedAtMs - startedAtMs <= shortestRunMs
    ? executionError(seen) ?? ""
    : ""
