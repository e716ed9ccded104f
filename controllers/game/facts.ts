/** Rules about what happened: they make known how the engine's state differs from the record. Each is told once. */
import { imageRefProblem } from "../../src/domain/ImageRef.ts"
import type { HealthEvent } from "../../src/domain/Health.ts"
import { isRunning, type ObservedContainer } from "../../src/domain/Observation.ts"
import type { OperationKind } from "../../src/domain/Operation.ts"
import { emptySpec } from "../../src/domain/GameSpec.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { specHash } from "../../src/domain/specHash.ts"
import { type Change, commitOf, operation } from "./commit.ts"
import type { Reason } from "./reasons.ts"
import type { Plan } from "./step.ts"
import { backoffMs, isReplacing, keptRunning, mainIsRecorded, removalIsOurs, startWanted, type View } from "./view.ts"

const unresponsiveAgainMs = 30_000
const removingAgainMs = 1000

const record = (seen: View, reason: Reason, change: Change, report?: string): Plan => ({
  reason,
  step: { _tag: "Record", commit: commitOf(seen, change) },
  ...(report === undefined ? {} : { report })
})

const noFailure = { failureCount: 0, lastErrorCode: null, lastErrorReason: null, lastErrorMessage: null, nextRestartAtMs: null }

const noContainer = { currentContainerId: null, engineEndpoint: null, engineId: null, stoppingSinceMs: null }

/** Says once that readiness cannot be told, then waits. */
const unknown = (seen: View, reason: Reason, message: string, againMs: number | null): Plan => {
  const known = seen.record?.conditions.find((condition) => condition.type === "Ready")
  return seen.record === null || known?.reason === reason
    ? { reason, step: { _tag: "Wait", againMs }, report: message }
    : record(seen, reason, { unknown: { reason, message } }, message)
}

export const engineChanged = (seen: View): Plan | undefined => {
  if (seen.recorded !== "elsewhere" || seen.record === null || seen.record.status === "removed") return undefined
  // A newer generation is somebody's word that the row is meant for this engine.
  if ((seen.desired?.generation ?? 0) > seen.record.observedGeneration) {
    return record(seen, "EngineChanged", { record: { ...noContainer, status: "stopped", stoppedAtMs: seen.record.stoppedAtMs ?? seen.nowMs } })
  }
  return unknown(
    seen,
    "EngineChanged",
    `container ${seen.record?.currentContainerId} is on engine ${seen.record?.engineId}, but ${seen.engineId} answers; ` +
      "connect that engine, or change the game's row to start it here",
    null
  )
}

export const unresponsive = (seen: View): Plan | undefined =>
  seen.main?.state !== "unresponsive" ? undefined : unknown(
    seen,
    "ContainerUnresponsive",
    `the engine lists container ${seen.main.id} but does not answer for it`,
    unresponsiveAgainMs
  )

export const disappeared = (seen: View): Plan | undefined => {
  const before = seen.record
  if (seen.recorded !== "gone" || before === null || before.status === "removed") return undefined
  const id = before.currentContainerId!
  if (removalIsOurs(seen)) return record(seen, "RemovalCompleted", removal(seen, id))
  const event: HealthEvent = {
    containerId: id,
    type: "container_disappeared",
    occurredAtMs: seen.nowMs,
    details: { last_status: before.status }
  }
  const stopped = { ...noContainer, stoppedAtMs: before.stoppedAtMs ?? seen.nowMs }
  if (seen.desired?.state === "removed" || isDisposed(seen)) {
    return record(seen, "ContainerDisappeared", {
      record: { ...stopped, status: "removed", removedAtMs: seen.nowMs, nextRestartAtMs: null, ...observed(seen) },
      health: [event],
      operations: [operation(seen, "reconcile_dispose", { source: "auto_reconcile", containerId: id, imageRef: before.currentImageRef })]
    })
  }
  return record(seen, "ContainerDisappeared", {
    record: { ...stopped, status: "stopped", ...(seen.desired?.state === "stopped" ? observed(seen) : {}) },
    health: [event]
  })
}

/** Policy `never`: a game whose container was taken away is over, unless somebody wants it again. */
const isDisposed = (seen: View): boolean =>
  seen.desired === null || (seen.desired.state === "running" && seen.desired.restartPolicy === "never" && !seen.newWish)

/** The change that a removal of our own makes known, whether it was carried out now or found carried out. */
export const removal = (seen: View, id: string): Change => {
  const removed = seen.desired?.state === "removed"
  // To make room for the next one is a step of that start, not a deed of its own.
  const kept = isReplacing(seen) || seen.record?.lastErrorCode != null || startWanted(seen)
  return {
    record: removed
      ? { ...noContainer, status: "removed", removedAtMs: seen.nowMs, nextRestartAtMs: null, ...observed(seen) }
      : noContainer,
    operations: kept && !removed
      ? []
      : [operation(seen, "cleanup_container", {
        ...(removed ? {} : { source: "auto_ttl" as const }),
        containerId: id,
        imageRef: seen.record?.currentImageRef ?? null
      })],
    ...(isReplacing(seen) && !removed ? { progress: replacing } : {})
  }
}

