/**
 * Networks beside the games' own. Engines before API 1.44 take one at a create, so a container is connected to the others when it is
 * made and before it is started. What was cut short in between is known by its label (`incomplete`), and never started.
 */
import type Docker from "dockerode"
import { Effect } from "effect"
import type { ContainerTemplate, EngineError } from "../ContainerEngine.ts"
import { makeChanges } from "./changes.ts"
import { networkNamed } from "./network.ts"
import { unmet } from "./specFiles.ts"
import { change, type Verbs } from "./verbs.ts"

interface Wanted {
  readonly id: string
  readonly path: string
  readonly name: string
  readonly aliases: ReadonlyArray<string>
}

/** All are looked for before anything is made. */
export const findNetworks = ({ caller, client }: Verbs, { spec }: ContainerTemplate, ownId: string): Effect.Effect<ReadonlyArray<Wanted>, EngineError> =>
  Effect.forEach(spec.networks ?? [], ({ aliases = [], name }, index) => {
    const path = `spec.networks.${index}.name`
    return Effect.flatMap(networkNamed(caller, client, name), (id) => {
      if (id === undefined) return Effect.fail(unmet(`${path}: there is no network ${name}`))
      return id === ownId ? Effect.fail(unmet(`${path}: ${name} is the games' own network`)) : Effect.succeed({ id, path, name, aliases })
    })
  })

/** Connects it to each, or removes it again. */
export const connectTo = (verbs: Verbs, networks: ReadonlyArray<Wanted>, containerId: string): Effect.Effect<void, EngineError> =>
  Effect.forEach(networks, (network) => connect(verbs, network, containerId), { discard: true }).pipe(
    Effect.tapError(() => Effect.ignore(makeChanges(verbs).remove(containerId)))
  )

const connect = (verbs: Verbs, { aliases, id, name, path }: Wanted, containerId: string): Effect.Effect<void, EngineError> =>
  change(verbs, "connect", "change", { 403: "Unmet", 400: "Unmet", 500: "Unmet" }, (client, abortSignal) =>
    client.getNetwork(id).connect({ Container: containerId, EndpointConfig: { Aliases: [...aliases] }, abortSignal } as Docker.NetworkConnectOptions)).pipe(
      Effect.asVoid,
      Effect.catchIf((error) => error.reason === "NotFound" || error.reason === "Unmet", (error) =>
        Effect.fail(unmet(`${path}: the network ${name} does not take the container: ${error.message}`)))
    )
