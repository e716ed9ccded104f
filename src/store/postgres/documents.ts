/** Translation between the domain's words and the database's documents. */
import type { Commit } from "../../domain/Commit.ts"
import type { ErrorCode } from "../../domain/ErrorCode.ts"
import type { Game } from "../../domain/Game.ts"
import type { GameId } from "../../domain/GameId.ts"
import type { JobIntake, PendingJob } from "../../domain/Job.ts"
import { healthMessage, jobResultMessage, type Message, notificationMessage } from "../../domain/Message.ts"
import type { Condition, RuntimeRecord } from "../../domain/RuntimeRecord.ts"

const time = (ms: number | null): string | null => ms === null ? null : new Date(ms).toISOString()
const ms = (text: string | null): number | null => text === null ? null : Date.parse(text)

/** JSON that Postgres takes: it knows no NUL character and no half of a surrogate pair. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => typeof inner === "string" ? storable(inner) : inner)

const storable = (text: string): string => text.includes("\0") || !text.isWellFormed() ? text.toWellFormed().replaceAll("\0", "\ufffd") : text

export interface GameDocument {
  readonly state: Game["state"]
  readonly image_ref: string
  readonly restart_policy: Game["restartPolicy"]
  readonly spec?: unknown
  readonly generation: number
}

export const toGame = (gameId: GameId, document: GameDocument): Game => ({
  gameId,
  state: document.state,
  imageRef: document.image_ref,
  restartPolicy: document.restart_policy,
  spec: document.spec ?? {},
  generation: document.generation
})

export interface RecordDocument {
  readonly status: RuntimeRecord["status"]
  readonly current_container_id: string | null
  readonly current_image_ref: string | null
  readonly engine_endpoint: string | null
  readonly engine_id: string | null
  readonly spec_hash: string | null
  readonly observed_generation: number
  readonly conditions: ReadonlyArray<Condition> | null
  readonly restart_count: number
  readonly next_restart_at: string | null
  readonly failure_count: number
  readonly last_error_code: ErrorCode | null
  readonly last_error_reason: string | null
  readonly last_error_message: string | null
  readonly exit_code: number | null
  readonly oom_killed: boolean
  readonly started_at: string | null
  readonly stopped_at: string | null
  readonly stopping_since: string | null
  readonly removed_at: string | null
  readonly version: number
}

export const toRecord = (gameId: GameId, document: RecordDocument): RuntimeRecord => ({
  gameId,
  status: document.status,
  currentContainerId: document.current_container_id,
  currentImageRef: document.current_image_ref,
  engineEndpoint: document.engine_endpoint,
  engineId: document.engine_id,
  specHash: document.spec_hash,
  observedGeneration: document.observed_generation,
  conditions: document.conditions ?? [],
  restartCount: document.restart_count,
  nextRestartAtMs: ms(document.next_restart_at),
  failureCount: document.failure_count,
  lastErrorCode: document.last_error_code,
  lastErrorReason: document.last_error_reason,
  lastErrorMessage: document.last_error_message,
  exitCode: document.exit_code,
  oomKilled: document.oom_killed,
  startedAtMs: ms(document.started_at),
  stoppedAtMs: ms(document.stopped_at),
  stoppingSinceMs: ms(document.stopping_since),
  removedAtMs: ms(document.removed_at),
  version: document.version
})

const fromRecord = (record: RuntimeRecord): RecordDocument & { readonly game_id: string } => ({
  game_id: record.gameId,
  status: record.status,
  current_container_id: record.currentContainerId,
  current_image_ref: record.currentImageRef,
  engine_endpoint: record.engineEndpoint,
  engine_id: record.engineId,
  spec_hash: record.specHash,
  observed_generation: record.observedGeneration,
  conditions: record.conditions,
  restart_count: record.restartCount,
  next_restart_at: time(record.nextRestartAtMs),
  failure_count: record.failureCount,
  last_error_code: record.lastErrorCode,
  last_error_reason: record.lastErrorReason,
  last_error_message: record.lastErrorMessage,
  exit_code: record.exitCode,
  oom_killed: record.oomKilled,
  started_at: time(record.startedAtMs),
  stopped_at: time(record.stoppedAtMs),
  stopping_since: time(record.stoppingSinceMs),
  removed_at: time(record.removedAtMs),
  version: record.version
})

export interface JobDocument {
  readonly id: number
  readonly kind: PendingJob["kind"]
  readonly entry_id: string
  readonly generation: number | null
  readonly changed: boolean
}

export const toJob = (document: JobDocument): PendingJob => ({
  id: document.id,
  kind: document.kind,
  entryId: document.entry_id,
  generation: document.generation,
  changed: document.changed
})

export const fromCommit = (commit: Commit) => {
  const last = commit.health.at(-1)
  return {
    game_id: commit.gameId,
    ...(commit.adopt
      ? { adopt: { image_ref: commit.adopt.imageRef, state: commit.adopt.state, restart_policy: commit.adopt.restartPolicy } }
      : {}),
    ...(commit.record ? { record: fromRecord(commit.record), expected_version: commit.expectedVersion } : {}),
    operations: commit.operations.map((op) => ({
      op_kind: op.kind,
      op_source: op.source,
      source_ref: op.sourceRef,
      image_ref: op.imageRef,
      container_id: op.containerId,
      outcome: op.outcome,
      error_code: op.errorCode,
      error_message: op.errorMessage,
      started_at: time(op.startedAtMs),
      finished_at: time(op.finishedAtMs)
    })),
    ...(last
      ? { health: { container_id: last.containerId, event_type: last.type, occurred_at: time(last.occurredAtMs), details: last.details } }
      : {}),
    messages: [...commit.health.map((event) => healthMessage(commit.gameId, event)), ...commit.messages],
    answers: commit.answers.map(({ completedAtMs, job, result }) => ({
      id: job.id,
      outcome: result.outcome,
      container_id: result.containerId,
      engine_endpoint: result.engineEndpoint,
      error_code: result.errorCode,
      error_message: result.errorMessage,
      message: jobResultMessage(job, commit.gameId, result, completedAtMs)
    }))
  }
}

/** A job as `rtmanager.take_jobs` reads it. */
export const fromIntake = (job: JobIntake, nowMs: number) => {
  const entry = { stream: job.stream, entry_id: job.entryId, kind: job.kind, payload: job.payload }
  if (job._tag === "Refused") {
    return {
      ...entry,
      game_id: job.gameId,
      outcome: "failure",
      error_code: job.failure.code,
      error_message: job.failure.message,
      messages: refusalMessages(job, nowMs)
    }
  }
  const { wish } = job
  return {
    ...entry,
    game_id: wish.gameId,
    messages: [],
    ...(wish.kind === "start"
      ? {
        image_ref: wish.imageRef,
        ...(wish.restartPolicy === undefined ? {} : { restart_policy: wish.restartPolicy }),
        ...(wish.spec === undefined ? {} : { spec: wish.spec })
      }
      : {})
  }
}

const refusalMessages = (job: JobIntake & { readonly _tag: "Refused" }, nowMs: number): ReadonlyArray<Message> => {
  const result = {
    outcome: "failure", containerId: "", engineEndpoint: "", errorCode: job.failure.code, errorMessage: job.failure.message
  } as const
  const notification = job.imageRef === undefined
    ? undefined
    : notificationMessage(job.gameId, job.imageRef, job.failure, { key: job.entryId, atMs: nowMs })
  return [
    ...(notification ? [notification] : []),
    ...(job.dead
      ? [{
        topic: "dead_jobs",
        fields: { stream: job.stream, entry_id: job.entryId, reason: job.failure.message, fields: JSON.stringify(job.payload) }
      } as const]
      : []),
    jobResultMessage(job, job.gameId, result, nowMs)
  ]
}
