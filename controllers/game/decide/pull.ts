/** The image pull that a game's present attempt may ask for. Pure, so that what is known of any other one can be forgotten. */
import type { Row } from "../../../src/domain/Row.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"

/**
 * Identity of the pull for the attempt that is due; undefined: none is. The same for all looks at one attempt and another for
 * the next, so that what a pull ended with is used up by the attempt it was made for.
 */
export const wantedPull = (row: Omit<Row, "restartRequestedAtMs"> | null, record: RuntimeRecord | null): string | undefined => {
  if (row?.state !== "running" || row.problem !== null || record?.status === "removed") return undefined
  const { imageRef, specHash } = row.revision
  const wish = `${row.generation} ${row.desiredHash}`
  // An exchange is one attempt, from the image before the old container goes to the start of the new one.
  const afterRun = record?.rollout ? "" : record?.stoppedAtMs ?? ""
  if (record?.status === "running" && record.stopping === null && record.specHash === specHash) return undefined
  return `${imageRef} ${wish} ${record?.observedGeneration ?? 0} ${record?.observedHash ?? ""} ${record?.failureCount ?? 0} ${afterRun}`
}
