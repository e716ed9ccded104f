/**
 * The decision: what to do next for one game. A pure function of what was seen and of the time.
 *
 * It is a chain of rules, first match wins: first facts are made known (what happened to the container since the record
 * was written), then one step is taken towards the row. Each reconcile takes one step and looks again, so a crash
 * between two steps leaves a state that is just another input. To change what happens in a case, find the rule here;
 * `docs/plan-table.md` lists every case with the rule that answers it.
 */
import type { Observation } from "../../src/domain/Observation.ts"
import { adopted, armed, notAdoptable } from "./adoption.ts"
import * as facts from "./facts.ts"
import * as reach from "./reach.ts"
import * as row from "./row.ts"
import { type Plan, wait } from "./step.ts"
import { type Settings, type View, view } from "./view.ts"

export const plan = (seen: Observation, settings: Settings, nowMs: number): Plan => {
  const game = view(seen, settings, nowMs)
  for (const rule of rules) {
    const found = rule(game)
    if (found) return { ...reportOf(game), ...found }
  }
  return { ...reportOf(game), ...wait(game, "Settled", null) }
}

/** Containers that carry the game's labels beside its own and that somebody else made. */
const reportOf = (seen: View): { readonly report?: string } => {
  const foreign = seen.strays.filter((container) => !container.ours).map((container) => container.name)
  const refused = notAdoptable(seen)
  if (refused !== undefined) return { report: refused }
  return foreign.length === 0 ? {} : { report: `game ${seen.gameId} has other containers: ${foreign.join(", ")}; they are left alone` }
}

type Rule = (seen: View) => Plan | undefined

const rules: ReadonlyArray<Rule> = [
  reach.engineChanged, //      the record's container lives on another engine: a 404 here proves nothing
  facts.disappeared, //        the recorded container is gone
  reach.unresponsive, //       the engine does not answer for the container: unknown is no reason to act
  facts.removedForGood, //     the record is `removed`: what still carries its labels is reported
  facts.ended, //              recorded as running, but it ended
  facts.removing, //           the engine is at work on its removal: wait for the end of it
  facts.resumed, //            recorded as stopped (or an earlier run), but it runs
  adopted, //                  a container that no record names
  reach.engineRenamed, //      the recorded container is there, on an engine that has another name by now
  reach.answering, //          who did not answer does again
  armed, //                    the engine itself would restart it
  row.missing, //              no row: absence is never an order
  row.strays, //               a second container for the game
  row.stopping, //             a stop was begun: carry it to its end, whatever the row says by now
  row.removed, //              the row says `removed`
  row.stopped, //              the row says `stopped`
  row.invalid, //              the row's spec cannot be carried out: whatever runs is left alone
  row.running, //              the row says `running`
  row.finished, //             it ran, ended, and its policy does not start it again
  answered //                  a job that asks for what is so already
]

function answered(seen: View): Plan | undefined {
  const plan = wait(seen, "AlreadySo", null)
  return plan.step._tag === "Record" ? plan : undefined
}
