/** Containers read: in lists, and one by one. */
import type Docker from "dockerode"
import { Effect, Exit } from "effect"
import type { GameId } from "../../domain/GameId.ts"
import type { Protocol } from "../../domain/ports.ts"
import type { ContainerDetail, ContainerSummary, EngineError } from "../ContainerEngine.ts"
import type { KnownContainers } from "../KnownContainers.ts"
import { ContainerList, detail, listEntry, type ListEntry, executionError, type Inspected, InspectedContainer, type ListedContainer, summary } from "./answers.ts"
import { decodeAnswer } from "./call.ts"
import { kindValue, labels, ownerValue } from "./labels.ts"
import type { Images } from "./images.ts"
import type { StartWatch } from "./StartWatch.ts"
import { read, type Verbs, wholeId } from "./verbs.ts"

type Listed = typeof ListedContainer.Type

const decodeList = decodeAnswer("list", ContainerList)
const decodeInspect = decodeAnswer("inspect", InspectedContainer)

/** In any state, by the engine's own filters. */
const listed = (verbs: Verbs, filters: Readonly<Record<string, ReadonlyArray<string>>>): Effect.Effect<ReadonlyArray<ListEntry>, EngineError> =>
  read(verbs, "list", (client, abortSignal) =>
    client.listContainers({ all: true, filters, abortSignal } as unknown as Docker.ContainerListOptions) as Promise<unknown>).pipe(
    Effect.flatMap(decodeList),
    Effect.map((entries) => entries.map(listEntry)),
    Effect.tap((entries) => Effect.forEach(entries, (entry) => entry._tag === "Listed" ? Effect.void : Effect.logError(
      "a container in the engine's list cannot be read", { container_id: entry.shown?.id, game_id: entry.shown?.gameId, problem: entry.problem }
    ), { discard: true }))
  )

/** Containers with our labels, of one game or of all, and what is known of them told. */
export const makeList = (verbs: Verbs, images: Images, known: KnownContainers) => {
  const list = Effect.fnUntraced(function*(gameId: GameId | undefined) {
    const label = [`${labels.owner}=${ownerValue}`, `${labels.kind}=${kindValue}`, ...(gameId ? [`${labels.gameId}=${gameId}`] : [])]
    const found = yield* listed(verbs, { label })
    const own = yield* Effect.filter(found, (entry) => entry._tag === "Listed"
      ? Effect.map(images.madeOurs(entry.container), (byImage) => !byImage)
      : Effect.succeed(true))
    return own.flatMap((entry) => (entry._tag === "Listed" ? summary(entry.container) : entry.shown) ?? [])
  })
  return (gameId?: GameId): Effect.Effect<ReadonlyArray<ContainerSummary>, EngineError> =>
    Effect.suspend(() => {
      const done = known.listing(gameId)
      return Effect.onExit(list(gameId), (exit) => Effect.sync(() => done(Exit.isSuccess(exit) ? exit.value : null)))
    })
}

/** As the engine shows it; `gone`: it answered 404 for that id. */
export const inspected = (verbs: Verbs, id: string): Effect.Effect<Inspected | "gone", EngineError> =>
  read(verbs, "inspect", (client, abortSignal) => client.getContainer(id).inspect({ abortSignal })).pipe(
    Effect.flatMap(decodeInspect),
    Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed("gone" as const))
  )

/** What is seen in the domain's words; `gone`: it is no game's. A start that was seen to fail goes on having failed. */
export const detailOf = (seen: Inspected, watch: StartWatch, enginePort: number): ContainerDetail | "gone" => {
  const known = detail(seen, enginePort)
  if (known === undefined) return "gone"
  const found = { ...known, warnings: watch.warningsOf(known.id) }
  return found.startError === "" && watch.hasFailed(found.id, found.startedAtMs)
    ? { ...found, startError: executionError(seen) ?? "" }
    : found
}

export const makeInspect = (verbs: Verbs, known: KnownContainers, watch: StartWatch, enginePort: number) =>
  (id: string): Effect.Effect<ContainerDetail | "gone", EngineError> =>
    wholeId("inspect", id).pipe(
      Effect.flatMap((whole) => inspected(verbs, whole)),
      Effect.map((seen) => {
        if (seen !== "gone") return detailOf(seen, watch, enginePort)
        known.vanished(id)
        return seen
      })
    )

/** Who holds a name. A name is asked for exactly: an id or a part of one would find somebody else. */
export const holderOf = (verbs: Verbs, name: string): Effect.Effect<Listed | undefined, EngineError> =>
  Effect.map(listed(verbs, { name: [`^/${name}$`] }), (found) =>
    found.flatMap((entry) => entry._tag === "Listed" ? [entry.container] : []).find((container) => container.Names?.includes(`/${name}`)))

/** The container that has a port of the host, but for the one that asks for it. */
export const publisherOf = (verbs: Verbs, { host, protocol }: { readonly host: number; readonly protocol: Protocol | null }, exceptId: string): Effect.Effect<Listed | undefined, EngineError> =>
  Effect.map(listed(verbs, { publish: [String(host), `${host}/udp`] }), (found) =>
    found.flatMap((entry) => entry._tag === "Listed" ? [entry.container] : []).find(({ Id, Ports }) =>
      Id !== exceptId && Ports?.some(({ PublicPort, Type }) => PublicPort === host && (protocol === null || Type === protocol))))
