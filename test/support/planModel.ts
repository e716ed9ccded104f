/**
 * A small pure model of one game's world (row, record, jobs, engine), for carrying plans out without any I/O. It is
 * written from the contract and from Docker's behaviour, not from the plan.
 */
import type { Commit } from "../../src/domain/Commit.ts"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { RestartPolicy, DesiredState } from "../../src/domain/Game.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { JobResult, PendingJob } from "../../src/domain/Job.ts"
import type { Observation, ObservedContainer, PullState } from "../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { statusMoves } from "../../src/domain/RuntimeRecord.ts"
import { outcomeCommit, type Outcome } from "../../controllers/game/outcome.ts"
import { plan } from "../../controllers/game/plan.ts"
import type { Action, Plan } from "../../controllers/game/step.ts"
import { defaultBackoff, type Settings, view } from "../../controllers/game/view.ts"

export const gameId = "g1" as GameId
export const wantedImage = "galaxy/engine:1.4.2"
export const settings: Settings = { stopGraceMs: 30_000, retentionMs: 720 * 3_600_000, backoff: defaultBackoff }

export interface ModelContainer extends Omit<ObservedContainer, "runsWanted"> {
  readonly hash: string
  /** Its network was pruned: it can never start again. */
  readonly networkGone?: boolean
}

export interface Row {
  readonly state: DesiredState
  readonly policy: RestartPolicy
  readonly generation: number
  readonly hash: string
  readonly valid: boolean
}

export interface World {
  readonly row: Row | null
  readonly record: RuntimeRecord | null
  readonly jobs: ReadonlyArray<PendingJob>
  readonly results: ReadonlyArray<{ readonly job: number; readonly result: JobResult }>
  readonly containers: ReadonlyArray<ModelContainer>
  readonly pull: PullState
  readonly engineId: string
  /** What another engine holds, which does not answer now. */
  readonly hidden: { readonly engineId: string; readonly containers: ReadonlyArray<ModelContainer> }
  readonly imagePresent: boolean
  readonly nowMs: number
  readonly made: number
  /** Health events: `type:container:time`. */
  readonly told: ReadonlyArray<string>
  /** The operation log: `kind source`, with `!` when it failed. */
  readonly log: ReadonlyArray<string>
}

export const observeWorld = (world: World): Observation => {
  const { record, row } = world
  const containers = world.containers.map(({ hash, networkGone: _network, ...container }): ObservedContainer => ({
    ...container,
    runsWanted: row === null || (container.id === record?.currentContainerId ? record.specHash ?? hash : hash) === row.hash
  }))
  const present = containers.some((container) => container.id === record?.currentContainerId)
  return {
    gameId,
    desired: row && {
      state: row.state,
      imageRef: wantedImage,
      restartPolicy: row.policy,
      generation: row.generation,
      spec: {},
      specHash: row.hash,
      problem: row.valid ? null : { path: "spec.foo", message: "is unknown" }
    },
    record,
    jobs: world.jobs,
    containers,
    recorded: record?.currentContainerId == null
      ? "none"
      : present ? "present" : record.engineId === world.engineId ? "gone" : "elsewhere",
    engineId: world.engineId,
    pull: world.pull
  }
}

/** How an act goes: carried out, carried out with the answer lost, not carried out, or refused by the engine. */
export type Luck = "ok" | "lost" | "unreached" | "refused"

export const refusal: Failure = { code: "container_start_failed", reason: "StartFailed", message: "refused" }

export const planWorld = (world: World): Plan => plan(observeWorld(world), settings, world.nowMs)

/** Carries one step out; undefined when the plan waits. */
export const step = (world: World, luck: Luck): World => {
  const decided = planWorld(world)
  switch (decided.step._tag) {
    case "Wait":
      return world
    case "Record":
      return luck === "unreached" ? world : usePull(world, commitTo(world, decided.step.commit))
    case "Act":
      return actOn(world, decided.step.action, luck)
  }
}

/** A failed pull is used up by the step that saw it, a good one when the game runs or its start failed. */
const usePull = (before: World, after: World): World => {
  const { record } = after
  const attempted = record !== before.record &&
    (record?.status === "running" ? record.stoppingSinceMs === null : record?.lastErrorCode != null)
  return before.pull._tag === "Failed" || (before.pull._tag === "Pulled" && attempted) ? { ...after, pull: { _tag: "None" } } : after
}

const actOn = (world: World, action: Action, luck: Luck): World => {
  if (luck === "unreached") return world
  const seen = view(observeWorld(world), settings, world.nowMs)
  const [engine, outcome] = luck === "refused" && (action._tag === "Create" || action._tag === "Start")
    ? [refuse(world, action), { _tag: "StartFailed", failure: refusal } as Outcome]
    : carryOut(world, action)
  if (luck === "lost") return engine
  const commit = outcomeCommit(seen, action, outcome, world.nowMs)
  return commit ? usePull(world, commitTo(engine, commit)) : engine
}

/** A refused start leaves the container behind, with the engine's reason on it. */
const refuse = (world: World, action: Action): World => {
  const made = action._tag === "Create" ? create(world) : world
  const id = action._tag === "Start" ? action.container.id : `made${made.made}`
  return update(made, id, (container) => ({ ...container, startError: "refused" }))
}