export const replacing = { status: "True", reason: "Replacing", message: "making a container for the changed row" } as const

const observed = (seen: View) => seen.desired ? { observedGeneration: seen.desired.generation } : {}

export const removedForGood = (seen: View): Plan | undefined => {
  if (seen.record?.status !== "removed") return undefined
  const own = seen.containers.find((container) => container.ours)
  if (own && seen.desired?.state === "removed" && own.state !== "removing") {
    return { reason: "LeftoverOfRemoved", step: { _tag: "Act", action: isRunning(own) ? { _tag: "Kill", container: own } : { _tag: "Remove", container: own, because: "stray" } } }
  }
  if (seen.jobs.length > 0) {
    return { reason: "RemovedForGood", step: { _tag: "Record", commit: { ...commitOf(seen, {}), record: null } } }
  }
  const names = seen.containers.map((container) => container.name).join(", ")
  return {
    reason: "RemovedForGood",
    step: { _tag: "Wait", againMs: null },
    ...(names === "" ? {} : { report: `game ${seen.gameId} was removed, but container ${names} carries its labels; it is left alone` })
  }
}

export const ended = (seen: View): Plan | undefined => {
  const { main, record: before } = seen
  if (before?.status !== "running" || main === undefined || !mainIsRecorded(seen) || isRunning(main)) return undefined
  if (main.state === "removing" && main.exit === null) return undefined
  const expected = seen.desired?.state !== "running" || before.stoppingSinceMs !== null
  const exit = main.exit ?? { code: 0, oomKilled: false, finishedAtMs: null }
  const lost = exit.finishedAtMs === null
  const stopWished = seen.desired !== null && seen.desired.state !== "running"
  return record(seen, "ContainerEnded", {
    record: {
      status: "stopped",
      exitCode: lost ? null : exit.code,
      oomKilled: exit.oomKilled,
      stoppedAtMs: exit.finishedAtMs ?? seen.nowMs,
      stoppingSinceMs: null,
      ...(stopWished && seen.desired?.state === "stopped" ? observed(seen) : {}),
      ...(expected ? { restartCount: 0, nextRestartAtMs: null } : restart(seen, before, lost ? null : exit))
    },
    health: [{
      containerId: main.id,
      type: exit.oomKilled ? "container_oom" : "container_exited",
      occurredAtMs: exit.finishedAtMs ?? seen.nowMs,
      details: { exit_code: exit.code, expected, ...(lost ? { exit_code_lost: true } : {}) }
    }],
    operations: stopWished ? [operation(seen, "stop", { containerId: main.id, startedAtMs: before.stoppingSinceMs ?? seen.nowMs })] : [],
    ...(isReplacing(seen) ? { progress: replacing } : {})
  })
}

/** The name stays taken until the engine is through with a removal; its `destroy` comes when it is. */
export const removing = (seen: View): Plan | undefined =>
  seen.main?.state === "removing" ? { reason: "Removing", step: { _tag: "Wait", againMs: removingAgainMs } } : undefined

/** Counts restarts in a row: the first waits the base time, and a stable run begins the count anew. */
const restart = (
  seen: View,
  before: RuntimeRecord,
  exit: { readonly code: number; readonly oomKilled: boolean; readonly finishedAtMs: number | null } | null
) => {
  const { backoff } = seen.settings
  const upMs = (exit?.finishedAtMs ?? seen.nowMs) - (before.startedAtMs ?? seen.nowMs)
  const count = upMs >= backoff.stableMs ? 0 : before.restartCount
  const after = { ...before, exitCode: exit?.code ?? null, oomKilled: exit?.oomKilled ?? false }
  return keptRunning({ ...seen, record: after })
    ? { restartCount: count, nextRestartAtMs: seen.nowMs + backoffMs(backoff, count) }
    : { restartCount: 0, nextRestartAtMs: null }
}

export const resumed = (seen: View): Plan | undefined => {
  const { main, record: before } = seen
  if (before === null || main === undefined || !mainIsRecorded(seen) || !isRunning(main)) return undefined
  const anotherRun = before.startedAtMs !== null && main.startedAtMs !== null && before.startedAtMs !== main.startedAtMs
  if (before.status === "running" && !anotherRun) return undefined
  const ownStart = before.status === "stopped" && (seen.newWish || keptRunning(seen)) && main.runsWanted
  return record(seen, "ContainerResumed", started(seen, main, {
    kind: before.status === "running" ? undefined : !ownStart ? "reconcile_adopt" : seen.newWish ? "start" : "reconcile_restart"
  }))
}

