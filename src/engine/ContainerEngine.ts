/**
 * What the controller asks of a container engine. It speaks of games and containers, not of one socket: where a
 * container runs, and under which address it is reached, is the engine's to say.
 *
 * Promises of every implementation: each call is safe to repeat; mutating calls take full container ids; "cannot see" is
 * an error (`Unavailable`, `Timeout`, `Undecodable`), never an empty answer; `gone` means that the engine itself
 * answered 404 for that full id.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import type { GameId } from "../domain/GameId.ts"
import type { GameSpec } from "../domain/GameSpec.ts"
import { Protocol, type PublishedPort } from "../domain/ports.ts"

export const EngineReason = Schema.Literals([
  /** The engine has no such container (404 for a full id). */
  "NotFound",
  /** The container's name is held by another container: see `holder`. */
  "NameTaken",
  /** The container is in a state that does not take this call now, e.g. its removal is in progress. */
  "Conflict",
  /** Start: a port of the host that the container is to have is taken: see `taken`, and `holder` where somebody was found. */
  "PortTaken",
  /** Create: the image is not on the host. */
  "ImageMissing",
  /** Create: what the spec asks for is not to be had: a file, a network, a profile, or as much as it wants of the host. */
  "Unmet",
  /** Start: the network the container was made for is gone, so it can never start. */
  "NetworkMissing",
  /** The engine refused the request as it stands (400). */
  "Invalid",
  /** The container could not be started (400, 500), or its program could not be executed (it ended with 126 or 127 at once). */
  "StartFailed",
  /** A pull that the registry or the engine refused. */
  "PullFailed",
  /** A pull that made no progress for the stall time. */
  "PullStalled",
  /** Not reached, connection lost: whether the call was carried out is unknown. */
  "Unavailable",
  /** No answer before the deadline: whether the call was carried out is unknown. */
  "Timeout",
  /** The answer is not what the engine's API says. */
  "Undecodable",
  /** Not sent: another kind of engine answers than the ones that this controller knows how to drive. */
  "Unsupported",
  /** Not sent: this controller does not hold the lease, or not for long enough. */
  "NotLeader",
  /** Any other failure: `status` and `message` are the engine's own. */
  "Internal"
])
export type EngineReason = typeof EngineReason.Type

export class EngineError extends Schema.TaggedError<EngineError>()("EngineError", {
  operation: Schema.String,
  reason: EngineReason,
  message: Schema.String,
  status: Schema.optionalKey(Schema.Int),
  /** `PortTaken`: the port, as far as the engine says which. */
  taken: Schema.optionalKey(Schema.Struct({ host: Schema.Int, protocol: Schema.NullOr(Protocol) })),
  /** `NameTaken`, `PortTaken`: who holds it. */
  holder: Schema.optionalKey(Schema.Struct({ id: Schema.String, description: Schema.String, gameId: Schema.NullOr(Schema.String) }))
}) {}

/** Outcome unknown or engine away: look again, tell nothing. Everything else is the engine's verdict. */
export const isTransient = (error: EngineError): boolean =>
  transient.has(error.reason)
const transient: ReadonlySet<EngineReason> = new Set(
  ["Unavailable", "Timeout", "Undecodable", "Unsupported", "NotLeader", "Conflict", "NotFound", "Internal"]
)

/** The engine itself said no, in its own words: not a call that it never got, or whose answer never came or makes no sense. */
export const isAnswer = (error: EngineError): boolean => !unanswered.has(error.reason)
const unanswered: ReadonlySet<EngineReason> = new Set(["Unavailable", "Timeout", "Undecodable", "Unsupported", "NotLeader", "PullStalled"])

export interface EngineIdentity {
  /** Stable across restarts of the engine and different for each engine and data root. */
  readonly id: string
  readonly version: string
  readonly apiVersion: string
}

export const ContainerState = Schema.Literals(["created", "running", "paused", "restarting", "removing", "exited", "dead"])
export type ContainerState = typeof ContainerState.Type

/** A container that carries our labels, as a list shows it: enough to tell whether to look closer. */
export interface ContainerSummary {
  readonly id: string
  readonly gameId: GameId
  readonly name: string
  /** `unresponsive`: what the list says of it cannot be read. */
  readonly state: ContainerState | "unresponsive"
  readonly createdAtMs: number
  readonly imageRef: string
  /** null: made by somebody else (no label of ours beyond the five of the contract). */
  readonly specHash: string | null
  readonly generation: number | null
  /** The installation that made it; missing: made by hand, or by a release that did not say so. */
  readonly instance?: string
  /** Of the lease under which it was made; missing as with `instance`. */
  readonly epoch?: number
}

