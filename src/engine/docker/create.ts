/** A container made, and what it means when its name is taken. */
import type Docker from "dockerode"
import { Effect } from "effect"
import { containerName } from "../../domain/GameId.ts"
import { type Host, hostProblem } from "../../domain/spec/host.ts"
import { withoutValues } from "../../domain/withoutValues.ts"
import { type ContainerTemplate, EngineError } from "../ContainerEngine.ts"
import type { KnownContainers } from "../KnownContainers.ts"
import { Created, type ListedContainer } from "./answers.ts"
import { decodeAnswer } from "./call.ts"
import { post } from "./connection.ts"
import { type BodySettings, createBody } from "./createBody.ts"
import type { Images } from "./images.ts"
import { labels, ownerValue } from "./labels.ts"
import { holderOf } from "./looks.ts"
import { connectTo, findNetworks } from "./moreNetworks.ts"
import type { Network } from "./network.ts"
import { contentsOf, type FileSettings, unmet } from "./specFiles.ts"
import type { StartWatch } from "./StartWatch.ts"
import { change, type Verbs, withReason } from "./verbs.ts"

const decodeCreated = decodeAnswer("create", Created)
const reasons = { 404: "ImageMissing", 409: "NameTaken", 500: "StartFailed" } as const

interface Told {
  readonly known: KnownContainers
  readonly watch: StartWatch
}

/** What the engine has for a container, beside the container itself. */
interface Surroundings {
  readonly network: Network
  readonly images: Images
  readonly host: Effect.Effect<Host, EngineError>
}

export type CreateSettings = BodySettings & FileSettings

export const makeCreate = (verbs: Verbs, { host, images, network }: Surroundings, { known, watch }: Told, settings: CreateSettings) => {
  const make = Effect.fnUntraced(function*(template: ContainerTemplate) {
    yield* enough(template, host)
    const [networkId, imageLabels, contents] = yield* Effect.all([network.id, images.labelsOf(template.imageRef), contentsOf(template.spec, settings)])
    const more = yield* findNetworks(verbs, template, networkId)
    const made = yield* send(verbs, containerName(template.gameId), createBody(template, settings, { networkId, imageLabels, contents }), settings.instance).pipe(
      Effect.catchIf((error) => error.status === 404, (error) => whatIsMissing(images, template, error)),
      // What a file holds is no part of the spec, whose values are taken out of the engine's words elsewhere.
      Effect.mapError((error) => new EngineError({ ...error, message: withoutValues(error.message, { env: contents.env }) }))
    )
    yield* connectTo(verbs, more, made.Id)
    return made
  })
  return Effect.fnUntraced(function*(template: ContainerTemplate) {
    const { gameId } = template
    const { Id, Warnings } = yield* make(template).pipe(
      // The network that is remembered is gone: it is found or made anew.
      Effect.catchIf((error) => error.reason === "NetworkMissing", () => Effect.andThen(network.forget, make(template))),
      // Somebody's container holds the name, or an earlier create of ours was carried out after all: a list tells.
      Effect.tapError(() => Effect.sync(() => known.doubt(gameId)))
    )
    known.made(gameId, Id)
    if (Warnings?.length) {
      watch.warned(Id, Warnings)
      yield* Effect.logWarning(`the engine warns of the container of game ${gameId}: ${Warnings.join("; ")}`)
    }
    return Id
  })
}

/** An engine takes a limit that its host cannot give for none. */
const enough = ({ spec }: ContainerTemplate, host: Effect.Effect<Host, EngineError>): Effect.Effect<void, EngineError> => {
  if (spec.resources === undefined && spec.security === undefined) return Effect.void
  return Effect.flatMap(host, (found) => {
    const problem = hostProblem(spec, found)
    return problem === undefined ? Effect.void : Effect.fail(unmet(`${problem.path}: ${problem.message}`))
  })
}

/** The engine's 404 names an image, a network or the driver of a volume; whether it is the image, the image tells. */
const whatIsMissing = (images: Images, { imageRef }: ContainerTemplate, error: EngineError): Effect.Effect<never, EngineError> =>
  isOfNetwork(error)
    ? Effect.fail(withReason(error, "NetworkMissing"))
    : Effect.flatMap(images.isThere(imageRef), (isThere) => Effect.fail(isThere ? withReason(error, "StartFailed") : error))

const isOfNetwork = ({ message }: EngineError): boolean => /\bnetwork \S+ not found/i.test(message)

const send = (verbs: Verbs, name: string, body: Docker.ContainerCreateOptions, instance: string | undefined) =>
  change(verbs, "create", "change", reasons, (client, abortSignal) =>
    post(client, "/containers/create?", { name }, body, abortSignal)).pipe(
        Effect.catchIf((error) => error.reason === "NameTaken", (error) => refusedName(verbs, name, error, instance)),
        Effect.flatMap(decodeCreated)
      )

/** The engine reserves a name before it shows who for: held by nobody means that an earlier create is still at work. */
const refusedName = (verbs: Verbs, name: string, error: EngineError, instance: string | undefined): Effect.Effect<never, EngineError> =>
  Effect.flatMap(holderOf(verbs, name), (holder) =>
    Effect.fail(holder ? nameTaken(error, name, holder, instance) : withReason(error, "Conflict")))

const nameTaken = (error: EngineError, name: string, holder: typeof ListedContainer.Type, instance: string | undefined): EngineError => {
  const by = holder.Labels?.[labels.instance]
  const isAnothers = by !== undefined && by !== "" && by !== instance
  const ours = holder.Labels?.[labels.owner] === ownerValue && !isAnothers
  const whose = isAnothers ? `of another installation, ${by}` : ours ? "of this controller" : "not of this controller"
  const description = `container ${holder.Id.slice(0, 12)} (${holder.State}, ${whose})`
  return new EngineError({
    operation: error.operation,
    reason: "NameTaken",
    message: `the name ${name} is held by ${description}`,
    ...(error.status === undefined ? {} : { status: error.status }),
    holder: { id: holder.Id, description, gameId: ours ? holder.Labels?.[labels.gameId] ?? null : null }
  })
}
