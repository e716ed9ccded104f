/** ContainerEngine on a Docker Engine, 20.10 or newer, through dockerode. */
import type Docker from "dockerode"
import { Effect, Exit, Layer, type Scope } from "effect"
import { containerName, type GameId } from "../../domain/GameId.ts"
import {
  ContainerEngine, type ContainerTemplate, EngineError
} from "../ContainerEngine.ts"
import { KnownContainers } from "../KnownContainers.ts"
import { ContainerList, Created, detail, InspectedContainer, summary } from "./answers.ts"
import { type CallOptions, decodeAnswer, makeCaller, type Permission } from "./call.ts"
import { connect, type ConnectionOptions } from "./connection.ts"
import { createBody, kindValue, labels, ownerValue } from "./createBody.ts"
import { engineEvents } from "./events.ts"
import { makeIdentity } from "./identity.ts"
import { makeImages } from "./images.ts"
import { makeNetwork } from "./network.ts"
import { makePull } from "./pull.ts"

export interface DockerEngineOptions extends ConnectionOptions {
  /** Name of the games' network. */
  readonly network: string
  /** Port in a game's endpoint. */
  readonly enginePort: number
  /** Folder of the host under which games' states are bind-mounted; undefined: named volumes. */
  readonly stateRoot: string | undefined
  readonly pullStallMs: number
  /** Folder of the docker CLI's config.json. */
  readonly dockerConfig: string
  /** Calls at once. Default: 64. */
  readonly maxInFlight?: number
  readonly deadlines?: Partial<typeof defaultDeadlines>
  /** Default: everything is permitted. */
  readonly permission?: Permission
}

/** How long each call may take, in ms. */
export const defaultDeadlines = { ping: 3000, list: 10_000, inspect: 5000, kill: 15_000, change: 60_000 }

const fullId = /^[0-9a-f]{64}$/

export const makeDockerEngine = Effect.fnUntraced(function*(options: DockerEngineOptions): Effect.fn.Return<
  ContainerEngine["Service"],
  never,
  Scope.Scope
> {
  const deadlines = { ...defaultDeadlines, ...options.deadlines }
  const client = yield* connect(options, false)
  const streams = yield* connect(options, true)
  const versionless = yield* connect(options, true)
  const caller = makeCaller(options.maxInFlight ?? 64, options.permission)
  const network = makeNetwork(caller, client, options.network)
  const images = makeImages(caller, client)
  const pull = yield* makePull({ client: streams, stallMs: options.pullStallMs, configFolder: options.dockerConfig })
  const echoes = makeEchoes()
  const known = new KnownContainers()
  const { identity, negotiate } = makeIdentity(caller, { versionless, versioned: [client, streams] }, deadlines.ping)

  const read = <A>(operation: string, deadlineMs: number, send: (signal: AbortSignal) => Promise<A>) =>
    caller.call({ operation, deadlineMs }, send)
  const change = (
    operation: string,
    deadlineMs: number,
    reasons: CallOptions["reasons"] & {},
    send: (signal: AbortSignal) => Promise<unknown>
  ) => caller.call({ operation, deadlineMs, reasons, mutates: true }, send)
  const inspectRaw = (id: string) =>
    read("inspect", deadlines.inspect, (abortSignal) => client.getContainer(id).inspect({ abortSignal })).pipe(
      Effect.flatMap(decodeInspect),
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed("gone" as const))
    )

  const inspect = Effect.fnUntraced(function*(id: string) {
    const seen = yield* inspectRaw(yield* wholeId("inspect", id))
    return seen === "gone" ? seen : detail(seen, options.enginePort) ?? "gone" as const
  })

  const create = Effect.fnUntraced(function*(template: ContainerTemplate) {
    const { gameId } = template
    const body = createBody(template, options, yield* network.id)
    const made = yield* send(containerName(gameId), body).pipe(
      // Somebody's container holds the name, or an earlier create of ours was carried out after all: a list tells.
      Effect.tapError(() => Effect.sync(() => known.doubt(gameId)))
    )
    known.made(gameId, made.Id)
    return made.Id
  })

  const send = (name: string, body: Docker.ContainerCreateOptions) =>
    change("create", deadlines.change, createReasons, (abortSignal) =>
      client.createContainer({ abortSignal, _query: { name }, _body: body } as unknown as Docker.ContainerCreateOptions)
        .then((container) => ({ Id: container.id }))).pipe(
        Effect.catchIf((error) => error.reason === "NameTaken", (error) => Effect.flatMap(holderOf(name), (holder) =>
          Effect.fail(holder ? nameTaken(error, name, holder) : nameReserved(error)))),
        Effect.flatMap(decodeCreated)
      )

  /** Who holds a name. A name is asked for exactly: an id or a part of one would find somebody else. */
  const holderOf = (name: string) =>
    read("list", deadlines.list, (abortSignal) =>
      client.listContainers({ all: true, filters: { name: [`^/${name}$`] }, abortSignal } as Docker.ContainerListOptions) as Promise<unknown>)
      .pipe(
        Effect.flatMap(decodeList),
        Effect.map((found) => found.find((container) => container.Names?.includes(`/${name}`)))
      )

  /** The engine's 404 on start names the container or its network: only a look at the container tells which. */
  const startRefused = Effect.fnUntraced(function*(id: string, error: EngineError) {
    if (error.reason !== "NotFound") return yield* error
    const seen = yield* inspectRaw(id)
    if (seen === "gone") return yield* error
    yield* network.forget
    return yield* new EngineError({ ...errorFields(error), reason: "NetworkMissing" })
  })

  const start = Effect.fnUntraced(function*(id: string) {
    echoes.expect(id)
    yield* change("start", deadlines.change, startReasons, (abortSignal) => client.getContainer(id).start({ abortSignal })).pipe(
      // Nothing was started: the next `start` of this container is somebody else's, and news.
      Effect.tapError(() => Effect.sync(() => echoes.forget(id))),
      Effect.catchIf((error) => error.status === 304, () => Effect.void),
      Effect.catch((error) => startRefused(id, error))
    )
  })

  const kill = (id: string, signal: string) =>
    change("kill", deadlines.kill, {}, (abortSignal) => client.getContainer(id).kill({ signal, abortSignal })).pipe(
      Effect.asVoid,
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.void),
      Effect.catchIf((error) => error.reason === "Conflict", (error) => Effect.flatMap(inspectRaw(id), (seen) =>
        seen === "gone" || !alive.has(seen.State.Status) ? Effect.void : Effect.fail(error)))
    )

  const unpause = (id: string) =>
    change("unpause", deadlines.kill, { 500: "Conflict" }, (abortSignal) => client.getContainer(id).unpause({ abortSignal })).pipe(
      Effect.asVoid,
      Effect.catchIf((error) => error.reason === "Conflict", (error) => Effect.flatMap(inspectRaw(id), (seen) =>
        seen === "gone" || seen.State.Status !== "paused" ? Effect.void : Effect.fail(error)))
    )

  const disarm = (id: string) =>
    Effect.asVoid(change("update", deadlines.kill, {}, (abortSignal) =>
      client.getContainer(id).update({ RestartPolicy: { Name: "no" }, abortSignal } as object)))

  const remove = (id: string) =>
    change("remove", deadlines.change, {}, (abortSignal) => client.getContainer(id).remove({ v: true, abortSignal })).pipe(
      Effect.asVoid,
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.void)
    )

  const list = Effect.fnUntraced(function*(gameId?: GameId) {
    const label = [`${labels.owner}=${ownerValue}`, `${labels.kind}=${kindValue}`, ...(gameId ? [`${labels.gameId}=${gameId}`] : [])]
    const answer = yield* read("list", deadlines.list, (abortSignal) =>
      client.listContainers({ all: true, filters: { label }, abortSignal } as Docker.ContainerListOptions) as Promise<unknown>)
    const listed = yield* decodeList(answer)
    const own = yield* Effect.filter(listed, (container) => Effect.map(images.madeOurs(container), (byImage) => !byImage))
    return own.flatMap((container) => summary(container) ?? [])
  })

  return {
    identity,
    known: (gameId) => known.of(gameId),
    list: (gameId) => Effect.suspend(() => {
      const done = known.listing(gameId)
      return Effect.onExit(list(gameId), (exit) => Effect.sync(() => done(Exit.isSuccess(exit) ? exit.value : null)))
    }),
    inspect,
    create,
    start: (id) => Effect.flatMap(wholeId("start", id), start),
    kill: (id, signal) => Effect.flatMap(wholeId("kill", id), (whole) => kill(whole, signal)),
    disarm: (id) => Effect.flatMap(wholeId("update", id), disarm),
    unpause: (id) => Effect.flatMap(wholeId("unpause", id), unpause),
    remove: (id) => Effect.flatMap(wholeId("remove", id), remove),
    hasImage: images.has,
    pull,
    events: engineEvents({ client: streams, known, greet: negotiate, isOwnEcho: echoes.isOwn })
  }
})

