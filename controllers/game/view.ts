/** Names for what the plan asks of an observation again and again. Pure. */
import type { PendingJob } from "../../src/domain/Job.ts"
import type { Observation, ObservedContainer } from "../../src/domain/Observation.ts"
import { isRunning } from "../../src/domain/Observation.ts"
import { parseDurationMs } from "../../src/domain/Quantity.ts"
import type { Condition, ConditionType, RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { matchesSpec } from "../../src/domain/specHash.ts"

/** The product's times, in milliseconds. */
export interface Settings {
  /** From the stop signal to SIGKILL where the spec says nothing else. */
  readonly stopGraceMs: number
  /** A stopped container is kept this long. */
  readonly retentionMs: number
  /** Restarts and failed starts wait `baseMs`, doubled each time up to `maxMs`, and begin anew after `stableMs` up. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number; readonly stableMs: number }
}

export const defaultBackoff: Settings["backoff"] = { baseMs: 1000, maxMs: 300_000, stableMs: 600_000 }

export interface View extends Observation {
  readonly settings: Settings
  readonly nowMs: number
  /** The container that is the game: the recorded one, else the best candidate. */
  readonly main: ObservedContainer | undefined
  /** Any other container of this game. */
  readonly strays: ReadonlyArray<ObservedContainer>
  /** Somebody wants it to run and no attempt was made for that wish yet: a newer generation, or an unanswered start job. */
  readonly newWish: boolean
}

export const view = (seen: Observation, settings: Settings, nowMs: number): View => {
  const main = mainContainer(seen)
  return {
    ...seen,
    settings,
    nowMs,
    main,
    strays: seen.containers.filter((container) => container !== main),
    newWish: hasNewWish(seen)
  }
}

const hasNewWish = ({ desired, record, jobs }: Observation): boolean =>
  desired?.state === "running" &&
  ((record?.observedGeneration ?? 0) < desired.generation ||
    jobs.some((job) => job.kind === "start" && job.generation === desired.generation))

/**
 * The generation of the row that a job is part of. One that was taken before there was a row is part of the row that was
 * written since, if that says what the job asked for.
 */
export const generationOf = ({ desired }: Observation, job: PendingJob): number =>
  job.generation ?? (desired === null || desired.state === "running" ? 0 : desired.generation)

/** The recorded one stays; else one made for this very wish; else the oldest running; else the oldest. */
const mainContainer = ({ containers, desired, record }: Observation): ObservedContainer | undefined => {
  const recorded = containers.find((container) => container.id === record?.currentContainerId)
  if (recorded) return recorded
  // What died in somebody's hands can neither run nor is it ours to remove.
  const candidates = containers.filter((container) => container.ours || container.state !== "dead")
  const rank = (container: ObservedContainer): number =>
    isRunning(container) && container.ours && container.runsWanted && container.generation === desired?.generation
      ? 0
      : isRunning(container)
      ? 1
      : container.ours && container.runsWanted
      ? 2
      : 3
  return candidates.sort((a, b) => rank(a) - rank(b) || a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))[0]
}

/** Whether the main container is the one that the record names. */
export const mainIsRecorded = (seen: View): boolean =>
  seen.main !== undefined && seen.main.id === seen.record?.currentContainerId

/** A clean end under `on_failure` is an end; an exit code that the engine lost, or a start that failed since, is none. */
const endedWell = ({ record }: View): boolean => record?.exitCode === 0 && !record.oomKilled && record.failureCount === 0

/** Whether the policy alone, without a new wish, keeps the game running. */
export const keptRunning = (seen: View): boolean =>
  seen.desired?.state === "running" && seen.desired.problem === null &&
  (seen.desired.restartPolicy === "always" || (seen.desired.restartPolicy === "on_failure" && !endedWell(seen)))

/** Whether a start is due now or later. */
export const startWanted = (seen: View): boolean =>
  seen.desired?.state === "running" && seen.desired.problem === null && seen.record?.status !== "removed" &&
  (seen.newWish || keptRunning(seen) || isReplacing(seen))

/** When the next start may be tried; now for a new wish. */
export const startDueAtMs = (seen: View): number => seen.newWish ? seen.nowMs : seen.record?.nextRestartAtMs ?? seen.nowMs

export const stopGraceMs = (seen: View): number => seen.desired?.spec.stop_grace === undefined
  ? seen.settings.stopGraceMs
  : parseDurationMs(seen.desired.spec.stop_grace) ?? seen.settings.stopGraceMs

/** `base x 2^times`, at most `max`. */
export const backoffMs = ({ baseMs, maxMs }: Settings["backoff"], times: number): number =>
  Math.min(maxMs, baseMs * 2 ** Math.min(times, 30))

/** A stopped container is kept this much longer; 0 or less: its time is up. */
export const retentionLeftMs = (seen: View): number =>
  (seen.record?.stoppedAtMs ?? seen.nowMs) + seen.settings.retentionMs - seen.nowMs

/**
 * Why the controller itself would remove the recorded, stopped container now; undefined: it would not. Its absence is then
 * our own doing, cut short before it was recorded, and not a disappearance.
 */
export const ownRemoval = (seen: View): "removed" | "replaced" | "retention" | undefined => {
  const { desired, record } = seen
  if (record?.status !== "stopped" || desired === null) return undefined
  if (desired.state === "removed") return "removed"
  if (!startWanted(seen)) return retentionLeftMs(seen) <= 0 ? "retention" : undefined
  const exchanged = isReplacing(seen) || record.lastErrorCode !== null || !ranWanted(seen)
  return exchanged && startDueAtMs(seen) <= seen.nowMs ? "replaced" : undefined
}

/** Whether what ran last is what the row asks for, as far as the record tells. */
export const ranWanted = ({ desired, record }: View): boolean =>
  desired !== null && record !== null && (record.specHash === null
    ? record.currentImageRef === desired.imageRef
    : record.specHash === desired.specHash || matchesSpec(record.specHash, desired.imageRef, desired.spec))

export const conditionOf = (record: RuntimeRecord | null, type: ConditionType): Condition | undefined =>
  record?.conditions.find((condition) => condition.type === type)

/** Its container is being exchanged for one that runs what the row says now. */
export const isReplacing = (seen: View): boolean =>
  seen.desired?.state === "running" && conditionOf(seen.record, "Progressing")?.reason === "Replacing"

/** Whether an act on it can succeed: the engine is not at work on it, and answers for it. */
export const isReachable = (container: ObservedContainer): boolean =>
  container.state !== "removing" && container.state !== "unresponsive"
