/**
 * A row that was made again without its triggers, as a restore of data alone does it: its generation begins anew, and is no word of
 * what is desired. One that says what was carried out is no new wish; one that says something else is, whatever its number (`isNewTo`). Pure.
 */
import type { Observation } from "../../../src/domain/Observation.ts"
import { isNewTo } from "../../../src/domain/RuntimeRecord.ts"
import { observing } from "../record/transition.ts"
import { type Finding, record } from "./step.ts"

/** What the row says is known, but under a later generation. */
export const rowMadeAgain = (seen: Observation): Finding | undefined => {
  const { desired, record: before } = seen
  if (desired === null || before === null || before.status === "removed") return undefined
  return before.observedGeneration > desired.generation && !isNewTo(before, desired)
    ? record(seen, "RowMadeAgain", { record: observing(desired) })
    : undefined
}
