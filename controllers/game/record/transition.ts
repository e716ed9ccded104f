/**
 * What becomes of a record: a run began or ended, a stop was begun, a start failed (`gone.ts`: its container is gone). Each answers
 * all that is made known with it. Whether it was done just now or found done after a crash makes no difference. Pure.
 */
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { HealthEvent } from "../../../src/domain/Health.ts"
import type { ContainerExit, Desired, Observation, ObservedContainer } from "../../../src/domain/Observation.ts"
import type { Operation, OperationKind } from "../../../src/domain/Operation.ts"
import { hasObserved, type RolloutPhase, type RuntimeRecord, type StopCause } from "../../../src/domain/RuntimeRecord.ts"
import { named } from "../../../src/domain/portSpec.ts"
import { hasNewWish } from "../decide/jobs.ts"
import { isExchanging, isFinalExit, isRestarting, restartAfter, retryAtMs } from "../decide/restart.ts"
import { isTarget } from "../decide/target.ts"
import type { Change, RecordChange } from "./change.ts"
import { operation } from "./operations.ts"

export const noFailure = { failureCount: 0, lastErrorCode: null, lastErrorReason: null, lastErrorMessage: null, nextRestartAtMs: null }

export const cleanSlate = { ...noFailure, restartCount: 0, finalExit: false }

/** The record is about what the row says now. */
export const observing = ({ desiredHash, generation }: Desired): RecordChange => ({ observedGeneration: generation, observedHash: desiredHash })

export const generationDone = ({ desired }: Observation): RecordChange => desired ? observing(desired) : {}

export const endIsWanted = ({ desired }: Observation): boolean => desired !== null && desired.state !== "running"

/** A game that is to have ended has failed at nothing and waits for nothing, whatever was tried before. */
export const atEnd = (seen: Observation): RecordChange => !endIsWanted(seen) ? {} : {
  ...cleanSlate,
  ...(seen.desired?.state === "stopped" ? generationDone(seen) : {})
}

/** Whether what ran last is what is to run, as far as the record tells. */
export const ranTarget = ({ record, target }: Observation): boolean =>
  target !== null && record !== null && isTarget({ specHash: record.specHash, imageRef: record.currentImageRef }, target)

// --- a run ----------------------------------------------------------------------------------------------------------------

/** What kind of start this is when a container of this game begins to run. */
export const startKind = (seen: Observation, inPlace: boolean): OperationKind => {
  if (isExchanging(seen) && !inPlace) return "reconcile_recreate"
  // What never ran as the row says is not restarted, however often it was tried.
  if (hasNewWish(seen) || !ranTarget(seen)) return "start"
  if (inPlace && isRestarting(seen)) return "restart"
  return inPlace ? "reconcile_restart" : "reconcile_recreate"
}

/** A run of `container`: recorded as running, told as started. `kind` undefined: no start of anybody's is logged. */
export const began = (
  seen: Observation,
  container: ObservedContainer,
  how: { readonly kind: OperationKind | undefined; readonly startedAtMs?: number }
): Change => {
  const isChange = hasNewWish(seen) || isExchanging(seen) || isRestarting(seen) || !ranTarget(seen)
  const restarted = !isChange && (how.kind === "reconcile_restart" || how.kind === "reconcile_recreate")
  const restartCount = isChange ? 0 : (seen.record?.restartCount ?? 0) + (restarted ? 1 : 0)
  const isAdoption = how.kind === "reconcile_adopt"
  const startedAtMs = how.kind === "restart" ? seen.record?.restartingSinceMs ?? undefined : how.startedAtMs
  return {
    record: { ...running(seen, container), restartCount, ...(how.startedAtMs === undefined ? {} : restartDone(seen)) },
    health: [{
      containerId: container.id,
      type: "container_started",
      occurredAtMs: container.startedAtMs ?? seen.nowMs,
      details: { image_ref: container.imageRef, ...(restarted ? { restart_count: restartCount } : {}) }
    }],
    operations: how.kind === undefined ? [] : [operation(seen, how.kind, {
      containerId: container.id,
      imageRef: container.imageRef,
      ...(isAdoption ? { source: "auto_reconcile" as const } : {}),
      ...(startedAtMs === undefined ? {} : { startedAtMs })
    })],
    ...(how.kind === undefined || isAdoption ? {} : { deed: "started" }),
    ...(container.warnings.length === 0 ? {} : { meanwhile: { warnings: container.warnings } })
  }
}

/** A restart that is asked for before a start of ours is done with it, whatever the clocks say. */
const restartDone = ({ desired, nowMs }: Observation): RecordChange =>
  desired?.restartRequestedAtMs != null && desired.restartRequestedAtMs <= nowMs ? { restartObservedAtMs: desired.restartRequestedAtMs } : {}

const running = (seen: Observation, container: ObservedContainer): RecordChange => {
  const isRunningWanted = seen.desired?.state === "running"
  const conform = isRunningWanted && seen.desired?.problem === null && container.runsWanted
  return {
    status: "running",
    currentContainerId: container.id,
    currentImageRef: container.imageRef,
    engineEndpoint: container.endpoint,
    ports: container.runsWanted ? named(container.ports, seen.target?.spec.ports) : container.ports,
    engineId: seen.engineId,
    startedAtMs: container.startedAtMs,
    stoppedAtMs: null,
    stopping: null,
    rollout: null,
    restartingSinceMs: null,
    exitCode: null,
    oomKilled: false,
    finalExit: false,
    // A change that failed has still failed when the container that it was to replace runs on.
    ...(conform || !isRunningWanted ? noFailure : {}),
    // Never the hash of another container: what this one runs is then told by its own labels.
    ...(conform
      ? { ...generationDone(seen), specHash: seen.target?.specHash ?? null }
      : container.id === seen.record?.currentContainerId ? {} : { specHash: null })
  }
}

