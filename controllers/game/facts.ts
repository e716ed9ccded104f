/** Rules about what happened: they make known how the engine's state differs from the record. Each is told once. */
import type { HealthEvent } from "../../src/domain/Health.ts"
import { isRunning, type ObservedContainer } from "../../src/domain/Observation.ts"
import type { Operation, OperationKind } from "../../src/domain/Operation.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { type Change, cleanSlate, goesOn, noContainer, noFailure, operation } from "./commit.ts"
import { act, type Action, type Plan, record, wait } from "./step.ts"
import { backoffMs, isReachable, isReplacing, keptRunning, mainIsRecorded, ownRemoval, ranWanted, startWanted, type View } from "./view.ts"

const removingAgainMs = 1000

const observed = (seen: View) => seen.desired ? { observedGeneration: seen.desired.generation } : {}

const endIsWanted = (seen: View): boolean => seen.desired !== null && seen.desired.state !== "running"

/** A game that is to have ended has failed at nothing and waits for nothing, whatever was tried before. */
const atEnd = (seen: View): Change["record"] => !endIsWanted(seen) ? {} : {
  ...cleanSlate,
  ...(seen.desired?.state === "stopped" ? observed(seen) : {})
}

const stop = (seen: View, containerId: string): Operation =>
  operation(seen, "stop", { containerId, startedAtMs: seen.record?.stoppingSinceMs ?? seen.nowMs })

export const disappeared = (seen: View): Plan | undefined => {
  const before = seen.record
  if (seen.recorded !== "gone" || before === null || before.status === "removed") return undefined
  const id = before.currentContainerId!
  const own = ownRemoval(seen)
  if (own !== undefined) return record(seen, "RemovalCompleted", removal(seen, id, own))
  const over = isDisposed(seen)
  return record(seen, "ContainerDisappeared", {
    record: {
      ...noContainer,
      stoppedAtMs: before.stoppedAtMs ?? seen.nowMs,
      ...atEnd(seen),
      ...(over ? { status: "removed", removedAtMs: seen.nowMs, nextRestartAtMs: null, ...observed(seen) } : { status: "stopped" })
    },
    health: [{ containerId: id, type: "container_disappeared", occurredAtMs: seen.nowMs, details: { last_status: before.status } }],
    operations: [
      // The signal was ours: whoever removed it (a container made with --rm goes by itself), the game was stopped.
      ...(before.stoppingSinceMs !== null && endIsWanted(seen) ? [stop(seen, id)] : []),
      ...(over ? [operation(seen, "reconcile_dispose", { source: "auto_reconcile", containerId: id, imageRef: before.currentImageRef })] : [])
    ],
    ...goesOn(seen)
  })
}

/** A game whose container was taken away is over when its row says removed, or never without anybody who wants it again. */
const isDisposed = (seen: View): boolean =>
  seen.desired === null || seen.desired.state === "removed" ||
  (seen.desired.state === "running" && seen.desired.restartPolicy === "never" && !seen.newWish && !isReplacing(seen))

/**
 * The change that a removal of our own makes known, whether it was carried out now or found carried out. To make room for
 * the next container is a step of its start, not a deed of its own.
 */
export const removal = (seen: View, id: string, because: (Action & { readonly _tag: "Remove" })["because"]): Change => {
  const detail = { containerId: id, imageRef: seen.record?.currentImageRef ?? null }
  return because === "removed"
    ? {
      record: { ...noContainer, ...cleanSlate, status: "removed", removedAtMs: seen.nowMs, ...observed(seen) },
      operations: [operation(seen, "cleanup_container", detail)]
    }
    : {
      record: noContainer,
      operations: because === "retention" ? [operation(seen, "cleanup_container", { ...detail, source: "auto_ttl" })] : [],
      ...goesOn(seen)
    }
}

export const removedForGood = (seen: View): Plan | undefined => {
  if (seen.record?.status !== "removed") return undefined
  const own = seen.containers.find((container) => container.ours && isReachable(container))
  if (own && seen.desired?.state === "removed") {
    return act("LeftoverOfRemoved", isRunning(own) ? { _tag: "Kill", container: own } : { _tag: "Remove", container: own, because: "stray" })
  }
  const names = seen.containers.map((container) => container.name).join(", ")
  return {
    ...wait(seen, "RemovedForGood", null),
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
  const event: HealthEvent = {
    containerId: main.id,
    type: exit.oomKilled ? "container_oom" : "container_exited",
    occurredAtMs: exit.finishedAtMs ?? seen.nowMs,
    details: { exit_code: exit.code, expected, ...(lost ? { exit_code_lost: true } : {}) }
  }
  return record(seen, "ContainerEnded", {
    record: {
      status: "stopped",
      exitCode: lost ? null : exit.code,
      oomKilled: exit.oomKilled,
      stoppedAtMs: exit.finishedAtMs ?? seen.nowMs,
      stoppingSinceMs: null,
      ...atEnd(seen),
      ...(expected ? { restartCount: 0, nextRestartAtMs: null } : restart(seen, before, lost ? null : exit))
    },
    health: [event],
    operations: endIsWanted(seen) ? [stop(seen, main.id)] : [],
    ...goesOn(seen)
  })
}

/** The name stays taken until the engine is through with a removal; its `destroy` comes when it is. */
export const removing = (seen: View): Plan | undefined =>
  seen.main?.state === "removing" ? wait(seen, "Removing", removingAgainMs) : undefined

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
  const ownStart = before.status === "stopped" && startWanted(seen) && main.runsWanted
  return record(seen, "ContainerResumed", started(seen, main, {
    kind: before.status === "running" ? undefined : ownStart ? startKind(seen, true) : "reconcile_adopt"
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
  const isChange = seen.newWish || isReplacing(seen) || !ranWanted(seen)
  const restarted = !isChange && (how.kind === "reconcile_restart" || how.kind === "reconcile_recreate")
  const restartCount = isChange ? 0 : (seen.record?.restartCount ?? 0) + (restarted ? 1 : 0)
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
      restartCount,
      // Never the hash of another container: what this one runs is then told by its own labels.
      ...(conform
        ? { ...observed(seen), specHash: seen.desired!.specHash }
        : container.id === seen.record?.currentContainerId ? {} : { specHash: null })
    },
    health: [{
      containerId: container.id,
      type: "container_started",
      occurredAtMs: container.startedAtMs ?? seen.nowMs,
      details: { image_ref: container.imageRef, ...(restarted ? { restart_count: restartCount } : {}) }
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
export const startKind = (seen: View, inPlace: boolean): OperationKind => {
  if (isReplacing(seen) && !inPlace) return "reconcile_recreate"
  // What never ran as the row says is not restarted, however often it was tried.
  if (seen.newWish || !ranWanted(seen)) return "start"
  return inPlace ? "reconcile_restart" : "reconcile_recreate"
}
