/** Which revision is to run. The only place that reads the row's image and spec; rules see the `Target`. Pure. */
import type { PullPolicy } from "../../../src/domain/GameSpec.ts"
import type { Target } from "../../../src/domain/Observation.ts"
import { backoffOf } from "../../../src/domain/RestartSpec.ts"
import type { Row } from "../../../src/domain/Row.ts"
import { parseDurationMs } from "../../../src/domain/Quantity.ts"
import { matchesSpec } from "../../../src/domain/specHash.ts"
import type { Timing } from "../../../src/domain/Timing.ts"

export const targetOf = ({ generation, revision }: Row, pullPolicy: PullPolicy, timing: Timing): Target => ({
  ...revision,
  generation,
  pullPolicy: revision.spec.pull_policy ?? pullPolicy,
  stopGraceMs: parseDurationMs(revision.spec.stop_grace ?? "") ?? timing.stopGraceMs,
  backoff: backoffOf(revision.spec.restart, timing.backoff),
  neverOn: revision.spec.restart?.never_on ?? []
})

/** What runs somewhere: its spec hash where that is known, else its image. */
export interface Running {
  readonly specHash: string | null
  readonly imageRef: string | null
}

/** Whether what runs is what is to run. One without a hash is taken at its image's word. */
export const isTarget = ({ imageRef, specHash }: Running, target: Pick<Target, "imageRef" | "spec" | "specHash">): boolean =>
  specHash === null
    ? imageRef === target.imageRef
    : specHash === target.specHash || matchesSpec(specHash, target.imageRef, target.spec)