const carryOut = (world: World, action: Action): readonly [World, Outcome] => {
  switch (action._tag) {
    case "Create": {
      if (!world.imagePresent) return pulling(world)
      const made = create(world)
      return started(made, `made${made.made}`)
    }
    case "Start":
      return isStranded(world, action.container.id) ? without(world, action.container.id) : started(world, action.container.id)
    case "Replace":
      return world.imagePresent ? [world, { _tag: "Signalled" }] : pulling(world)
    case "Stop":
      return [world, { _tag: "Signalled" }]
    case "Kill":
      return [update(world, action.container.id, (container) => exitOf(container, 137, world.nowMs)), { _tag: "Done" }]
    case "Unpause":
      return [update(world, action.container.id, (container) => ({ ...container, state: "running" })), { _tag: "Done" }]
    case "Disarm":
      return [update(world, action.container.id, (container) => ({ ...container, restartsByItself: false })), { _tag: "Done" }]
    case "Remove":
      return action.because === "replaced" && !world.imagePresent ? pulling(world) : without(world, action.container.id)
  }
}

const pulling = (world: World): readonly [World, Outcome] => [{ ...world, pull: { _tag: "Pulling" } }, { _tag: "Pulling" }]

const without = (world: World, id: string): readonly [World, Outcome] => [takeAway(world, id), { _tag: "Removed" }]

export const takeAway = (world: World, id: string): World => ({ ...world, containers: world.containers.filter((one) => one.id !== id) })

const isStranded = (world: World, id: string): boolean => world.containers.some((one) => one.id === id && one.networkGone)

const create = (world: World): World => ({
  ...world,
  made: world.made + 1,
  containers: [...world.containers, {
    id: `made${world.made + 1}`,
    name: "galaxy-game-g1",
    state: "created",
    ours: true,
    generation: world.row!.generation,
    hash: world.row!.hash,
    imageRef: wantedImage,
    createdAtMs: world.nowMs,
    startedAtMs: null,
    exit: null,
    startError: "",
    stopSignal: "SIGTERM",
    restartsByItself: false,
    endpoint: "http://galaxy-game-g1:8080"
  }]
})

const started = (world: World, id: string): readonly [World, Outcome] => {
  const next = update(world, id, (container) => ({ ...container, state: "running", startedAtMs: world.nowMs, exit: null, startError: "" }))
  const { hash: _hash, networkGone: _network, ...container } = next.containers.find((one) => one.id === id)!
  return [next, { _tag: "Started", container: { ...container, runsWanted: true } }]
}

export const exitOf = (container: ModelContainer, code: number, nowMs: number): ModelContainer => ({
  ...container,
  state: "exited",
  startedAtMs: container.startedAtMs ?? nowMs,
  exit: { code, oomKilled: false, finishedAtMs: nowMs }
})

const update = (world: World, id: string, change: (container: ModelContainer) => ModelContainer): World => ({
  ...world,
  containers: world.containers.map((container) => container.id === id ? change(container) : container)
})

/** The database's part: refuses a move of status that the contract does not allow, and answers each job once. */
export const commitTo = (world: World, commit: Commit): World => {
  const before = world.record
  const after = commit.record && { ...commit.record, version: commit.expectedVersion + 1 }
  if (after && !(before?.status === after.status || statusMoves[before?.status ?? "none"].includes(after.status))) {
    throw new Error(`status may not move from ${before?.status ?? "none"} to ${after.status}`)
  }
  const answered = commit.answers.filter(({ job }) => world.jobs.some(({ id }) => id === job.id))
  return {
    ...world,
    row: world.row ?? (commit.adopt && {
      state: commit.adopt.state, policy: commit.adopt.restartPolicy, generation: 1, hash: after?.specHash ?? "", valid: true
    }),
    record: after ?? before,
    jobs: world.jobs.filter(({ id }) => !answered.some(({ job }) => job.id === id)),
    results: [...world.results, ...answered.map(({ job, result }) => ({ job: job.id, result }))],
    told: [...world.told, ...commit.health.map((event) => `${event.type}:${event.containerId}:${event.occurredAtMs}`)],
    log: [...world.log, ...commit.operations.map((op) => `${op.kind} ${op.source}${op.outcome === "failure" ? " !" : ""}`)]
  }
}

/** What time alone does: a signalled container ends (or ignores the signal), a pull ends, the engine finishes removals. */
export const pass = (world: World, ms: number, pullEnds: "well" | "badly", obeys: boolean): World => {
  const nowMs = world.nowMs + ms
  const pulled: Pick<World, "pull" | "imagePresent"> = world.pull._tag !== "Pulling"
    ? world
    : pullEnds === "well"
    ? { pull: { _tag: "Pulled" }, imagePresent: true }
    : { pull: { _tag: "Failed", failure: { code: "image_pull_failed", reason: "PullFailed", message: "no such image" } }, imagePresent: false }
  return {
    ...world,
    ...pulled,
    nowMs,
    containers: world.containers
      .filter((container) => container.state !== "removing")
      .map((container) =>
        obeys && world.record?.stoppingSinceMs != null && container.id === world.record.currentContainerId &&
          (container.state === "running" || container.state === "paused")
          ? exitOf(container, 0, nowMs)
          : container)
  }
}

/** Another engine answers from here on, with what it holds. */
export const switchEngine = (world: World): World => ({
  ...world,
  engineId: world.hidden.engineId,
  containers: world.hidden.containers,
  hidden: { engineId: world.engineId, containers: world.containers }
})

/** The engine stops, or begins again, to answer for its containers. */
export const fallSilent = (world: World): World => ({
  ...world,
  containers: world.containers.map((container) => container.state === "running" ? { ...container, state: "unresponsive" } : container)
})
export const answerAgain = (world: World, as: "running" | "exited"): World => ({
  ...world,
  containers: world.containers.map((container) => container.state !== "unresponsive"
    ? container
    : as === "running" ? { ...container, state: "running" } : exitOf(container, 1, world.nowMs))
})
