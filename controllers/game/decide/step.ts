/** What a decision can be: one step and why it is taken. Data, so that it can be carried out, shown or compared. */
import type { Commit } from "../../../src/domain/Commit.ts"
import type { Failure } from "../../../src/domain/ErrorCode.ts"
import type { Observation, ObservedContainer, Target } from "../../../src/domain/Observation.ts"
import type { Change } from "../record/change.ts"
import { commitOf } from "../record/commit.ts"
import type { Meanwhile } from "../record/conditions.ts"
import type { Reason } from "./reasons.ts"

/** What a container is removed for: the end of its game, of its retention, or to make room. */
export type RemoveMode = "removed" | "retention" | "leftover" | "replaced" | "stray"

/** One act on the engine. Each is safe to repeat. */
export type Action =
  | { readonly _tag: "Create"; readonly target: Target }
  | { readonly _tag: "Start"; readonly container: ObservedContainer }
  /** Have the image on the host; a pull runs in the background. */
  | { readonly _tag: "FetchImage"; readonly target: Target }
  /** Ask the container to end. The intent is recorded before. */
  | { readonly _tag: "Signal"; readonly container: ObservedContainer; readonly signal: string }
  | { readonly _tag: "Kill"; readonly container: ObservedContainer }
  | { readonly _tag: "Unpause"; readonly container: ObservedContainer }
  /** Take the engine's own restart policy off. */
  | { readonly _tag: "Disarm"; readonly container: ObservedContainer }
  | { readonly _tag: "Remove"; readonly container: ObservedContainer; readonly mode: RemoveMode }

export interface Wait {
  readonly _tag: "Wait"
  /** Look again then; null: when something happens. */
  readonly againMs: number | null
  /** What is so while it waits. */
  readonly meanwhile: Meanwhile
  /** Nobody can carry out now what the jobs ask for: each gets this at once. */
  readonly refusal?: Failure
}

export type Step =
  | Wait
  /** Make something known, then look again at once. */
  | { readonly _tag: "Record"; readonly commit: Commit }
  | { readonly _tag: "Act"; readonly action: Action }

/** What a rule answers: a step and why it is taken. */
export interface Finding {
  readonly reason: Reason
  readonly step: Step
  /** The step begins an exchange: it takes down a running game for another revision. */
  readonly beginsExchange?: true
  /** Something people should know of that the controller will not touch. */
  readonly report?: string
}

/** A finding and the rule that made it. */
export interface Plan extends Finding {
  readonly rule: string
}

export const act = (reason: Reason, action: Action): Finding => ({ reason, step: { _tag: "Act", action } })

export const record = (seen: Observation, reason: Reason, change: Change): Finding => ({
  reason,
  step: { _tag: "Record", commit: commitOf(seen, change) }
})

export const wait = (reason: Reason, againMs: number | null, meanwhile: Meanwhile = {}, refusal?: Failure): Finding => ({
  reason,
  step: { _tag: "Wait", againMs, meanwhile, ...(refusal ? { refusal } : {}) }
})
