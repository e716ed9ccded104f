/** The row as the decision reads it: a spec or image that cannot be carried out becomes its `problem`. */
import { Result } from "effect"
import { type Admission, admissionProblem, noLimits } from "./Admission.ts"
import type { DesiredState, Game, RestartPolicy } from "./Game.ts"
import { decodeSpec, emptySpec, type GameSpec, maximumSpecBytes, type SpecProblem } from "./GameSpec.ts"
import { imageRefProblem } from "./ImageRef.ts"
import { specHash } from "./specHash.ts"

/** The image and spec that a row asks for. */
export interface Revision {
  readonly imageRef: string
  readonly spec: GameSpec
  /** `specHash` of image and spec. */
  readonly specHash: string
}

/** The row, with its spec decoded; `problem` says why it cannot be carried out (its spec then is the empty one). */
export interface Row {
  readonly state: DesiredState
  readonly restartPolicy: RestartPolicy
  readonly generation: number
  readonly desiredHash: string
  readonly restartRequestedAtMs: number | null
  readonly problem: SpecProblem | null
  readonly revision: Revision
}

const tooLarge = (bytes: number): SpecProblem => ({ path: "", message: `has ${bytes} bytes or more; it takes at most ${maximumSpecBytes}` })

export const decodeRow = (game: Game, admission: Admission = noLimits): Row => {
  const spec = game.specBytes === undefined ? decodeSpec(game.spec) : Result.fail(tooLarge(game.specBytes))
  const imageProblem = imageRefProblem(game.imageRef)
  const valid = Result.isSuccess(spec) ? spec.success : emptySpec
  return {
    state: game.state,
    restartPolicy: game.restartPolicy,
    generation: game.generation,
    desiredHash: game.desiredHash,
    restartRequestedAtMs: game.restartRequestedAtMs,
    problem: Result.isFailure(spec)
      ? { path: `spec${spec.failure.path === "" ? "" : `.${spec.failure.path}`}`, message: spec.failure.message }
      : imageProblem === undefined ? admissionProblem(game.imageRef, valid, admission) ?? null : { path: "image_ref", message: imageProblem },
    revision: { imageRef: game.imageRef, spec: valid, specHash: specHash(game.imageRef, valid) }
  }
}
