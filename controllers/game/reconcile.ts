/** Observe, decide, act, record: one step for one game. The only door to a game. No fibers, no sleeps, no retries inside. */
import { Clock, Effect } from "effect"
import { monotonicMs } from "../../src/clock/monotonic.ts"
import type { Next, Run } from "../../src/controller/Controller.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { Observation } from "../../src/domain/Observation.ts"
import { noPorts, type PortSettings } from "../../src/domain/ports.ts"
import { type ContainerEngine, EngineError, isAnswer } from "../../src/engine/ContainerEngine.ts"
import { GameWriter } from "../../src/store/GameWriter.ts"
import { type GameReader, jobsRead } from "../../src/store/GameReader.ts"
import type { StoreError } from "../../src/store/StoreError.ts"
import { apply, startFailure } from "./act/apply.ts"
import { Exchanges } from "./act/Exchanges.ts"
import type { Pulls } from "./act/Pulls.ts"
import { Refusals } from "./act/Refusals.ts"
import { decide } from "./decide/decide.ts"
import type { Action, Plan, Step } from "./decide/step.ts"
import { assess } from "./observe/assess.ts"
import type { ClockSteps } from "./observe/ClockSteps.ts"
import { gather, type GatherOptions } from "./observe/gather.ts"
import { type Outcome, outcomeCommit } from "./record/outcome.ts"

export interface ReconcileOptions extends GatherOptions {
  /** Where ports of the host come from. Default: only those that a spec names. */
  readonly ports?: PortSettings
  /** An act that the engine answers with a refusal this often in a row is told as refused, and asked for less often. */
  readonly refusedAfter: number
}

/** One reconcile, as data: what brought it, what was decided and why, how it ended, what comes next. */
export interface Reconciliation {
  readonly gameId: GameId
  readonly trigger: string
  readonly rule: string
  readonly reason: Plan["reason"]
  readonly step: Step
  /** How the act ended; undefined: there was none, or it waits for its turn. */
  readonly outcome: Outcome | undefined
  readonly tookMs: number
  readonly next: Next
}

type Services = GameReader | GameWriter | ContainerEngine | Pulls | Exchanges | ClockSteps | Refusals

export const reconcile = Effect.fnUntraced(function*(gameId: GameId, run: Run, options: ReconcileOptions): Effect.fn.Return<
  Reconciliation,
  EngineError | StoreError,
  Services
> {
  const begunMs = yield* monotonicMs
  const seen = assess({ ...(yield* gather(gameId, options)), nowMs: yield* Clock.currentTimeMillis })
  const plan = decide(seen)
  yield* tell(plan)
  const { next, outcome } = yield* carryOut(seen, plan, run, options)
  return {
    gameId, trigger: run.trigger, rule: plan.rule, reason: plan.reason, step: plan.step, outcome, next, tookMs: (yield* monotonicMs) - begunMs
  }
})

/** Before it is done: after a crash in the middle the log says what was begun. */
const tell = ({ reason, report, rule, step }: Plan) =>
  Effect.andThen(
    report === undefined ? Effect.void : Effect.logWarning(report),
    step._tag === "Wait" ? Effect.void : Effect.logInfo(reason, { rule, ...(step._tag === "Act" ? { action: step.action._tag } : {}) })
  )

interface CarriedOut {
  readonly outcome: Outcome | undefined
  readonly next: Next
}

const doneForNow: Next = { _tag: "Done" }
const again: Next = { _tag: "Again" }
const later: Next = { _tag: "Later" }

