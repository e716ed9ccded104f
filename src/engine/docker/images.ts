/** What images say of themselves, remembered: an image's labels never change. */
import type Docker from "dockerode"
import { Effect } from "effect"
import type { EngineError } from "../ContainerEngine.ts"
import { InspectedImage, type ListedContainer } from "./answers.ts"
import { type Caller, decodeAnswer } from "./call.ts"
import { labels } from "./createBody.ts"
import { containerName, isGameId } from "../../domain/GameId.ts"

const deadlineMs = 5000
const decodeImage = decodeAnswer("inspect_image", InspectedImage)
/** Images remembered; the oldest is forgotten first. */
const maximumKnown = 1024

export interface Images {
  readonly has: (imageRef: string) => Effect.Effect<boolean, EngineError>
  /**
   * Whether the container's game label came with its image: an image must not be able to make somebody's container ours.
   * One that has the game's own name was given it on purpose.
   */
  readonly madeOurs: (container: typeof ListedContainer.Type) => Effect.Effect<boolean, EngineError>
}

export const makeImages = ({ call }: Caller, client: Docker): Images => {
  const known = new Map<string, string | undefined>()
  const inspect = (operation: string, name: string) =>
    call({ operation, deadlineMs }, (abortSignal) => client.getImage(name).inspect({ abortSignal } as Docker.ImageInspectOptions) as Promise<unknown>)

  const gameLabel = (imageId: string): Effect.Effect<string | undefined, EngineError> =>
    known.has(imageId) ? Effect.succeed(known.get(imageId)) : inspect("inspect_image", imageId).pipe(
      Effect.flatMap(decodeImage),
      Effect.map((image) => image.Config?.Labels?.[labels.gameId]),
      Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(undefined)),
      Effect.tap((label) => Effect.sync(() => remember(imageId, label)))
    )
  const remember = (imageId: string, label: string | undefined) => {
    if (known.size >= maximumKnown) known.delete(known.keys().next().value!)
    known.set(imageId, label)
  }
  return {
    has: (imageRef) =>
      inspect("has_image", imageRef).pipe(
        Effect.as(true),
        Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed(false))
      ),
    madeOurs: (container) => {
      const gameId = container.Labels?.[labels.gameId]
      if (isGameId(gameId) && container.Names?.includes(`/${containerName(gameId)}`)) return Effect.succeed(false)
      return Effect.map(gameLabel(container.ImageID), (label) => label !== undefined && label === gameId)
    }
  }
}