export interface ContainerDetail extends ContainerSummary {
  readonly startedAtMs: number | null
  /** null while it runs or before it ever ran. */
  readonly exit: ContainerExit | null
  /** Why the last start failed, as the engine says it or as its end shows; empty when it did not. */
  readonly startError: string
  /** The signal that asks it to end: the spec's, else the image's, else SIGTERM. */
  readonly stopSignal: string
  /** From the signal to SIGKILL, as it was made; null: nothing says so. */
  readonly stopGraceMs: number | null
  /** Id of the image that it was made from; null: not told. */
  readonly imageId: string | null
  /** What the engine warned of when it was made, e.g. that it discarded a limit. Known to the process that made it. */
  readonly warnings: ReadonlyArray<string>
  /** The engine itself starts it again when it ends: made so by somebody else, for ours are not. */
  readonly restartsByItself: boolean
  /** Where other services reach the game, e.g. `http://galaxy-game-g1:8080`. */
  readonly endpoint: string
  /** Published on the host, as it was made; whether it runs or not. */
  readonly ports: ReadonlyArray<PublishedPort>
}

export interface ContainerExit {
  readonly code: number
  readonly oomKilled: boolean
  /** null: the engine does not know when, so `code` is not to be believed (it lost the process over a restart). */
  readonly finishedAtMs: number | null
}

/** What a new container is made from. Names, labels, volume, network and hardening are the engine's to add. */
export interface ContainerTemplate {
  readonly gameId: GameId
  readonly imageRef: string
  readonly generation: number
  readonly specHash: string
  readonly createdAtMs: number
  /** From the stop signal to SIGKILL. */
  readonly stopGraceMs: number
  /** Passed on as it is: what of it a container has, and in which of the engine's words, is the engine's to say. */
  readonly spec: GameSpec
  /** Ports of the host that it gets. Default: none. */
  readonly ports?: ReadonlyArray<PublishedPort>
}

/** Something happened to a container of ours, or the stream was (re)opened and a full list is due. */
export type EngineEvent =
  | { readonly _tag: "Changed"; readonly gameId: GameId; readonly containerId: string; readonly action: string }
  | { readonly _tag: "Opened" }

export class ContainerEngine extends Context.Service<ContainerEngine, {
  /** Who answers; negotiates the API version anew. Its failure means that the engine is not reached. */
  readonly identity: Effect.Effect<EngineIdentity, EngineError>
  /**
   * Ids of the game's containers without asking the engine: as fresh as the last event, so some may be gone and one that
   * somebody else just made may be missing. undefined: not known well enough, `list` tells.
   */
  readonly known: (gameId: GameId) => ReadonlyArray<string> | undefined
  /** Containers with our labels in any state: of one game, or of all. An image's own labels do not count. */
  readonly list: (gameId?: GameId) => Effect.Effect<ReadonlyArray<ContainerSummary>, EngineError>
  /** The container of that full id, read fresh; `gone` when the engine answered 404. */
  readonly inspect: (id: string) => Effect.Effect<ContainerDetail | "gone", EngineError>
  /** Makes the container without starting it, with all that its spec asks for or not at all; answers its full id. */
  readonly create: (template: ContainerTemplate) => Effect.Effect<string, EngineError>
  /**
   * Starts it, and answers how it is when its program had its chance to fail: a program that could not be executed (exit
   * 126, 127 of a container that `create` made) is `StartFailed`; one that ran and ended meanwhile was started. A container
   * that ran already is answered at once; one that is gone by then is `NotFound`. `onStarted` is run when the engine's work
   * is done, before that chance.
   */
  readonly start: (id: string, onStarted?: Effect.Effect<void>) => Effect.Effect<ContainerDetail, EngineError>
  /** Sends a signal. Not running is success. */
  readonly kill: (id: string, signal: string) => Effect.Effect<void, EngineError>
  /** Has the engine leave restarts to us from now on. */
  readonly disarm: (id: string) => Effect.Effect<void, EngineError>
  /** Thaws a paused container. Not paused is success. */
  readonly unpause: (id: string) => Effect.Effect<void, EngineError>
  /** Removes a container that does not run, and its anonymous volumes, never the game's. Gone is success. */
  readonly remove: (id: string) => Effect.Effect<void, EngineError>
  /** Whether the image is on the host. Asks no registry. */
  readonly hasImage: (imageRef: string) => Effect.Effect<boolean, EngineError>
  /**
   * Pulls the image; one pull per image and login however many ask. Ends when the image is on the host; answers its id there.
   * `login`: a name that the installation has credentials under; one that it has not is `PullFailed`.
   */
  readonly pull: (imageRef: string, login?: string) => Effect.Effect<string, EngineError>
  /** Never ends: reconnects by itself and says `Opened` each time, before anything else. */
  readonly events: Stream.Stream<EngineEvent>
}>()("rtmanager/engine/ContainerEngine") {}
