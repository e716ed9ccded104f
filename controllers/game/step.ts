/** What a plan can be: one step and why it is taken. Data, so that it can be carried out, shown or compared. */
import type { Commit } from "../../src/domain/Commit.ts"
import type { ObservedContainer } from "../../src/domain/Observation.ts"
import { type Change, commitOf } from "./commit.ts"
import type { Reason } from "./reasons.ts"
import type { View } from "./view.ts"

/** One act on the engine. Each is safe to repeat. */
export type Action =
  | { readonly _tag: "Create" }
  | { readonly _tag: "Start"; readonly container: ObservedContainer }
  /** Exchange a running container: make sure of the new image, then ask the old container to end. */
  | { readonly _tag: "Replace"; readonly container: ObservedContainer }
  | { readonly _tag: "Stop"; readonly container: ObservedContainer }
  | { readonly _tag: "Kill"; readonly container: ObservedContainer }
  | { readonly _tag: "Unpause"; readonly container: ObservedContainer }
  /** Take the engine's own restart policy off. */
  | { readonly _tag: "Disarm"; readonly container: ObservedContainer }
  | { readonly _tag: "Remove"; readonly container: ObservedContainer; readonly because: "removed" | "retention" | "leftover" | "replaced" | "stray" }

export type Step =
  /** Nothing to do now; look again after `againMs` (null: when something happens). */
  | { readonly _tag: "Wait"; readonly againMs: number | null }
  /** Make something known, then look again at once. */
  | { readonly _tag: "Record"; readonly commit: Commit }
  | { readonly _tag: "Act"; readonly action: Action }

/** A step and why it is taken: `reason` from a closed set, for logs, `why` and the table. */
export interface Plan {
  readonly reason: Reason
  readonly step: Step
  /** Something people should know of that the controller will not touch. */
  readonly report?: string
}

export const act = (reason: Reason, action: Action): Plan => ({ reason, step: { _tag: "Act", action } })

export const record = (seen: View, reason: Reason, change: Change): Plan => ({
  reason,
  step: { _tag: "Record", commit: commitOf(seen, change) }
})

/** Waits; but a job that can be answered as things are does not wait with it. `change`: what is so meanwhile. */
export const wait = (seen: View, reason: Reason, againMs: number | null, change: Change = {}): Plan => {
  const commit = seen.jobs.length === 0 ? undefined : commitOf(seen, change)
  return commit && commit.answers.length > 0
    ? { reason, step: { _tag: "Record", commit: { ...commit, record: null } } }
    : { reason, step: { _tag: "Wait", againMs } }
}
