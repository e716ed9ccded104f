/** What images say of themselves, remembered: an image's labels never change. */
import type Docker from "dockerode"
import { Effect } from "effect"
import { EngineError, type EngineReason } from "../ContainerEngine.ts"
import { InspectedImage, type ListedContainer } from "./answers.ts"
import { type Caller, decodeAnswer } from "./call.ts"
import { get } from "./connection.ts"
import { labels } from "./createBody.ts"
import { containerName, isGameId } from "../../domain/GameId.ts"

const deadlineMs = 5000
const decodeImage = decodeAnswer("inspect_image", InspectedImage)
const cannotTell: ReadonlySet<EngineReason> = new Set(["NotFound", "Internal", "Undecodable"])
/** Images remembered; the oldest is forgotten first. */
const maximumKnown = 1024

export interface Images {
  readonly has: (imageRef: string) => Effect.Effect<boolean, EngineError>
  /** Names of the labels of the image that the reference means now; none where it is not on the host. */
  readonly labelsOf: (imageRef: string) => Effect.Effect<ReadonlyArray<string>, EngineError>
  /** Its id on the host, after a pull: it may be gone again. */
  readonly pulledId: (imageRef: string) => Effect.Effect<string, EngineError>
  /**
   * Whether the container's game label came with its image: an image must not be able to make somebody's container ours.
   * One that has the game's own name was given it on purpose.
   */
  readonly madeOurs: (container: typeof ListedContainer.Type) => Effect.Effect<boolean, EngineError>
}

export const makeImages = ({ call }: Caller, client: Docker): Images => {
  const known = new Map<string, string | undefined>()
  const inspect = (operation: string, name: string) => call({ operation, deadlineMs }, (signal) => get(client, `/images/${name}/json?`, signal))

  const gameLabel = (imageId: string): Effect.Effect<string | undefined, EngineError> =>
    known.has(imageId) ? Effect.succeed(known.get(imageId)) : inspect("inspect_image", imageId).pipe(
      Effect.flatMap(decodeImage),
      Effect.map((image) => image.Config?.Labels?.[labels.gameId]),
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
    labelsOf: (imageRef) =>
      inspect("inspect_image", imageRef).pipe(
        Effect.flatMap(decodeImage),
        Effect.map((image) => Object.keys(image.Config?.Labels ?? {})),
        Effect.catchIf((error) => error.reason === "NotFound", () => Effect.succeed([]))
      ),
    pulledId: (imageRef) =>
      inspect("inspect_image", imageRef).pipe(
        Effect.flatMap(decodeImage),
        Effect.map(({ Id }) => Id),
        Effect.mapError((error) => error.reason === "NotFound"
          ? new EngineError({ operation: "pull", reason: "PullFailed", message: `image ${imageRef} was pulled but is not on the host` })
          : error)
      ),
    madeOurs: (container) => {
      const gameId = container.Labels?.[labels.gameId]
      if (isGameId(gameId) && container.Names?.includes(`/${containerName(gameId)}`)) return Effect.succeed(false)
      return Effect.map(gameLabel(container.ImageID), (label) => label !== undefined && label === gameId).pipe(
        // An image that is gone, or that the engine cannot read, says nothing: then its container is not known to be ours.
        Effect.catchIf((error) => cannotTell.has(error.reason), (error) =>
          Effect.as(Effect.logDebug(`the image of container ${container.Id.slice(0, 12)} cannot be read; it is left alone`, error), true))
      )
    }
  }
}
