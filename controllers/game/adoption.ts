/** Containers with the game's labels that no record names: which are taken over, and what that makes known. */
import type { Commit } from "../../src/domain/Commit.ts"
import type { DesiredState } from "../../src/domain/Game.ts"
import { emptySpec } from "../../src/domain/GameSpec.ts"
import { imageRefProblem } from "../../src/domain/ImageRef.ts"
import { isRunning, type ObservedContainer } from "../../src/domain/Observation.ts"
import { specHash } from "../../src/domain/specHash.ts"
import { type Change, cleanSlate, operation } from "./commit.ts"
import { started, startKind } from "./facts.ts"
import { act, type Plan, record } from "./step.ts"
import { mainIsRecorded, startWanted, type View } from "./view.ts"

export const adopted = (seen: View): Plan | undefined => {
  const { desired, main, record: before } = seen
  if (main === undefined || mainIsRecorded(seen) || before?.currentContainerId != null) return undefined
  if (before?.status === "removed" || desired?.state === "removed") return undefined
  if (main.state === "dead") return undefined
  const ownStart = main.ours && main.runsWanted && desired?.state === "running" && main.generation === desired.generation
  if (ownStart && main.startedAtMs !== null && main.startError === "" && startWanted(seen)) {
    return record(seen, "StartCompleted", started(seen, main, { kind: startKind(seen, false) }))
  }
  if (main.ours && desired !== null && !isRunning(main)) return undefined // a leftover: the row's rules start or remove it
  if (notAdoptable(seen) !== undefined) return undefined
  // Before it is ours: no list shows the policy, and after a crash in between nobody would look.
  return main.restartsByItself ? disarm(main) : record(seen, "Adopted", adoption(seen, main))
}

/** Two masters of one container fight: the engine's own restart policy goes before anything else is decided. */
const disarm = (container: ObservedContainer): Plan => act("EngineRestarts", { _tag: "Disarm", container })

/** Somebody gave a container that is ours already a restart policy. */
export const armed = (seen: View): Plan | undefined =>
  mainIsRecorded(seen) && seen.main!.restartsByItself ? disarm(seen.main!) : undefined

/** Why the main container cannot be adopted: no row can be written for it. */
export const notAdoptable = (seen: View): string | undefined => {
  const problem = seen.desired === null && seen.main ? imageRefProblem(seen.main.imageRef) : undefined
  return problem && `container ${seen.main?.name} cannot be adopted: its label com.galaxy.engine_image_ref ${problem}`
}

/** The row for a container that has none. */
export const rowFor = (main: ObservedContainer, state: DesiredState): Commit["adopt"] => ({ imageRef: main.imageRef, state, restartPolicy: "never" })

const adoption = (seen: View, main: ObservedContainer): Change => {
  const runs = isRunning(main)
  // A job that found no row to write to can only have been a stop.
  const adopt = seen.desired === null ? rowFor(main, runs && seen.jobs.length === 0 ? "running" : "stopped") : null
  const first = seen.desired === null
    ? { ...cleanSlate, observedGeneration: 1, specHash: specHash(main.imageRef, emptySpec) }
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
      // Not when it ended: a first installation would remove at once what people kept for longer than the retention.
      stoppedAtMs: seen.nowMs,
      exitCode: main.exit?.code ?? null,
      oomKilled: main.exit?.oomKilled ?? false,
      specHash: null,
      ...first
    },
    operations: [operation(seen, "reconcile_adopt", { source: "auto_reconcile", containerId: main.id, imageRef: main.imageRef })]
  }
}
