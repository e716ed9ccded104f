/**
 * Conditions: what the record and the wait say, in Kubernetes' shape, for people. A projection: nothing decides on one. What
 * was told before is compared with what is so now only to find out whether it must be told anew.
 */
import type { SpecProblem } from "../../../src/domain/GameSpec.ts"
import type { Condition, ConditionType, Refused, RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"

/** Why it is on its way (`Progressing=True`) or not (`False`). */
export interface Progress {
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

/** What is so while a game waits, beyond what its record says. */
export interface Meanwhile {
  /** Why readiness cannot be told. */
  readonly unknown?: { readonly reason: string; readonly message: string }
  readonly progress?: Progress
  /** What the engine warned of when it made the container that runs. */
  readonly warnings?: ReadonlyArray<string>
  /** The recorded refusal still holds. */
  readonly refused?: Refused
}

/** Of the container that was made: kept for as long as it is the game's, whoever looks. There is none where all is as asked. */
const asSpecified = (before: ReadonlyArray<Condition>, isSameContainer: boolean, { warnings = [] }: Meanwhile, nowMs: number): ReadonlyArray<Condition> => {
  const old = isSameContainer ? find(before, "AsSpecified") : undefined
  if (warnings.length === 0) return old ? [old] : []
  const told = { type: "AsSpecified", status: "False", reason: "EngineWarned", message: warnings.join("; ") } as const
  return [{ ...told, last_transition_at: old?.last_transition_at ?? new Date(nowMs).toISOString() }]
}

type Told = Omit<Condition, "last_transition_at">

const projection = (record: RuntimeRecord, problem: SpecProblem | null | undefined, meanwhile: Meanwhile): ReadonlyArray<Told> => [
  { type: "Ready", ...ready(record, meanwhile) },
  { type: "Progressing", ...progressing(record, meanwhile) },
  problem
    ? { type: "SpecValid", status: "False", reason: "Invalid", message: specProblemText(problem) }
    : { type: "SpecValid", status: "True", reason: "Valid", message: "" }
]

/** The conditions of `next`; `before` has those that were told last. */
export const conditionsOf = (
  { conditions: before, currentContainerId }: Pick<RuntimeRecord, "conditions" | "currentContainerId">,
  next: RuntimeRecord,
  problem: SpecProblem | null | undefined,
  meanwhile: Meanwhile,
  nowMs: number
): ReadonlyArray<Condition> => [
  ...projection(next, problem, meanwhile).map((condition) => {
    const old = find(before, condition.type)
    return { ...condition, last_transition_at: old?.status === condition.status ? old.last_transition_at : new Date(nowMs).toISOString() }
  }),
  ...asSpecified(before, currentContainerId === next.currentContainerId, meanwhile, nowMs)
]

/** Whether the record's conditions say what is so. */
export const areTold = (record: RuntimeRecord, problem: SpecProblem | null | undefined, meanwhile: Meanwhile): boolean =>
  projection(record, problem, meanwhile).every((now) => {
    const told = find(record.conditions, now.type)
    return told !== undefined && told.status === now.status && told.reason === now.reason && told.message === now.message
  })

const find = (conditions: ReadonlyArray<Condition>, type: ConditionType) => conditions.find((condition) => condition.type === type)

const ready = (record: RuntimeRecord, { unknown }: Meanwhile): Omit<Told, "type"> => {
  if (unknown) return { status: "Unknown", ...unknown }
  const no = (reason: string, message = "") => ({ status: "False" as const, reason, message })
  if (record.status === "removed") return no("Removed")
  if (record.status === "running") return record.stopping === null ? { status: "True", reason: "ContainerRunning", message: "" } : no("Stopping")
  if (record.lastErrorCode !== null) return no(record.lastErrorReason ?? record.lastErrorCode, record.lastErrorMessage ?? "")
  if (record.finalExit) return no("NeverOn", `exit code ${record.exitCode}, on which it is never restarted`)
  return record.exitCode === null ? no("ContainerStopped") : no("ContainerExited", `exit code ${record.exitCode}`)
}

const progressing = (record: RuntimeRecord, { progress }: Meanwhile): Progress => {
  const yes = (reason: string, message = "") => ({ status: "True" as const, reason, message })
  if (record.refused !== null) return yes("EngineRefuses", `${record.refused.action}: ${record.refused.message}`)
  if (record.rollout !== null) return yes("Replacing", "making a container for the changed row")
  if (record.restartingSinceMs !== null) return yes("Restarting", `asked for at ${isoOf(record.restartObservedAtMs)}`)
  if (record.stopping !== null) return yes("Stopping")
  if (progress) return progress
  if (record.nextRestartAtMs === null) return { status: "False", reason: "Settled", message: "" }
  const next = `next try at ${isoOf(record.nextRestartAtMs)}`
  return inARow(record) < 2 ? yes("BackOff", next) : yes("CrashLoopBackOff", `${next}, after ${inARow(record)} in a row that ended or could not be started`)
}

const isoOf = (ms: number | null): string => ms === null ? "" : new Date(ms).toISOString()

/** Runs and starts that came to nothing, without a stable run since. An image that cannot be had is no crash, nor is a change that waits. */
const inARow = ({ failureCount, lastErrorCode, restartCount, status }: RuntimeRecord): number =>
  status === "running" || lastErrorCode === "image_pull_failed" ? 0 : failureCount + (restartCount > 0 || failureCount === 0 ? restartCount + 1 : 0)

export const specProblemText = (problem: SpecProblem): string => problem.path === "" ? problem.message : `${problem.path}: ${problem.message}`
