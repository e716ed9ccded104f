/** ContainerEngine on a Docker Engine, 20.10 or newer, through dockerode. */
import { Effect, Layer, type Scope } from "effect"
import { ContainerEngine } from "../ContainerEngine.ts"
import { KnownContainers } from "../KnownContainers.ts"
import type { Permission } from "../Permission.ts"
import { agreeingAnew, isVersionRefused, makeCaller } from "./call.ts"
import { makeChanges } from "./changes.ts"
import { connect, type ConnectionOptions } from "./connection.ts"
import { type CreateSettings, makeCreate } from "./create.ts"
import { engineEvents } from "./events.ts"
import { makeIdentity } from "./identity.ts"
import { makeImages } from "./images.ts"
import { makeInspect, makeList } from "./looks.ts"
import { makeNetwork } from "./network.ts"
import { makePull } from "./pull.ts"
import { makeStart, type StartSettings } from "./start.ts"
import { StartWatch } from "./StartWatch.ts"
import { defaultDeadlines, type Verbs } from "./verbs.ts"

export interface DockerEngineOptions extends ConnectionOptions, StartSettings, CreateSettings {
  /** Name of the games' network. */
  readonly network: string
  readonly pullStallMs: number
  /** Folder of the docker CLI's config.json. */
  readonly dockerConfig: string
  /** Folder of such folders, by the names of logins. */
  readonly registryAuthRoot?: string | undefined
  /** Calls at once. Default: 64. */
  readonly maxInFlight?: number
  readonly deadlines?: Partial<typeof defaultDeadlines>
  /** Default: everything is permitted. */
  readonly permission?: Permission
}

export const makeDockerEngine = Effect.fnUntraced(function*(options: DockerEngineOptions): Effect.fn.Return<
  ContainerEngine["Service"],
  never,
  Scope.Scope
> {
  const client = yield* connect(options, false)
  const pulls = yield* connect(options, true)
  const events = yield* connect(options, true)
  const versionless = yield* connect(options, true)
  const bare = makeCaller(options.maxInFlight ?? 64, options.permission)
  const deadlines = { ...defaultDeadlines, ...options.deadlines }
  const { host, identity, negotiate } = makeIdentity(bare, { versionless, versioned: [client, pulls, events] }, deadlines.ping)
  const caller = agreeingAnew(bare, negotiate)
  const verbs: Verbs = { client, caller, deadlines }
  const network = makeNetwork(caller, client, options.network)
  const images = makeImages(caller, client)
  const known = new KnownContainers()
  const watch = new StartWatch()
  const pullOnce = yield* makePull({ client: pulls, stallMs: options.pullStallMs, configFolder: options.dockerConfig, loginsFolder: options.registryAuthRoot })
  const pull = (imageRef: string, login: string | undefined) =>
    Effect.catchIf(pullOnce(imageRef, login), isVersionRefused, () => Effect.andThen(negotiate, pullOnce(imageRef, login)))
  return {
    identity,
    known: (gameId) => known.of(gameId),
    list: makeList(verbs, images, known),
    inspect: makeInspect(verbs, known, watch, options.enginePort),
    create: makeCreate(verbs, { host, images, network }, { known, watch }, options),
    start: makeStart(verbs, network, watch, options),
    ...makeChanges(verbs),
    hasImage: images.has,
    pull: (imageRef, login) => Effect.andThen(pull(imageRef, login), images.pulledId(imageRef)),
    events: engineEvents({ client: events, known, watch, greet: negotiate })
  }
})

export const layer = (options: DockerEngineOptions): Layer.Layer<ContainerEngine> =>
  Layer.effect(ContainerEngine, makeDockerEngine(options))
