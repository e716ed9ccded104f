/** Who answers, and in which version of its API it is spoken to. */
import type Docker from "dockerode"
import { Effect } from "effect"
import type { Host } from "../../domain/spec/host.ts"
import { EngineError, type EngineIdentity } from "../ContainerEngine.ts"
import { Info, NoneNetwork, Version } from "./answers.ts"
import { type Caller, decodeAnswer, isVersionRefused } from "./call.ts"
import { agreedApi, get, useApi } from "./connection.ts"

const decodeInfo = decodeAnswer("info", Info)
const decodeVersion = decodeAnswer("version", Version)
const decodeNone = decodeAnswer("witness", NoneNetwork)

export interface Clients {
  /** Speaks no version: another engine may answer than the one that the version was agreed with, and refuse it. */
  readonly versionless: Docker
  /** Those that speak the version that is agreed on. */
  readonly versioned: readonly [Docker, ...ReadonlyArray<Docker>]
}

interface Known {
  readonly witness: string
  readonly identity: EngineIdentity
  readonly host: Host
}

export interface Identity {
  /** Agrees on the API version anew, for all clients. */
  readonly negotiate: Effect.Effect<string, EngineError>
  /**
   * Asked before a 404 is believed, so it is cheap: `/info` counts everything the engine has, but the network `none` has a
   * random id that each data root keeps. While that id is the same, so is the engine.
   */
  readonly identity: Effect.Effect<EngineIdentity, EngineError>
  /** What the engine's host has, as it said when it was last asked who it is. */
  readonly host: Effect.Effect<Host, EngineError>
}

/** Of `/info`; an engine that says 0 says nothing. */
const hostOf = ({ MemTotal, NCPU, SecurityOptions }: typeof Info.Type): Host => ({
  cpus: NCPU || undefined,
  memoryBytes: MemTotal || undefined,
  security: SecurityOptions?.map((option) => /^(?:name=)?([^,]*)/.exec(option)![1]!)
})

/** Who cannot be told from another engine could have a game taken for gone that runs, or for running that is gone. */
const supported = ({ Components }: typeof Version.Type): Effect.Effect<void, EngineError> =>
  (Components ?? []).some(({ Name }) => /podman/i.test(Name))
    ? Effect.fail(new EngineError({
      operation: "version",
      reason: "Unsupported",
      message: "Podman's Docker API is not supported: it names itself otherwise at each call, so a container that is gone cannot be told from " +
        "an engine that was exchanged; DOCKER_HOST takes a Docker Engine"
    }))
    : Effect.void

export const makeIdentity = (caller: Caller, { versioned, versionless }: Clients, deadlineMs: number): Identity => {
  let agreed: string | undefined
  let known: Known | undefined

  const ask = (operation: string, client: Docker, path: string) =>
    caller.call({ operation, deadlineMs }, (signal) => get(client, path, signal))
  const negotiate = Effect.flatMap(ask("version", versionless, "/version?"), decodeVersion).pipe(
    Effect.tap(supported),
    Effect.map(({ ApiVersion }) => {
      agreed = agreedApi(ApiVersion)
      known = undefined
      for (const client of versioned) useApi(client, agreed)
      return agreed
    })
  )
  const witness = Effect.flatMap(ask("witness", versioned[0], "/networks/none?"), decodeNone).pipe(
    Effect.map(({ Id }) => Id),
    Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(""))
  )
  const identify = Effect.fnUntraced(function*(apiVersion: string) {
    const found = yield* witness
    if (known !== undefined && found !== "" && known.witness === found) return known.identity
    const info = yield* Effect.flatMap(ask("info", versioned[0], "/info?"), decodeInfo)
    // Two engines of one host may share the id; they never share the data.
    const identity = { id: `${info.ID}${info.DockerRootDir}`, version: info.ServerVersion, apiVersion }
    known = { witness: found, identity, host: hostOf(info) }
    return identity
  })
  const forget = Effect.sync(() => {
    agreed = undefined
  })
  const identity = Effect.suspend(() => agreed === undefined ? negotiate : Effect.succeed(agreed)).pipe(
    Effect.flatMap(identify),
    Effect.tapError(() => forget),
    Effect.retry({ times: 1, while: isVersionRefused })
  )
  return {
    negotiate,
    identity,
    host: Effect.suspend(() => known === undefined ? Effect.map(identity, () => known?.host ?? {}) : Effect.succeed(known.host))
  }
}