/** The engine tells of any kill for memory in the container; the game itself was killed only when it ended by SIGKILL. */
export const isOomKill = ({ code, oomKilled }: ContainerExit): boolean => oomKilled && code === 137

/** The recorded container ended: told with its exit code, and whether that was asked for, by the intent that was recorded. */
export const ended = (seen: Observation, main: ObservedContainer, before: RuntimeRecord): Change => {
  const expected = endIsWanted(seen) || seen.desired === null || before.stopping !== null
  const exit = main.exit ?? { code: 0, oomKilled: false, finishedAtMs: null }
  const lost = exit.finishedAtMs === null
  const endedAtMs = exit.finishedAtMs ?? seen.nowMs
  const oomKilled = isOomKill(exit)
  const exitCode = lost ? null : exit.code
  const end = { exitCode, oomKilled, finalExit: !expected && isFinalExit(seen, exitCode) }
  const event: HealthEvent = {
    containerId: main.id,
    type: oomKilled ? "container_oom" : "container_exited",
    occurredAtMs: endedAtMs,
    details: {
      exit_code: exit.code,
      expected,
      ...(before.stopping === null ? {} : { because: before.stopping.because }),
      ...(lost ? { exit_code_lost: true } : {}),
      ...(exit.oomKilled && !oomKilled ? { oom_in_container: true } : {})
    }
  }
  return {
    record: {
      status: "stopped",
      ...end,
      // By the engine's clock, which may be ahead of this one.
      stoppedAtMs: Math.min(endedAtMs, seen.nowMs),
      stopping: null,
      ...atEnd(seen),
      ...(expected ? { restartCount: 0, nextRestartAtMs: null } : restartAfter(seen, before, { ...before, ...end, endedAtMs })),
      ...rolloutMoved(seen, "starting")
    },
    health: [event],
    ...(endIsWanted(seen) ? { operations: [stopDone(seen, main.id)], deed: "stopped" as const } : {})
  }
}

export const stopDone = (seen: Observation, containerId: string): Operation =>
  operation(seen, "stop", { containerId, startedAtMs: seen.record?.stopping?.sinceMs ?? seen.nowMs })

// --- intents --------------------------------------------------------------------------------------------------------------

/** Recorded before the signal is sent: whatever crashes then, its end is told as asked for. */
export const stoppingBegun = (seen: Observation, because: StopCause): Change => ({
  record: { stopping: { sinceMs: seen.nowMs, because, signalledAtMs: null } }
})

/** The running container is to give way to one that runs the target: `stoppingBegun`, and why. */
export const exchangeBegun = (seen: Observation): Change => ({
  record: {
    ...stoppingBegun(seen, "exchange").record,
    rollout: { from: seen.record?.specHash ?? null, to: seen.target?.specHash ?? "", sinceMs: seen.nowMs, phase: "stopping" }
  }
})

/** The running container is to be started again as it is. Which wish that was for is kept, so that it is carried out once. */
export const restartBegun = (seen: Observation): Change => ({
  record: { ...stoppingBegun(seen, "restart").record, restartingSinceMs: seen.nowMs, restartObservedAtMs: seen.desired?.restartRequestedAtMs ?? null }
})

/** `refusal`: the engine did not take the signal, and says why; the grace counts from here all the same. */
export const signalSent = (seen: Observation, refusal?: string): Change | undefined => {
  const stopping = seen.record?.stopping
  return stopping ? {
    record: { stopping: { ...stopping, signalledAtMs: seen.nowMs } },
    ...(refusal === undefined ? {} : { refused: { action: "Signal", message: refusal, sinceMs: seen.nowMs } })
  } : undefined
}

/** A rollout that is under way reached `phase`; one that nobody wants any more is over. */
export const rolloutMoved = (seen: Observation, phase: RolloutPhase): RecordChange => {
  const rollout = seen.record?.rollout
  return { rollout: rollout && isExchanging(seen) ? { ...rollout, to: seen.target?.specHash ?? rollout.to, phase } : null }
}

// --- attempts that failed -------------------------------------------------------------------------------------------------

/** `never` tries no more; other policies wait, and people are told again only when the reason is another one. */
export const attemptFailed = (
  seen: Observation,
  failure: Failure,
  detail: { readonly containerId?: string; readonly startedAtMs?: number } = {}
): Change => {
  const before = seen.record
  const sameWish = before !== null && seen.desired !== null && hasObserved(before, seen.desired)
  const again = sameWish && before.lastErrorCode === failure.code && before.lastErrorReason === failure.reason
  const failures = sameWish ? before.failureCount : 0
  return {
    record: {
      ...generationDone(seen),
      failureCount: failures + 1,
      finalExit: false,
      lastErrorCode: failure.code,
      lastErrorReason: failure.reason,
      lastErrorMessage: failure.message,
      nextRestartAtMs: retryAtMs(seen, failure.reason, failures),
      rollout: null,
      restartingSinceMs: null
    },
    operations: [operation(seen, "start", { failure, ...detail })],
    failure: { failure, tell: !again || seen.jobs.some((job) => job.kind === "start") }
  }
}

/** The engine answers an act other than a start with a refusal, again and again: it goes on, and jobs that wait for it are told. */
export const actRefused = (seen: Observation, action: string, failure: Failure): Change => ({
  refused: { action, message: failure.message, sinceMs: seen.record?.refused?.sinceMs ?? seen.nowMs },
  failure: { failure, tell: false }
})
