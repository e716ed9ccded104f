/**
 * The graph of all worlds that the decision can lead to: nodes are worlds with their times folded into what matters of them,
 * edges are steps that are carried out, get lost, fail or are refused, the passing of time, and engines that fall silent or
 * change.
 */
import { writtenBy } from "../../controllers/game/decide/clockSetBack.ts"
import { assess } from "../../controllers/game/observe/assess.ts"
import { answerAgain, fallSilent, type ModelContainer, pass, planWorld, step, switchEngine, timing, type World } from "./planModel.ts"
import { graceMs } from "./planPromises.ts"

const sign = (ms: number): string => (ms > 0 ? "+" : "-")

const runEvents: ReadonlySet<string> = new Set(["", "container_started", "container_exited", "container_oom", "container_disappeared"])

/** Worlds with equal keys have equal futures: ids are renamed, times become "over" or "not yet", counts are cut at 2. */
export const key = (world: World): string => {
  const { hidden, nowMs, record } = world
  const ids = new Map([...world.containers, ...hidden.containers].map((container, index) => [container.id, `#${index}`]))
  const at = (ms: number | null | undefined) => ms == null ? "" : sign(ms - nowMs)
  const looks = (container: ModelContainer) => [
    container.state, container.instance ?? "", container.generation, container.specHash, container.imageRef, container.networkGone === true, container.restartsByItself,
    container.startError, container.stopSignal, container.stopGraceMs, container.imageId, container.ports.map(({ host }) => host),
    container.startedAtMs === null ? "" : container.startedAtMs === record?.startedAtMs,
    container.exit && [container.exit.code, container.exit.oomKilled, container.exit.finishedAtMs === null]
  ]
  return JSON.stringify([
    world.row,
    record && [
      record.status, ids.get(record.currentContainerId ?? "") ?? (record.currentContainerId === null ? "" : "lost"),
      record.engineId, record.specHash, record.observedGeneration, record.observedHash, Math.min(record.restartCount, 2),
      at(record.nextRestartAtMs), Math.min(record.failureCount, 2), record.lastErrorCode, record.lastErrorReason,
      record.exitCode, record.oomKilled, record.finalExit,
      record.stopping && [record.stopping.because, record.stopping.signalledAtMs === null ? "" : at(record.stopping.signalledAtMs + graceMs(world))],
      record.rollout?.phase, record.refused !== null, record.restartingSinceMs !== null, writtenBy(record, assess(world)) === record,
      record.stoppedAtMs === null ? "" : at(record.stoppedAtMs + timing.retentionMs),
      record.conditions.map(({ reason, status }) => `${status} ${reason}`)
    ],
    world.row?.restartRequestedAtMs == null ? "" : [
      at(world.row.restartRequestedAtMs), world.row.restartRequestedAtMs > (record?.restartObservedAtMs ?? 0),
      world.row.restartRequestedAtMs > (record?.startedAtMs ?? 0)
    ],
    world.jobs,
    world.claims.map(({ host }) => host).sort(),
    // Of a run's beginning and end the record tells; what else was told of its health is told once.
    runEvents.has(world.lastHealth?.type ?? "") ? "" : world.lastHealth?.type,
    world.containers.map(looks),
    world.engineId,
    hidden.containers.map(looks),
    hidden.claims.map(({ host }) => host).sort(),
    world.pull,
    world.exchangesFull,
    world.imagePresent
  ])
}

/** Waits that no passing of time ends, short of the retention. */
export const isSettled = (world: World): boolean => {
  const { reason, step: decided } = planWorld(world)
  return decided._tag === "Wait" && world.pull._tag !== "Pulling" && !world.exchangesFull &&
    (decided.againMs === null || reason === "Retained" || reason === "ContainerUnresponsive")
}

const waitMs = (world: World): number => {
  const { step: decided } = planWorld(world)
  return decided._tag === "Wait" ? decided.againMs ?? 1000 : 1
}

/** The next world when everything goes well. */
export const nextWell = (world: World): World =>
  planWorld(world).step._tag === "Wait" ? pass(world, waitMs(world), "well", true) : pass(step(world, "ok"), 1, "well", true)

/** Every world that can come next, whatever goes wrong. */
export const nextAny = (world: World): ReadonlyArray<World> =>
  planWorld(world).step._tag === "Wait"
    ? [
      pass(world, waitMs(world), "well", true),
      pass(world, waitMs(world), "badly", false),
      pass(world, waitMs(world), "well", false),
      ...(isSettled(world) ? outages(world) : [])
    ]
    : (["ok", "lost", "unreached", "refused"] as const).map((luck) => {
      const next = step(world, luck)
      return { ...next, nowMs: next.nowMs + 1 }
    })

const outages = (world: World): ReadonlyArray<World> => [
  fallSilent(world),
  answerAgain(world, "running"),
  answerAgain(world, "exited"),
  ...(world.record?.engineId == null ? [] : [switchEngine(world)])
]
