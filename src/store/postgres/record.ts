/** A runtime record and its columns. A new field is a line here three times and a column in a migration; no SQL function names it. */
import { Schema } from "effect"
import { ErrorCode } from "../../domain/ErrorCode.ts"
import type { GameId } from "../../domain/GameId.ts"
import { Condition, RecordStatus, type Refused, type Rollout, RolloutPhase, type RuntimeRecord, StopCause, type Stopping } from "../../domain/RuntimeRecord.ts"
import { PublishedPort } from "../../domain/ports.ts"
import { NullableText, NullableTime, Time } from "./columns.ts"

const StoppingColumn = Schema.Struct({ since: Time, because: StopCause, signalled_at: NullableTime })

const toStopping = ({ because, signalled_at, since }: typeof StoppingColumn.Type): Stopping => ({ sinceMs: since, because, signalledAtMs: signalled_at })
const fromStopping = ({ because, signalledAtMs, sinceMs }: Stopping): typeof StoppingColumn.Type => ({ since: sinceMs, because, signalled_at: signalledAtMs })

const RolloutColumn = Schema.Struct({ from: NullableText, to: Schema.NonEmptyString, since: Time, phase: RolloutPhase })

const toRollout = ({ from, phase, since, to }: typeof RolloutColumn.Type): Rollout => ({ from, to, sinceMs: since, phase })
const fromRollout = ({ from, phase, sinceMs, to }: Rollout): typeof RolloutColumn.Type => ({ from, to, since: sinceMs, phase })

const RefusedColumn = Schema.Struct({ action: Schema.String, message: Schema.String, since: Time })

const toRefused = ({ action, message, since }: typeof RefusedColumn.Type): Refused => ({ action, message, sinceMs: since })
const fromRefused = ({ action, message, sinceMs }: Refused): typeof RefusedColumn.Type => ({ action, message, since: sinceMs })

export const RecordColumns = Schema.Struct({
  status: RecordStatus,
  current_container_id: NullableText,
  current_image_ref: NullableText,
  engine_endpoint: NullableText,
  ports: Schema.Array(PublishedPort),
  engine_id: NullableText,
  spec_hash: NullableText,
  observed_generation: Schema.Number,
  observed_hash: NullableText,
  conditions: Schema.Array(Condition),
  restart_count: Schema.Number,
  next_restart_at: NullableTime,
  failure_count: Schema.Number,
  last_error_code: Schema.NullOr(ErrorCode),
  last_error_reason: NullableText,
  last_error_message: NullableText,
  exit_code: Schema.NullOr(Schema.Number),
  oom_killed: Schema.Boolean,
  final_exit: Schema.Boolean,
  started_at: NullableTime,
  stopped_at: NullableTime,
  stopping: Schema.NullOr(StoppingColumn),
  rollout: Schema.NullOr(RolloutColumn),
  refused: Schema.NullOr(RefusedColumn),
  restart_observed_at: NullableTime,
  restarting_since: NullableTime,
  removed_at: NullableTime,
  version: Schema.Number
})
export type RecordColumns = typeof RecordColumns.Type
export type RecordDocument = typeof RecordColumns.Encoded

export const toRecord = (gameId: GameId, columns: RecordColumns): RuntimeRecord => ({
  gameId,
  status: columns.status,
  currentContainerId: columns.current_container_id,
  currentImageRef: columns.current_image_ref,
  engineEndpoint: columns.engine_endpoint,
  ports: columns.ports,
  engineId: columns.engine_id,
  specHash: columns.spec_hash,
  observedGeneration: columns.observed_generation,
  observedHash: columns.observed_hash,
  conditions: columns.conditions,
  restartCount: columns.restart_count,
  nextRestartAtMs: columns.next_restart_at,
  failureCount: columns.failure_count,
  lastErrorCode: columns.last_error_code,
  lastErrorReason: columns.last_error_reason,
  lastErrorMessage: columns.last_error_message,
  exitCode: columns.exit_code,
  oomKilled: columns.oom_killed,
  finalExit: columns.final_exit,
  startedAtMs: columns.started_at,
  stoppedAtMs: columns.stopped_at,
  stopping: columns.stopping && toStopping(columns.stopping),
  rollout: columns.rollout && toRollout(columns.rollout),
  refused: columns.refused && toRefused(columns.refused),
  restartObservedAtMs: columns.restart_observed_at,
  restartingSinceMs: columns.restarting_since,
  removedAtMs: columns.removed_at,
  version: columns.version
})

const encode = Schema.encodeSync(RecordColumns)

export const fromRecord = (record: RuntimeRecord): RecordDocument => encode({
  status: record.status,
  current_container_id: record.currentContainerId,
  current_image_ref: record.currentImageRef,
  engine_endpoint: record.engineEndpoint,
  ports: record.ports,
  engine_id: record.engineId,
  spec_hash: record.specHash,
  observed_generation: record.observedGeneration,
  observed_hash: record.observedHash,
  conditions: record.conditions,
  restart_count: record.restartCount,
  next_restart_at: record.nextRestartAtMs,
  failure_count: record.failureCount,
  last_error_code: record.lastErrorCode,
  last_error_reason: record.lastErrorReason,
  last_error_message: record.lastErrorMessage,
  exit_code: record.exitCode,
  oom_killed: record.oomKilled,
  final_exit: record.finalExit,
  started_at: record.startedAtMs,
  stopped_at: record.stoppedAtMs,
  stopping: record.stopping && fromStopping(record.stopping),
  rollout: record.rollout && fromRollout(record.rollout),
  refused: record.refused && fromRefused(record.refused),
  restart_observed_at: record.restartObservedAtMs,
  restarting_since: record.restartingSinceMs,
  removed_at: record.removedAtMs,
  version: record.version
})
