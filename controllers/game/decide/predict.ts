/**
 * What a step leads to when it goes well, as the next facts: a plan can be followed to its end without touching anything. The
 * engine's part is what the real ones do. Pure.
 */
import type { Commit } from "../../../src/domain/Commit.ts"
import { emptySpec, type GameSpec } from "../../../src/domain/GameSpec.ts"
import { containerName } from "../../../src/domain/GameId.ts"
import type { Facts, FoundContainer, PullState, Target } from "../../../src/domain/Observation.ts"
import { named, wantsOf } from "../../../src/domain/portSpec.ts"
import { isSamePort, noPorts, type PublishedPort } from "../../../src/domain/ports.ts"
import { specHash } from "../../../src/domain/specHash.ts"
import { assess } from "../observe/assess.ts"
import { type Outcome, outcomeCommit } from "../record/outcome.ts"
import { wantedPull } from "./pull.ts"
import type { Action, Plan } from "./step.ts"

/** The facts after the step, at the same time. A wait leads to nothing. `imagePresent`: the target's image is on the host. */
export const predict = <F extends Facts>(facts: F, { step }: Plan, imagePresent: boolean): F => {
  switch (step._tag) {
    case "Wait":
      return facts
    case "Record":
      return afterCommit(facts, step.commit)
    case "Act": {
      const { facts: after, outcome } = carriedOut(facts, step.action, imagePresent)
      const commit = outcomeCommit(assess(facts), step.action, outcome, facts.nowMs)
      return commit ? afterCommit(after, commit) : after
    }
  }
}

export interface CarriedOut<F extends Facts> {
  /** What the engine and the background hold then; the record and the jobs are as before. */
  readonly facts: F
  readonly outcome: Outcome
}

/** What an act does on the engine when it goes well, and what it answers. */
export const carriedOut = <F extends Facts>(facts: F, action: Action, imagePresent: boolean): CarriedOut<F> => {
  switch (action._tag) {
    case "Create":
      return imagePresent ? started(made(claiming(facts, action.target, false), action.target), madeId(facts)) : fetching(claiming(facts, action.target, false), { _tag: "Pulling" })
    case "Start":
      return started({ ...facts, claims: action.container.ports }, action.container.id)
    case "FetchImage":
      return fetching(facts.containers.some(({ state }) => state === "running" || state === "paused") ? claiming(facts, action.target, true) : facts, imagePresent && action.target.pullPolicy !== "always" ? { _tag: "Pulled", imageId: null } : { _tag: "Pulling" })
    case "Signal":
      return { facts, outcome: { _tag: "Signalled" } }
    case "Kill":
      return { facts: changed(facts, action.container.id, (one) => exitOf(one, 137, facts.nowMs)), outcome: { _tag: "Done" } }
    case "Unpause":
      return { facts: changed(facts, action.container.id, (one) => ({ ...one, state: "running" })), outcome: { _tag: "Done" } }
    case "Disarm":
      return { facts: changed(facts, action.container.id, (one) => ({ ...one, restartsByItself: false })), outcome: { _tag: "Done" } }
    case "Remove":
      return { facts: without(facts, action.container.id), outcome: { _tag: "Removed" } }
  }
}

export const exitOf = (container: FoundContainer, code: number, nowMs: number): FoundContainer => ({
  ...container,
  state: "exited",
  startedAtMs: container.startedAtMs ?? nowMs,
  exit: { code, oomKilled: false, finishedAtMs: nowMs }
})

export const changed = <F extends Facts>(facts: F, id: string, change: (container: FoundContainer) => FoundContainer): F => ({
  ...facts,
  containers: facts.containers.map((container) => container.id === id ? change(container) : container)
})

export const without = <F extends Facts>(facts: F, id: string): F => ({ ...facts, containers: facts.containers.filter((one) => one.id !== id) })

const fetching = <F extends Facts>(facts: F, pull: PullState): CarriedOut<F> => ({ facts: { ...facts, pull }, outcome: { _tag: "Fetching" } })

/** An id that no container of the game has. */
export const madeId = ({ containers, record }: Facts): string => {
  let number = containers.length + 1
  const isTaken = (id: string) => id === record?.currentContainerId || containers.some((container) => container.id === id)
  while (isTaken(`made${number}`)) number++
  return `made${number}`
}

/** From which number on a range is taken to be free: the ledger says so, and no look at a game does. */
const firstOfRange = 20_000

/** The ports that the ledger may give. */
export const portsFor = ({ ports }: GameSpec): ReadonlyArray<PublishedPort> =>
  named(wantsOf(ports, noPorts).flatMap(({ address, container, count, host, protocol }, index) =>
    Array.from({ length: count }, (_, offset) => ({
      container: container + offset, protocol, address, host: (host ?? firstOfRange + 100 * index) + offset
    }))), ports)

/** The ledger's answer for a container of the target. `keep`: beside what the game has. */
const claiming = <F extends Facts>(facts: F, { spec }: Target, keep: boolean): F => ({
  ...facts,
  claims: [...portsFor(spec), ...(keep ? facts.claims : [])].filter((port, index, all) => all.findIndex((one) => isSamePort(one, port)) === index)
})

export const made = <F extends Facts>(facts: F, { generation, imageRef, spec, specHash, stopGraceMs }: Target): F => ({
  ...facts,
  containers: [...facts.containers, {
    id: madeId(facts),
    name: containerName(facts.gameId),
    state: "created",
    generation,
    instance: facts.instance,
    specHash,
    imageRef,
    createdAtMs: facts.nowMs,
    startedAtMs: null,
    exit: null,
    startError: "",
    stopSignal: spec.stop_signal ?? "SIGTERM",
    imageId: facts.pull._tag === "Pulled" ? facts.pull.imageId : null,
    warnings: [],
    stopGraceMs,
    restartsByItself: false,
    endpoint: `http://${containerName(facts.gameId)}:8080`,
    ports: portsFor(spec)
  }]
})

const started = <F extends Facts>(facts: F, id: string): CarriedOut<F> => {
  const after = changed(facts, id, (one) => ({ ...one, state: "running", startedAtMs: facts.nowMs, exit: null, startError: "" }))
  return { facts: after, outcome: { _tag: "Started", container: after.containers.find((one) => one.id === id)! } }
}

const adoptedHash = "adopted"

/** The database's part. What a pull ended with is used up when its attempt is over. */
export const afterCommit = <F extends Facts>(facts: F, commit: Commit): F => {
  const written = commit.record && { ...commit.record, version: commit.expectedVersion + 1 }
  // The database makes the row, and with it the hash that the record observed.
  const record = written && commit.adopt ? { ...written, observedHash: adoptedHash } : written ?? facts.record
  const row = facts.row ?? (commit.adopt && {
    state: commit.adopt.state,
    restartPolicy: commit.adopt.restartPolicy,
    generation: 1,
    desiredHash: adoptedHash,
    problem: null,
    restartRequestedAtMs: null,
    revision: {
      imageRef: commit.adopt.imageRef, spec: emptySpec, specHash: commit.record?.specHash ?? specHash(commit.adopt.imageRef, emptySpec)
    }
  })
  const isSameAttempt = wantedPull(row, record) === wantedPull(facts.row, facts.record)
  return {
    ...facts,
    row,
    record,
    lastHealth: commit.health.at(-1) ?? facts.lastHealth,
    jobs: facts.jobs.filter(({ id }) => !commit.answers.some(({ job }) => job.id === id)),
    pull: isSameAttempt ? facts.pull : { _tag: "None" },
    claims: facts.claims.filter((claim) => !commit.freed?.ports.some((port) => isSamePort(port, claim)))
  }
}