export const layer = (options: DockerEngineOptions): Layer.Layer<ContainerEngine> =>
  Layer.effect(ContainerEngine, makeDockerEngine(options))

const decodeInspect = decodeAnswer("inspect", InspectedContainer)
const decodeList = decodeAnswer("list", ContainerList)
const decodeCreated = decodeAnswer("create", Created)

const createReasons = { 404: "ImageMissing", 409: "NameTaken", 500: "StartFailed" } as const
const startReasons = { 400: "StartFailed", 500: "StartFailed" } as const
const alive: ReadonlySet<string> = new Set(["running", "paused", "restarting"])

/** The engine takes a part of an id for the whole, and would act on somebody else's container. */
const wholeId = (operation: string, id: string): Effect.Effect<string, EngineError> =>
  fullId.test(id)
    ? Effect.succeed(id)
    : Effect.fail(new EngineError({ operation, reason: "Invalid", message: `${JSON.stringify(id)} is not a full container id` }))

const errorFields = ({ message, operation, status }: EngineError) => ({
  operation, message, ...(status === undefined ? {} : { status })
})

type Holder = { readonly Id: string; readonly Labels: Readonly<Record<string, string>> | null; readonly State: string }

const nameTaken = (error: EngineError, name: string, holder: Holder): EngineError => {
  const ours = holder.Labels?.[labels.owner] === ownerValue
  const description = `container ${holder.Id.slice(0, 12)} (${holder.State}, ${ours ? "of this controller" : "not of this controller"})`
  return new EngineError({
    ...errorFields(error),
    reason: "NameTaken",
    message: `the name ${name} is held by ${description}`,
    holder: { id: holder.Id, description, gameId: ours ? holder.Labels?.[labels.gameId] ?? null : null }
  })
}

/** The engine reserves a name before it shows who for: an earlier create is still at work. */
const nameReserved = (error: EngineError): EngineError => new EngineError({ ...errorFields(error), reason: "Conflict" })

/** Containers that this process just started, whose `start` event is no news. */
const makeEchoes = () => {
  const expected = new Set<string>()
  const maximum = 10_000
  return {
    expect: (id: string) => {
      if (expected.size >= maximum) expected.delete(expected.keys().next().value!)
      expected.add(id)
    },
    forget: (id: string) => {
      expected.delete(id)
    },
    isOwn: (id: string, action: string): boolean => action === "start" && expected.delete(id)
  }
}

