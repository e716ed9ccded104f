/**
 * One game as a reconcile sees it, in small pieces for hand-written cases, and what a step makes known in one line per
 * fact. The base is a game that has run for a minute as its row says; a case names only what is otherwise.
 */
import type { Commit } from "../../src/domain/Commit.ts"
import type { Failure } from "../../src/domain/ErrorCode.ts"
import type { GameId } from "../../src/domain/GameId.ts"
import type { PendingJob } from "../../src/domain/Job.ts"
import type { Facts, FoundContainer, Observation } from "../../src/domain/Observation.ts"
import type { Revision, Row } from "../../src/domain/Row.ts"
import type { ConditionType, RecordStatus, Rollout, RuntimeRecord, StopCause, Stopping } from "../../src/domain/RuntimeRecord.ts"
import type { Timing } from "../../src/domain/Timing.ts"
import type { Reason } from "../../controllers/game/decide/reasons.ts"
import type { Plan } from "../../controllers/game/decide/step.ts"
import { assess } from "../../controllers/game/observe/assess.ts"
import { freshRecord } from "../../controllers/game/record/commit.ts"
import { conditionsOf, type Meanwhile } from "../../controllers/game/record/conditions.ts"

export const second = 1000
export const minute = 60_000
export const hour = 3_600_000
export const now = 10_000_000_000
export const gameId = "g1" as GameId
export const image = "galaxy/engine:1.4.2"
export const endpoint = "http://galaxy-game-g1:8080"
const startedAtMs = now - minute

/** The defaults of the contract, written out: these tests must notice when one of them moves. */
export const timing: Timing = {
  stopGraceMs: 30 * second,
  retentionMs: 720 * hour,
  backoff: { baseMs: second, maxMs: 5 * minute, stableMs: 10 * minute, jitter: 0 }
}

/** The row, flat. */
type RowChange = Partial<Omit<Row, "revision"> & Revision>
type AnyRow = Required<RowChange>

export const row = (change: RowChange = {}): AnyRow => ({
  state: "running", imageRef: image, restartPolicy: "always", generation: 1, desiredHash: "d", restartRequestedAtMs: null, spec: {}, specHash: "v1:wanted", problem: null, ...change
})
export const never = (change: RowChange = {}) => row({ restartPolicy: "never", ...change })
export const onFailure = (change: RowChange = {}) => row({ restartPolicy: "on_failure", ...change })
/** The row after somebody wrote another image to it. */
export const changed = (change: RowChange = {}) =>
  row({ generation: 2, imageRef: "galaxy/engine:2.0.0", specHash: "v1:changed", ...change })
export const stopWanted = (change: RowChange = {}) => row({ state: "stopped", generation: 2, ...change })
export const removeWanted = (change: RowChange = {}) => row({ state: "removed", generation: 2, ...change })

/** `told`: what was told of its last wait. */
type Known = Partial<RuntimeRecord> & { readonly told?: Meanwhile }
type AnyRecord = RuntimeRecord & { readonly told?: Meanwhile }

/** Stopped, and no container is left of it. */
export const bare = (change: Known = {}): AnyRecord => ({
  ...freshRecord(gameId), currentImageRef: image, observedGeneration: 1, stoppedAtMs: now - second, version: 1, ...change
})
export const running = (change: Known = {}): AnyRecord => bare({
  status: "running", currentContainerId: "c1", engineEndpoint: endpoint, engineId: "e1", specHash: "v1:wanted", startedAtMs,
  stoppedAtMs: null, ...change
})
export const stopped = (exitCode: number | null, change: Known = {}): AnyRecord =>
  running({ status: "stopped", exitCode, stoppedAtMs: now - second, ...change })
export const removed = (change: Known = {}): AnyRecord => bare({ status: "removed", removedAtMs: now - second, ...change })
/** A first start that failed. */
export const failed = (failure: Failure, change: Known = {}): AnyRecord => bare({ ...failureOf(failure), stoppedAtMs: null, ...change })
/** Its container runs on although the row's change could not be carried out. */
export const notReplaced = (change: Known = {}): AnyRecord => running({ observedGeneration: 2, ...failureOf(noImage), ...change })
const failureOf = ({ code, message, reason }: Failure): Known =>
  ({ lastErrorCode: code, lastErrorReason: reason, lastErrorMessage: message, failureCount: 1 })

