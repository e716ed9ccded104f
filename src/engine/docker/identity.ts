/** Who answers, and in which version of its API it is spoken to. */
import type Docker from "dockerode"
import { Effect } from "effect"
import type { EngineError, EngineIdentity } from "../ContainerEngine.ts"
import { Info } from "./answers.ts"
import { type Caller, decodeAnswer } from "./call.ts"
import { agreedApi, useApi } from "./connection.ts"

const decodeInfo = decodeAnswer("info", Info)

// The types know no options of these; the client does.
type Asking = Record<"version" | "info" | "inspect", (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>>

interface Known {
  readonly witness: string
  readonly identity: EngineIdentity
}

export interface Identity {
  /** Agrees on the API version anew, for all clients. */
  readonly negotiate: Effect.Effect<string, EngineError>
  /**
   * Asked before a 404 is believed, so it is cheap: `/info` counts everything the engine has, but the network `none` has a
   * random id that each data root keeps. While that id is the same, so is the engine.
   */
  readonly identity: Effect.Effect<EngineIdentity, EngineError>
}

export const makeIdentity = (caller: Caller, clients: readonly [Docker, ...ReadonlyArray<Docker>], deadlineMs: number): Identity => {
  const client = clients[0] as unknown as Asking
  let agreed: string | undefined
  let known: Known | undefined

  const negotiate = caller.call({ operation: "ping", deadlineMs }, (abortSignal) => client.version({ abortSignal })).pipe(
    Effect.map((answer) => {
      agreed = agreedApi(String((answer as { ApiVersion?: unknown }).ApiVersion ?? "1.41"))
      known = undefined
      for (const each of clients) useApi(each, agreed)
      return agreed
    })
  )
  const witness = caller.call({ operation: "witness", deadlineMs }, (abortSignal) =>
    (clients[0].getNetwork("none") as unknown as Asking).inspect({ abortSignal })).pipe(
      Effect.map((answer) => String((answer as { Id?: unknown }).Id ?? "")),
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(""))
    )
  const ask = Effect.fnUntraced(function*(apiVersion: string) {
    const found = yield* witness
    if (known !== undefined && found !== "" && known.witness === found) return known.identity
    const info = yield* Effect.flatMap(
      caller.call({ operation: "info", deadlineMs }, (abortSignal) => client.info({ abortSignal })),
      decodeInfo
    )
    // Two engines of one host may share the id; they never share the data.
    const identity = { id: `${info.ID}${info.DockerRootDir}`, version: info.ServerVersion, apiVersion }
    known = { witness: found, identity }
    return identity
  })
  const forget = Effect.sync(() => {
    agreed = undefined
  })
  return {
    negotiate,
    identity: Effect.suspend(() => agreed === undefined ? negotiate : Effect.succeed(agreed)).pipe(
      Effect.flatMap(ask),
      Effect.tapError(() => forget)
    )
  }
}
