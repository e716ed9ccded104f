/**
 * The decision: what to do next for one game. A pure function of what was seen. Each reconcile takes one step and looks again,
 * so a crash between two steps leaves a state that is just another input.
 */
import type { Observation } from "../../../src/domain/Observation.ts"
import { answersOnly, commitOf } from "../record/commit.ts"
import { areTold } from "../record/conditions.ts"
import { gate } from "./gate.ts"
import { actRules, factRules, type Rule } from "./rules.ts"
import { type Finding, type Plan, wait, type Wait } from "./step.ts"
import { notAdoptable } from "./unrecorded.ts"

export const decide = (seen: Observation): Plan => {
  const plan = first(factRules, seen) ?? gated(seen)
  return { ...reportOf(seen), ...(plan.step._tag === "Wait" ? tellFirst(seen, plan, plan.step) : plan) }
}

const first = (chain: ReadonlyArray<Rule>, seen: Observation): Plan | undefined => {
  for (const { decide, name } of chain) {
    const found = decide(seen)
    if (found) return { rule: name, ...found }
  }
  return undefined
}

const gated = (seen: Observation): Plan => {
  const { rule, ...found } = first(actRules, seen) ?? { rule: "Settled", ...wait("Settled", null) }
  return { rule, ...gate(seen, found) }
}

/** Before a game waits, its conditions say what for, and every job that can be answered as things are is answered. */
const tellFirst = (seen: Observation, plan: Plan, { meanwhile, refusal }: Wait): Plan => {
  const stale = isStale(seen, plan, meanwhile)
  if (!stale && seen.jobs.length === 0) return plan
  const commit = commitOf(seen, { meanwhile, ...(refusal ? { refusal } : {}) })
  if (!stale && commit.answers.length === 0) return plan
  const reason = plan.reason !== "Settled" ? plan.reason : stale ? "ConditionsChanged" : "AlreadySo"
  return { ...plan, reason, step: { _tag: "Record", commit: stale ? commit : answersOnly(commit) } }
}

/** A game that nobody knows gets no record, and one that was removed keeps its last one. */
const isStale = ({ desired, record }: Observation, { reason }: Finding, meanwhile: Wait["meanwhile"]): boolean =>
  record === null
    ? reason === "PullingImage"
    : (record.refused !== null && !meanwhile.refused) || (record.status !== "removed" && !areTold(record, desired?.problem, meanwhile))

/** Containers that carry the game's labels beside its own and that somebody else made. */
const reportOf = (seen: Observation): { readonly report?: string } => {
  const foreign = seen.strays.filter((container) => !container.ours).map((container) => container.name)
  const refused = notAdoptable(seen)
  if (refused !== undefined) return { report: refused }
  return foreign.length === 0 ? {} : { report: `game ${seen.gameId} has other containers: ${foreign.join(", ")}; they are left alone` }
}
