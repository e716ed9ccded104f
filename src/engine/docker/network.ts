/**
 * The games' network. Its name is not unique on engines before 25: two creators make two networks of one name, and then
 * every create that names it fails. So its id is what is used, and all agree on the oldest.
 */
import type Docker from "dockerode"
import { Effect, Ref, Semaphore } from "effect"
import type { EngineError } from "../ContainerEngine.ts"
import { NetworkList } from "./answers.ts"
import { type Caller, decodeAnswer } from "./call.ts"
import { labels, ownerValue } from "./labels.ts"

export interface Network {
  /** The network's id; made when there is none. Asked once, then remembered. */
  readonly id: Effect.Effect<string, EngineError>
  /** Forgets the id: the engine said that there is no such network. */
  readonly forget: Effect.Effect<void>
}

const deadlineMs = 30_000
const decodeList = decodeAnswer("list_networks", NetworkList)

/** The id of the oldest network of exactly that name. The engine itself would take a name for the beginning of an id. */
export const networkNamed = ({ call }: Caller, client: Docker, name: string): Effect.Effect<string | undefined, EngineError> =>
  call({ operation: "list_networks", deadlineMs }, (abortSignal) =>
    client.listNetworks({ filters: { name: [name] }, abortSignal } as Docker.NetworkListOptions)).pipe(
      Effect.flatMap(decodeList),
      // The engine's filter takes parts of names.
      Effect.map((found) => found.filter((network) => network.Name === name)),
      Effect.map((found) => [...found].sort((a, b) => Date.parse(a.Created) - Date.parse(b.Created) || (a.Id < b.Id ? -1 : 1))[0]?.Id)
    )

export const makeNetwork = (caller: Caller, client: Docker, name: string): Network => {
  const { call } = caller
  const known = Ref.makeUnsafe<string | undefined>(undefined)
  const oldest = networkNamed(caller, client, name)
  const create = call({ operation: "create_network", deadlineMs, mutates: true }, (abortSignal) =>
    client.createNetwork({
      abortSignal,
      _body: { Name: name, Driver: "bridge", CheckDuplicate: true, Labels: { [labels.owner]: ownerValue } }
    } as unknown as Docker.NetworkCreateOptions)).pipe(Effect.asVoid, Effect.catchIf((error) => error.reason === "Conflict", () => Effect.void))
  const one = Semaphore.makeUnsafe(1)
  const ensure = one.withPermits(1)(Effect.gen(function*() {
    const meanwhile = yield* Ref.get(known)
    if (meanwhile !== undefined) return meanwhile
    const found = (yield* oldest) ?? (yield* Effect.andThen(create, oldest))
    yield* Ref.set(known, found)
    return found!
  }))
  return {
    id: Effect.flatMap(Ref.get(known), (id) => id === undefined ? ensure : Effect.succeed(id)),
    forget: Ref.set(known, undefined)
  }
}