const carryOut = Effect.fnUntraced(function*(seen: Observation, plan: Plan, run: Run, options: ReconcileOptions): Effect.fn.Return<
  CarriedOut,
  EngineError | StoreError,
  Services
> {
  const { step } = plan
  if (!(yield* hasTurn(seen.gameId, plan))) return { outcome: undefined, next: doneForNow }
  switch (step._tag) {
    case "Wait":
      return { outcome: undefined, next: step.againMs === null ? doneForNow : { _tag: "RequeueAfter", ms: step.againMs } }
    case "Record":
      yield* commit(step.commit)
      // An answer to a job that changed nothing leaves nothing to look at again, but for the jobs that were too many to be read.
      return { outcome: undefined, next: plan.reason === "AlreadySo" && seen.record?.status === "running" && !hasMoreJobs(seen) ? doneForNow : again }
    case "Act":
      return isSlow(step.action) && !(yield* run.admitSlow) ? { outcome: undefined, next: later } : yield* actOn(seen, step.action, run, options)
  }
})

const hasMoreJobs = ({ jobs }: Observation): boolean => jobs.length >= jobsRead.oldest + jobsRead.newest

/** An exchange waits for its turn; whoever needs none gives up the one it waited for. */
const hasTurn = Effect.fnUntraced(function*(gameId: GameId, plan: Plan) {
  const exchanges = yield* Exchanges
  if (plan.beginsExchange) return yield* exchanges.begin(gameId)
  yield* plan.reason === "ExchangeTurn" ? exchanges.queue(gameId) : exchanges.leave(gameId)
  return true
})

/** A start keeps the engine busy for the best part of a second. */
const isSlow = ({ _tag }: Action): boolean => _tag === "Create" || _tag === "Start"

const commit = Effect.fnUntraced(function*(made: Commit) {
  yield* (yield* GameWriter).commit(made)
  if (made.record) yield* (yield* Exchanges).note(made.gameId, made.record.rollout !== null)
})

const actOn = Effect.fnUntraced(function*(seen: Observation, action: Action, run: Run, { ports = noPorts, refusedAfter }: ReconcileOptions) {
  const startedAtMs = yield* Clock.currentTimeMillis
  const outcome = yield* apply(seen, action, { slowDone: run.slowDone, ports }).pipe(
    Effect.catchIf((error): error is EngineError => error instanceof EngineError && run.attempt + 1 >= refusedAfter && isAnswer(error), (error) => Effect.succeed(refused(action, error)))
  )
  note(yield* Refusals, seen.gameId, outcome)
  const made = outcomeCommit({ ...seen, nowMs: yield* Clock.currentTimeMillis }, action, outcome, startedAtMs)
  if (made) yield* commit(made)
  return { outcome, next: after(action, outcome) }
})

/** A name that somebody holds, what a spec asks for and is not there, and a program that cannot be started, are that game's own trouble. */
const note = (refusals: Refusals["Service"], gameId: GameId, outcome: Outcome): void => {
  switch (outcome._tag) {
    case "Fetching":
      return undefined
    case "Refused":
      return refusals.refused("other", gameId, outcome.failure.message)
    case "StartFailed": {
      const { containerId, failure: { code, message, reason } } = outcome
      const isOwn = reason === "NameTaken" || reason === "PortTaken" || reason === "Unmet" || (reason === "StartFailed" && containerId !== undefined)
      return code === "container_start_failed" && !isOwn ? refusals.refused("start", gameId, message) : undefined
    }
    default:
      return refusals.accepted(outcome._tag === "Started" ? "start" : "other")
  }
}

/** A refused start is a failed attempt, with the back-off of its policy. */
const refused = (action: Action, error: EngineError): Outcome => ({
  _tag: isSlow(action) ? "StartFailed" : "Refused",
  failure: isSlow(action) ? startFailure(error) : { code: "service_unavailable", reason: error.reason, message: error.message }
})

const refusedAgainMs = 30_000
/** A kill ends with the container's `die`, a pull wakes its game; should that be missed, or tell nothing soon, look again. */
const missedAgainMs = 1000

const after = (action: Action, outcome: Outcome): Next => {
  if (outcome._tag === "Started" && outcome.container.state === "running") return doneForNow
  if (outcome._tag === "Refused") return { _tag: "RequeueAfter", ms: refusedAgainMs }
  return action._tag === "Kill" ? { _tag: "RequeueAfter", ms: missedAgainMs } : again
}