/**
 * The change that a run of `container` makes known: recorded as running, told as started. Whether the start was carried
 * out now or found carried out after a crash makes no difference.
 */
export const started = (
  seen: View,
  container: ObservedContainer,
  how: { readonly kind: OperationKind | undefined; readonly startedAtMs?: number }
): Change => {
  const restarted = how.kind === "reconcile_restart" || how.kind === "reconcile_recreate"
  const conform = seen.desired?.state === "running" && seen.desired.problem === null && container.runsWanted
  return {
    record: {
      status: "running",
      currentContainerId: container.id,
      currentImageRef: container.imageRef,
      engineEndpoint: container.endpoint,
      engineId: seen.engineId,
      startedAtMs: container.startedAtMs,
      stoppedAtMs: null,
      stoppingSinceMs: null,
      exitCode: null,
      oomKilled: false,
      // A change that failed has still failed when the container that it was to replace runs on.
      ...(conform || seen.desired?.state !== "running" ? noFailure : {}),
      restartCount: restarted ? (seen.record?.restartCount ?? 0) + 1 : seen.newWish ? 0 : seen.record?.restartCount ?? 0,
      // Never the hash of another container: what this one runs is then told by its own labels.
      ...(conform
        ? { ...observed(seen), specHash: seen.desired!.specHash }
        : container.id === seen.record?.currentContainerId ? {} : { specHash: null })
    },
    health: [{
      containerId: container.id,
      type: "container_started",
      occurredAtMs: container.startedAtMs ?? seen.nowMs,
      details: { image_ref: container.imageRef, ...(restarted ? { restart_count: (seen.record?.restartCount ?? 0) + 1 } : {}) }
    }],
    operations: how.kind === undefined ? [] : [operation(seen, how.kind, {
      containerId: container.id,
      imageRef: container.imageRef,
      ...(how.kind === "reconcile_adopt" ? { source: "auto_reconcile" as const } : {}),
      ...(how.startedAtMs === undefined ? {} : { startedAtMs: how.startedAtMs })
    })]
  }
}

/** What kind of start this is when a container of this game begins to run. */
export const startKind = (seen: View, inPlace: boolean): OperationKind =>
  isReplacing(seen) ? "reconcile_recreate" : seen.newWish ? "start" : inPlace ? "reconcile_restart" : "reconcile_recreate"

export const adopted = (seen: View): Plan | undefined => {
  const { desired, main, record: before } = seen
  if (main === undefined || mainIsRecorded(seen) || before?.currentContainerId != null) return undefined
  if (before?.status === "removed" || desired?.state === "removed") return undefined
  if (main.state === "dead") return undefined
  const ownStart = main.ours && main.runsWanted && desired?.state === "running" && main.generation === desired.generation
  if (ownStart && main.startedAtMs !== null && main.startError === "" && (seen.newWish || keptRunning(seen))) {
    return record(seen, "StartCompleted", started(seen, main, { kind: startKind(seen, false) }))
  }
  if (main.ours && desired !== null && !isRunning(main)) return undefined // a leftover: the row's rules start or remove it
  if (notAdoptable(seen) !== undefined) return undefined
  return record(seen, "Adopted", adoption(seen, main))
}

/** Why the main container cannot be adopted: no row can be written for it. */
export const notAdoptable = (seen: View): string | undefined => {
  const problem = seen.desired === null && seen.record === null && seen.main ? imageRefProblem(seen.main.imageRef) : undefined
  return problem && `container ${seen.main?.name} cannot be adopted: its label com.galaxy.engine_image_ref ${problem}`
}

const adoption = (seen: View, main: ObservedContainer): Change => {
  const runs = isRunning(main)
  const adopt = seen.desired === null
    ? { imageRef: main.imageRef, state: runs ? "running" as const : "stopped" as const, restartPolicy: "never" as const }
    : null
  const first = seen.desired === null
    ? { observedGeneration: 1, specHash: specHash(main.imageRef, emptySpec) }
    : {}
  if (runs) {
    const change = started(seen, main, { kind: "reconcile_adopt" })
    return { ...change, adopt, record: { ...change.record, ...first } }
  }
  return {
    adopt,
    record: {
      status: "stopped",
      currentContainerId: main.id,
      currentImageRef: main.imageRef,
      engineId: seen.engineId,
      startedAtMs: main.startedAtMs,
      stoppedAtMs: main.exit?.finishedAtMs ?? seen.nowMs,
      exitCode: main.exit?.code ?? null,
      oomKilled: main.exit?.oomKilled ?? false,
      specHash: null,
      ...first
    },
    operations: [operation(seen, "reconcile_adopt", { source: "auto_reconcile", containerId: main.id, imageRef: main.imageRef })]
  }
}
