/** What images say of themselves, remembered: an image's labels never change. */
import type Docker from "dockerode"
import { Effect } from "effect"
import { monotonicMs } from "../../clock/monotonic.ts"
import { EngineError, type EngineReason } from "../ContainerEngine.ts"
import { InspectedImage, type ListedContainer } from "./answers.ts"
import { type Caller, decodeAnswer } from "./call.ts"
import { get } from "./connection.ts"
import { labels } from "./labels.ts"
import { containerName, isGameId } from "../../domain/GameId.ts"

const deadlineMs = 5000
const decodeImage = decodeAnswer("inspect_image", InspectedImage)
const cannotTell: ReadonlySet<EngineReason> = new Set(["NotFound", "Internal", "Undecodable"])
/** Images remembered; the oldest is forgotten first. */
const maximumKnown = 1024

/**
 * What a name means is true for as long: between a look at an image and what is done with it somebody may give the name to another
 * one at any time, and a hundred games of one image ask within a second.
 */
const meantMs = 1000

export interface Images {
  /** Whether it is on the host; true may be a second old. */
  readonly has: (imageRef: string) => Effect.Effect<boolean, EngineError>
  /** The same by a look of its own. */
  readonly isThere: (imageRef: string) => Effect.Effect<boolean, EngineError>
  /** Names of the labels of the image that the reference means, at most a second ago; none where it is not on the host. */
  readonly labelsOf: (imageRef: string) => Effect.Effect<ReadonlyArray<string>, EngineError>
  /** Its id on the host, after a pull: it may be gone again. */
  readonly pulledId: (imageRef: string) => Effect.Effect<string, EngineError>
  /**
   * Whether the container's game label came with its image: an image must not be able to make somebody's container ours.
   * One that has the game's own name was given it on purpose.
   */
  readonly madeOurs: (container: typeof ListedContainer.Type) => Effect.Effect<boolean, EngineError>
}

/** What a name means. */
interface Meaning {
  readonly id: string
  readonly labelNames: ReadonlyArray<string>
  readonly seenAtMs: number
}

export const makeImages = ({ call }: Caller, client: Docker): Images => {
  const known = new Map<string, string | undefined>()
  const meant = new Map<string, Meaning>()
  const inspect = (name: string) =>
    Effect.flatMap(call({ operation: "inspect_image", deadlineMs }, (signal) => get(client, `/images/${name}/json?`, signal)), decodeImage)

  const gameLabel = (imageId: string): Effect.Effect<string | undefined, EngineError> =>
    known.has(imageId) ? Effect.succeed(known.get(imageId)) : inspect(imageId).pipe(
      Effect.map((image) => image.Config?.Labels?.[labels.gameId]),
      Effect.tap((label) => Effect.sync(() => remember(imageId, label)))
    )
  const remember = (imageId: string, label: string | undefined) => {
    if (known.size >= maximumKnown) known.delete(known.keys().next().value!)
    known.set(imageId, label)
  }
  const look = Effect.fnUntraced(function*(imageRef: string) {
    meant.delete(imageRef)
    const image = yield* Effect.catchIf(inspect(imageRef), (error) => error.reason === "NotFound", () => Effect.succeed(undefined))
    if (image === undefined) return undefined
    const found: Meaning = { id: image.Id, labelNames: Object.keys(image.Config?.Labels ?? {}), seenAtMs: yield* monotonicMs }
    meant.set(imageRef, found)
    if (meant.size > maximumKnown) meant.delete(meant.keys().next().value!)
    return found
  })
  const meaningOf = Effect.fnUntraced(function*(imageRef: string) {
    const found = meant.get(imageRef)
    return found !== undefined && (yield* monotonicMs) - found.seenAtMs < meantMs ? found : yield* look(imageRef)
  })
  return {
    has: (imageRef) => Effect.map(meaningOf(imageRef), (found) => found !== undefined),
    isThere: (imageRef) => Effect.map(look(imageRef), (found) => found !== undefined),
    labelsOf: (imageRef) => Effect.map(meaningOf(imageRef), (found) => found?.labelNames ?? []),
    pulledId: (imageRef) =>
      Effect.flatMap(look(imageRef), (found) => found
        ? Effect.succeed(found.id)
        : Effect.fail(new EngineError({ operation: "pull", reason: "PullFailed", message: `image ${imageRef} was pulled but is not on the host` }))),
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