/** A stop that was begun so long ago; its signal was sent at once. */
export const stopping = (agoMs: number, because: StopCause = "row"): { readonly stopping: Stopping } =>
  ({ stopping: { sinceMs: now - agoMs, because, signalledAtMs: now - agoMs } })
/** A stop whose signal may not have been sent. */
export const stopBegun = (because: StopCause = "row"): { readonly stopping: Stopping } =>
  ({ stopping: { sinceMs: now - second, because, signalledAtMs: null } })
const rollout = (phase: Rollout["phase"]): { readonly rollout: Rollout } =>
  ({ rollout: { from: "v1:wanted", to: "v1:changed", sinceMs: now - second, phase } })
/** `knows` of a record that tells of a stop begun now. */
export const begun = (because: StopCause = "row"): Knows => ({ stopping: { sinceMs: now, because, signalledAtMs: null } })
/** The old container was asked to end, so long ago. */
export const exchanging = (agoMs: number) => ({ ...stopping(agoMs, "exchange"), ...rollout("stopping") })
/** The old container ended. */
export const replacing = rollout("starting")
export const pullingImage: Known =
  { told: { progress: { status: "True", reason: "PullingImage", message: `pulling ${image}` } } }
const unknowns = {
  EngineChanged: "container c1 is on engine e1, but e2 answers; connect that engine, or change the game's row to start it here",
  AnotherInstance: "container c1 was made by another installation (label com.galaxy.instance); it is left alone",
  ContainerUnresponsive: "the engine lists container c1 but does not answer for it"
} as const
export const unknown = (reason: keyof typeof unknowns): Known => ({ told: { unknown: { reason, message: unknowns[reason] } } })

export const noImage: Failure = { code: "image_pull_failed", reason: "PullFailed", message: "no such image" }
export const refused: Failure = { code: "container_start_failed", reason: "StartFailed", message: "exec format error" }
export const badSpec: Failure = { code: "start_config_invalid", reason: "SpecInvalid", message: "spec.privileged: is unknown" }

type Change = Partial<FoundContainer>

/** A container that this controller made. */
export const found = (change: Change = {}): FoundContainer => ({
  id: "c1", name: "galaxy-game-g1", state: "running", generation: 1, specHash: "v1:wanted", imageRef: image,
  createdAtMs: startedAtMs - second, startedAtMs, exit: null, startError: "", stopSignal: "SIGTERM", stopGraceMs: null, imageId: "sha256:1", warnings: [], restartsByItself: false, endpoint, ports: [], ...change
})
export const live = found
export const created = (change: Change = {}) => live({ state: "created", startedAtMs: null, ...change })
export const exitOf = (code: number): Pick<FoundContainer, "state" | "exit"> =>
  ({ state: "exited", exit: { code, oomKilled: false, finishedAtMs: now - 100 } })
export const exited = (code: number, change: Change = {}) => live({ ...exitOf(code), ...change })
/** A container that somebody labelled as the game's by hand. */
export const byHand = (change: Change = {}) => live({ id: "h1", name: "galaxy-game-g1-manual", specHash: null, generation: null, ...change })

const job = (kind: PendingJob["kind"]) => (generation: number | null = 1, entryId = "1-0"): PendingJob => ({
  id: Number.parseInt(entryId), kind, entryId, generation
})
export const startJob = job("start")
export const stopJob = job("stop")

export type Given = Partial<Omit<Facts, "row" | "record"> & { readonly desired: AnyRow | null; readonly record: AnyRecord | null }>

/** Conditions say what is so, and the recorded container is proven gone where the case lists it not. */
export const facts = ({ desired = row(), record = running(), ...given }: Given): Facts => ({
  gameId, jobs: [], lastHealth: null, containers: [live()], engineId: "e1", instance: "i1", claims: [], pull: { _tag: "None" }, exchangesFull: false, nowMs: now, timing, pullPolicy: "if_missing",
  ...given,
  row: desired && rowOf(desired),
  record: record && told(record, desired)
})

