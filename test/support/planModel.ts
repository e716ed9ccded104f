/**
 * One game's world (the facts of a look, and what surrounds them), for carrying decisions out without any I/O, whatever goes
 * wrong on the way. What an act does when it goes well is the product's own prediction; everything else is written here, from
 * the contract and from Docker's behaviour.
 */
import type { Commit } from "../../src/domain/Commit.ts"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { JobResult } from "../../src/domain/Job.ts"
import type { Facts, FoundContainer, PullState } from "../../src/domain/Observation.ts"
import { statusMoves } from "../../src/domain/RuntimeRecord.ts"
import { defaultBackoff, type Timing } from "../../src/domain/Timing.ts"
import { decide } from "../../controllers/game/decide/decide.ts"
import { afterCommit, carriedOut, changed, exitOf, made, madeId, without } from "../../controllers/game/decide/predict.ts"
import type { Action, Plan } from "../../controllers/game/decide/step.ts"
import { assess } from "../../controllers/game/observe/assess.ts"
import { type Outcome, outcomeCommit } from "../../controllers/game/record/outcome.ts"

export const gameId = "g1" as GameId
export const wantedImage = "galaxy/engine:1.4.2"
export const timing: Timing = { stopGraceMs: 30_000, retentionMs: 720 * 3_600_000, backoff: defaultBackoff }

export interface ModelContainer extends FoundContainer {
  /** Its network was pruned: it can never start again. */
  readonly networkGone?: boolean
}

/** A health event as it was told. */
export interface Told {
  readonly type: string
  readonly containerId: string
  readonly atMs: number
  readonly details: Readonly<Record<string, unknown>>
}

export interface World extends Facts {
  readonly containers: ReadonlyArray<ModelContainer>
  readonly results: ReadonlyArray<{ readonly job: number; readonly result: JobResult }>
  /** What another engine holds, which does not answer now. */
  readonly hidden: { readonly engineId: string; readonly containers: ReadonlyArray<ModelContainer>; readonly claims: Facts["claims"] }
  readonly imagePresent: boolean
  readonly told: ReadonlyArray<Told>
  /** The operation log: `kind source`, with `!` when it failed. */
  readonly log: ReadonlyArray<string>
}

/** How an act goes: carried out, carried out with the answer lost, not carried out, or refused by the engine. */
export type Luck = "ok" | "lost" | "unreached" | "refused"

export const refusal: Failure = { code: "container_start_failed", reason: "StartFailed", message: "refused" }
const refusedAct: Failure = { code: "service_unavailable", reason: "Internal", message: "refused" }

export const planWorld = (world: World): Plan => decide(assess(world))

/** Carries one step out; a wait leads nowhere. */
export const step = (world: World, luck: Luck): World => {
  const decided = planWorld(world)
  switch (decided.step._tag) {
    case "Wait":
      return world
    case "Record":
      return luck === "unreached" ? world : commitTo(world, decided.step.commit)
    case "Act":
      return actOn(world, decided.step.action, luck)
  }
}

const actOn = (world: World, action: Action, luck: Luck): World => {
  if (luck === "unreached") return world
  const [engine, outcome] = luck === "refused" ? refuse(world, action) : carryOut(world, action)
  // Who was asked to end and never heard of again may have ended.
  if (luck === "lost") return action._tag === "Signal" && knows(action.container, action.signal) ? changed(engine, action.container.id, (one) => exitOf(one, 0, world.nowMs)) : engine
  const commit = outcomeCommit(assess(world), action, outcome, world.nowMs)
  return commit ? commitTo(world, commit, engine) : engine
}

/** An image may name a stop signal that no engine knows. */
export const unknownSignal = "SIGFOO"
const knows = (container: Pick<ModelContainer, "stopSignal">, signal: string): boolean => signal !== unknownSignal && container.stopSignal === signal

/** A refused start leaves the container behind, with the engine's reason on it; any other act leaves all as it was. */
const refuse = (world: World, action: Action): readonly [World, Outcome] => {
  const failed: Outcome = { _tag: "StartFailed", failure: refusal }
  switch (action._tag) {
    case "Create":
      return [changed(made(world, action.target), madeId(world), (one) => ({ ...one, startError: "refused" })), failed]
    case "Start":
      return [changed(world, action.container.id, (one) => ({ ...one, startError: "refused" })), failed]
    case "Signal":
      return knows(action.container, action.signal)
        ? [world, { _tag: "Refused", failure: refusedAct }]
        : [world, { _tag: "Signalled", refusal: "Invalid signal" }]
    default:
      return [world, { _tag: "Refused", failure: refusedAct }]
  }
}

const carryOut = (world: World, action: Action): readonly [World, Outcome] => {
  if (action._tag === "Signal" && !knows(action.container, action.signal)) return refuse(world, action)
  if (action._tag === "Start" && isStranded(world, action.container.id)) return [without(world, action.container.id), { _tag: "Removed" }]
  const { facts, outcome } = carriedOut(world, action, world.imagePresent)
  return [facts, outcome]
}

const isStranded = (world: World, id: string): boolean => world.containers.some((one) => one.id === id && one.networkGone)

export const takeAway = (world: World, id: string): World => without(world, id)

/** The database's part: refuses a move of status that the contract does not allow, and answers each job once. */
export const commitTo = (before: World, commit: Commit, engine: World = before): World => {
  const [from, to] = [before.record?.status, commit.record?.status]
  if (to && !(from === to || statusMoves[from ?? "none"].includes(to))) throw new Error(`status may not move from ${from ?? "none"} to ${to}`)
  const answered = commit.answers.filter(({ job }) => before.jobs.some(({ id }) => id === job.id))
  return {
    ...afterCommit(engine, commit),
    results: [...before.results, ...answered.map(({ job, result }) => ({ job: job.id, result }))],
    told: [...before.told, ...commit.health.map(({ containerId, details, occurredAtMs, type }) => ({ type, containerId, atMs: occurredAtMs, details }))],
    log: [...before.log, ...commit.operations.map((op) => `${op.kind} ${op.source}${op.outcome === "failure" ? " !" : ""}`)]
  }
}

const noImage: Failure = { code: "image_pull_failed", reason: "PullFailed", message: "no such image" }

const pullEnded = (world: World, well: boolean): Pick<World, "pull" | "imagePresent"> => {
  const pull: PullState = well ? { _tag: "Pulled", imageId: "i1" } : { _tag: "Failed", failure: noImage }
  return world.pull._tag === "Pulling" ? { pull, imagePresent: well } : world
}

/** What time alone does: a signalled container ends (or ignores the signal), a pull ends, others are exchanged, removals end. */
export const pass = (world: World, ms: number, pullEnds: "well" | "badly", obeys: boolean): World => {
  const nowMs = world.nowMs + ms
  const { record } = world
  const signalled = obeys && record?.stopping?.signalledAtMs != null ? record.currentContainerId : null
  return {
    ...world,
    ...pullEnded(world, pullEnds === "well"),
    nowMs,
    exchangesFull: false,
    containers: world.containers
      .filter((container) => container.state !== "removing")
      .map((container) => container.id === signalled && container.stopSignal !== unknownSignal && (container.state === "running" || container.state === "paused")
        ? exitOf(container, 0, nowMs)
        : container)
  }
}

/** Another engine answers from here on, with what it holds. */
export const switchEngine = (world: World): World => ({
  ...world,
  engineId: world.hidden.engineId,
  containers: world.hidden.containers,
  claims: world.hidden.claims,
  hidden: { engineId: world.engineId, containers: world.containers, claims: world.claims }
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
