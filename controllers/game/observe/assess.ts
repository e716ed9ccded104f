/**
 * What the facts mean: which containers are ours, which one is the game, what it runs, what became of the recorded one. The
 * only home of these words, for a look at a game, for the end of an act and for a resync alike. Pure.
 */
import {
  type Desired, type Facts, type FoundContainer, isRunning, type Observation, type ObservedContainer, type Recorded, type Target
} from "../../../src/domain/Observation.ts"
import type { Row } from "../../../src/domain/Row.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { isTarget, targetOf } from "../decide/target.ts"

export const assess = ({ containers: found, pullPolicy, row, ...facts }: Facts): Observation => {
  const { record, timing } = facts
  const target = row && targetOf(row, pullPolicy, timing)
  const own = found.filter((container) => !isAnothers(container, facts.instance))
  const containers = own.map((container) => assessContainer(container, target, record))
  const main = mainContainer(containers, target, record)
  return {
    ...facts,
    desired: row && desiredOf(row),
    target,
    containers,
    main,
    strays: containers.filter((container) => container !== main),
    recorded: fateOf(record, found, facts)
  }
}

const desiredOf = ({ revision: _revision, ...desired }: Row): Desired => desired

/** What only an inspect tells, of a container that a list shows. */
export const notInspected = {
  startError: "", stopSignal: "SIGTERM", imageId: null, warnings: [], stopGraceMs: null, restartsByItself: false, endpoint: "", ports: []
} satisfies Partial<FoundContainer>

/** Made by another installation that shares the engine: whatever it is, it is not for this one to touch. */
export const isAnothers = (container: { readonly instance?: string }, instance: string): boolean =>
  container.instance !== undefined && container.instance !== instance

/**
 * The record's hash comes first: an adopted container runs what was agreed on at its adoption, whatever its labels say.
 * One that carries no hash and was never recorded is taken at its image's word.
 */
export const assessContainer = (found: FoundContainer, target: Target | null, record: RuntimeRecord | null): ObservedContainer => {
  const recorded = found.id === record?.currentContainerId ? record.specHash : null
  return {
    ...found,
    state: found.state === "restarting" ? "running" : found.state,
    ours: found.specHash !== null && found.generation !== null,
    runsWanted: target === null || isTarget({ specHash: recorded ?? found.specHash, imageRef: found.imageRef }, target)
  }
}

/** What became of the container that the record names. Only the engine that held it can say that it is gone. */
export const fateOf = (
  record: RuntimeRecord | null,
  found: ReadonlyArray<FoundContainer>,
  { engineId, instance }: Pick<Facts, "engineId" | "instance">
): Recorded => {
  const id = record?.currentContainerId
  if (record === null || id == null) return "none"
  const recorded = found.find((container) => container.id === id)
  if (recorded) return isAnothers(recorded, instance) ? "another's" : "present"
  return record.engineId === null || record.engineId === engineId ? "gone" : "elsewhere"
}

/** The recorded one stays; else one made for this very wish; else the oldest running; else the oldest. */
const mainContainer = (
  containers: ReadonlyArray<ObservedContainer>,
  target: Target | null,
  record: RuntimeRecord | null
): ObservedContainer | undefined => {
  const recorded = containers.find((container) => container.id === record?.currentContainerId)
  if (recorded) return recorded
  // What died in somebody's hands can neither run nor is it ours to remove.
  const candidates = containers.filter((container) => container.ours || container.state !== "dead")
  return candidates.sort((a, b) => rank(a, target) - rank(b, target) || a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))[0]
}

const rank = (container: ObservedContainer, target: Target | null): number => {
  const isOwn = container.ours && container.runsWanted
  if (isRunning(container)) return isOwn && container.generation === target?.generation ? 0 : 1
  return isOwn ? 2 : 3
}
