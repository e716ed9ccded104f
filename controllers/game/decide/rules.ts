/**
 * The rules, in order: the first that finds something answers. Fact rules make known what happened since the record was
 * written; nothing ever holds them up. Act rules take one step towards the row, and the gate (gate.ts) may hold that up. To change
 * what happens in a case, find the rule here; `docs/plan-table.md` lists every case with the rule that answers it.
 */
import type { Observation } from "../../../src/domain/Observation.ts"
import { policyLeavesItEnded } from "./atRest.ts"
import { clockSetBack } from "./clockSetBack.ts"
import { containerUnresponsive, engineChanged, engineRenamed } from "./engineUnknown.ts"
import { idlePorts } from "./ports.ts"
import { recordedContainerGone, recordedContainerResumed, recordedRunEnded } from "./recordedRun.ts"
import { engineRemoving, noRow, removedForGood, strayContainer } from "./removedGame.ts"
import { containerPaused, rowIsInvalid, runsAsWanted, runsOtherThanWanted, startDue } from "./run.ts"
import { restartAsked } from "./restartInPlace.ts"
import { rowMadeAgain } from "./rowMadeAgain.ts"
import type { Finding } from "./step.ts"
import { rowSaysRemoved, rowSaysStopped, stopBegun } from "./stop.ts"
import { adoptableContainer, engineRestarts, unrecordedStart } from "./unrecorded.ts"

export interface Rule {
  /** What it finds. */
  readonly name: string
  readonly decide: (seen: Observation) => Finding | undefined
}

const rules = (chain: Readonly<Record<string, Rule["decide"]>>): ReadonlyArray<Rule> =>
  Object.entries(chain).map(([name, decide]) => ({ name, decide }))

export const factRules = rules({
  EngineChanged: engineChanged,
  RecordedContainerGone: recordedContainerGone,
  ContainerUnresponsive: containerUnresponsive,
  RecordedRunEnded: recordedRunEnded,
  RecordedContainerResumed: recordedContainerResumed,
  UnrecordedStart: unrecordedStart,
  AdoptableContainer: adoptableContainer,
  EngineRenamed: engineRenamed,
  ClockSetBack: clockSetBack,
  RowMadeAgain: rowMadeAgain
})

export const actRules = rules({
  IdlePorts: idlePorts,
  RemovedForGood: removedForGood,
  EngineRemoving: engineRemoving,
  EngineRestarts: engineRestarts,
  NoRow: noRow,
  StrayContainer: strayContainer,
  StopBegun: stopBegun,
  RowSaysRemoved: rowSaysRemoved,
  RowSaysStopped: rowSaysStopped,
  RowIsInvalid: rowIsInvalid,
  ContainerPaused: containerPaused,
  RunsOtherThanWanted: runsOtherThanWanted,
  RunsAsWanted: runsAsWanted,
  RestartAsked: restartAsked,
  StartDue: startDue,
  PolicyLeavesItEnded: policyLeavesItEnded
})