export const observation = (given: Given): Observation => assess(facts(given))

const rowOf = ({ imageRef, spec, specHash, ...rest }: AnyRow): Row => ({ ...rest, revision: { imageRef, spec, specHash } })

/** The record with the conditions that it has where the case names none. */
export const told = ({ told: meanwhile = {}, ...record }: AnyRecord, desired: AnyRow | null): RuntimeRecord =>
  record.conditions.length > 0 ? record : { ...record, conditions: conditionsOf({ conditions: [], currentContainerId: null }, record, desired?.problem, meanwhile, now - second) }

/** Fields of the record, and each condition as `status reason`. */
export type Knows = Partial<Omit<RuntimeRecord, "conditions"> & Record<ConditionType, string>>

/** What is made known, strictly: a fact that a case does not name must not be told. Of the record, `knows` is looked at. */
export interface MadeKnown {
  /** null: the record is left as it is. */
  readonly status: RecordStatus | null
  /** Lines of the operation log: `kind source outcome [error] [container]`. */
  readonly log: ReadonlyArray<string>
  /** `type container [exit code] [unexpected | expected [because]]` */
  readonly health: ReadonlyArray<string>
  /** Job results: `entry outcome [code] [container] [endpoint]`. */
  readonly results: ReadonlyArray<string>
  /** Types of the notifications. */
  readonly told: ReadonlyArray<string>
  /** The desired row that is written: `state policy image`. */
  readonly adopt: string | null
  readonly knows: Knows
}

export const known = (status: RecordStatus | null, parts: Partial<Omit<MadeKnown, "status">> = {}): MadeKnown => ({
  status, log: [], health: [], results: [], told: [], adopt: null, knows: {}, ...parts
})

const words = (...parts: ReadonlyArray<unknown>): string => parts.filter((part) => part != null && part !== "").join(" ")

/** `knows`: the fields of the record that the case asks for. */
export const madeKnown = (commit: Commit, knows: Knows): MadeKnown => ({
  status: commit.record?.status ?? null,
  log: commit.operations.map((op) => words(op.kind, op.source, op.outcome, op.errorCode, op.containerId)),
  health: commit.health.map((event) => words(event.type, event.containerId, event.details["exit_code"], expectedWords(event.details))),
  results: commit.answers.map(({ job: { entryId }, result }) =>
    words(entryId, result.outcome, result.errorCode, result.containerId, result.engineEndpoint)),
  told: commit.messages.map(({ fields }) => fields["notification_type"] ?? ""),
  adopt: commit.adopt && words(commit.adopt.state, commit.adopt.restartPolicy, commit.adopt.imageRef),
  knows: pick(commit.record, knows)
})

const expectedWords = ({ because, expected }: Readonly<Record<string, unknown>>) =>
  expected === undefined ? "" : words(expected ? "expected" : "unexpected", because)

const pick = (record: RuntimeRecord | null, knows: Knows): Knows => {
  const conditions = (record?.conditions ?? []).map(({ type, status, reason }) => [type, words(status, reason)])
  const all: Readonly<Record<string, unknown>> = { ...record, ...Object.fromEntries(conditions) }
  return Object.fromEntries(Object.keys(knows).map((name) => [name, all[name]]))
}

export type Expected =
  & { readonly reason: Reason }
  & ({ readonly waitMs: number | null } | { readonly act: string } | { readonly record: MadeKnown })

export const wait = (reason: Reason, waitMs: number | null): Expected => ({ reason, waitMs })
/** `action`: its name, its container and why a container is removed. */
export const act = (reason: Reason, action: string): Expected => ({ reason, act: action })
export const record = (reason: Reason, ...made: Parameters<typeof known>): Expected => ({ reason, record: known(...made) })

/** A plan in the words of what is expected of it. */
export const shown = ({ reason, step }: Plan, then: Expected): Expected => {
  if (step._tag === "Wait") return { reason, waitMs: step.againMs }
  if (step._tag === "Record") return { reason, record: madeKnown(step.commit, "record" in then ? then.record.knows : {}) }
  const { _tag, container, mode, signal } = { container: null, mode: null, signal: null, ...step.action }
  return { reason, act: words(_tag, container?.id, mode, signal) }
}
