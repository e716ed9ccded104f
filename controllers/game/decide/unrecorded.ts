/** Containers with the game's labels that no record names: which are taken over, and what that makes known. */
import type { Commit } from "../../../src/domain/Commit.ts"
import type { DesiredState } from "../../../src/domain/Game.ts"
import { emptySpec } from "../../../src/domain/GameSpec.ts"
import { imageRefProblem } from "../../../src/domain/ImageRef.ts"
import { isRunning, type Observation, type ObservedContainer } from "../../../src/domain/Observation.ts"
import { specHash } from "../../../src/domain/specHash.ts"
import type { Change } from "../record/change.ts"
import { operation } from "../record/operations.ts"
import { began, cleanSlate, isOomKill, startKind } from "../record/transition.ts"
import { startWanted } from "./restart.ts"
import { act, type Finding, record } from "./step.ts"

/** Whether the main container is the one that the record names. */
export const mainIsRecorded = (seen: Observation): boolean =>
  seen.main !== undefined && seen.main.id === seen.record?.currentContainerId

/** A container to be recorded: none is, and what is found is neither on its way out nor of a game that is over. */
const candidate = ({ desired, main, record: before }: Observation): ObservedContainer | undefined =>
  before?.currentContainerId != null || before?.status === "removed" || desired?.state === "removed" ||
    main?.state === "dead" || main?.state === "removing"
    ? undefined
    : main

/** A start of our own that was carried out before it could be recorded. */
export const unrecordedStart = (seen: Observation): Finding | undefined => {
  const { desired } = seen
  const main = candidate(seen)
  if (main === undefined || desired?.state !== "running" || !startWanted(seen)) return undefined
  const isOwnStart = main.ours && main.runsWanted && main.generation === desired.generation
  return isOwnStart && main.startedAtMs !== null && main.startError === ""
    ? record(seen, "StartCompleted", began(seen, main, { kind: startKind(seen, false) }))
    : undefined
}

/** A labelled container of the game that is to be taken over. */
const adoptable = (seen: Observation): ObservedContainer | undefined => {
  const main = candidate(seen)
  // A leftover of ours: the row's rules start or remove it.
  if (main === undefined || (main.ours && seen.desired !== null && !isRunning(main))) return undefined
  return notAdoptable(seen) === undefined ? main : undefined
}

export const adoptableContainer = (seen: Observation): Finding | undefined => {
  const main = adoptable(seen)
  // Two masters of one container fight: first its own restart policy goes, for after a crash in between nobody would look.
  return main === undefined || main.restartsByItself ? undefined : record(seen, "Adopted", adoption(seen, main))
}

/** The engine itself would restart the container that is the game, or is about to be. */
export const engineRestarts = (seen: Observation): Finding | undefined => {
  const main = mainIsRecorded(seen) ? seen.main : adoptable(seen)
  return main?.restartsByItself ? act("EngineRestarts", { _tag: "Disarm", container: main }) : undefined
}

/** Why the main container cannot be adopted: no row can be written for it. */
export const notAdoptable = (seen: Observation): string | undefined => {
  const problem = seen.desired === null && seen.main ? imageRefProblem(seen.main.imageRef) : undefined
  return problem && `container ${seen.main?.name} cannot be adopted: its label com.galaxy.engine_image_ref ${problem}`
}

/** The row for a container that has none. */
export const rowFor = (main: ObservedContainer, state: DesiredState): Commit["adopt"] => ({ imageRef: main.imageRef, state, restartPolicy: "never" })

const adoption = (seen: Observation, main: ObservedContainer): Change => {
  const runs = isRunning(main)
  // A job that found no row to write to can only have been a stop.
  const adopt = seen.desired === null ? rowFor(main, runs && seen.jobs.length === 0 ? "running" : "stopped") : null
  const first = seen.desired === null
    ? { ...cleanSlate, observedGeneration: 1, specHash: specHash(main.imageRef, emptySpec) }
    : {}
  const change = runs ? began(seen, main, { kind: "reconcile_adopt" }) : adoptedAtRest(seen, main)
  return { ...change, adopt, record: { ...change.record, ...first } }
}

const adoptedAtRest = (seen: Observation, main: ObservedContainer): Change => ({
  record: {
    status: "stopped",
    currentContainerId: main.id,
    currentImageRef: main.imageRef,
    engineId: seen.engineId,
    ports: main.ports,
    startedAtMs: main.startedAtMs,
    // Not when it ended: a first installation would remove at once what people kept for longer than the retention.
    stoppedAtMs: seen.nowMs,
    exitCode: main.exit?.code ?? null,
    oomKilled: main.exit !== null && isOomKill(main.exit),
    specHash: null
  },
  operations: [operation(seen, "reconcile_adopt", { source: "auto_reconcile", containerId: main.id, imageRef: main.imageRef })]
})
