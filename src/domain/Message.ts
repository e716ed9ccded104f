/** Messages to the outbound streams. They are written to the outbox with the fact they tell and relayed afterwards. */
import { Schema } from "effect"
import type { Failure } from "./ErrorCode.ts"
import type { HealthEvent } from "./Health.ts"
import type { JobKind, JobResult } from "./Job.ts"

/** Which outbound stream; its Redis name is a setting. */
export const Topic = Schema.Literals(["job_results", "health_events", "notification_intents", "dead_jobs"])
export type Topic = typeof Topic.Type

/** One stream entry, without its `event_id`: the outbox makes that when the message is stored. */
export interface Message {
  readonly topic: Topic
  readonly fields: Readonly<Record<string, string>>
}

/** A message as the outbox keeps it until it is sent. */
export interface OutboxEntry extends Message {
  /** Ascends in the order in which messages must be sent. */
  readonly id: number
  /** Lets a reader drop repeats. */
  readonly eventId: string
  readonly gameId: string
  /** When it was stored. */
  readonly storedAtMs: number
}

export const jobResultMessage = (
  job: { readonly kind: JobKind; readonly entryId: string },
  gameId: string,
  result: JobResult,
  completedAtMs: number
): Message => ({
  topic: "job_results",
  fields: {
    job_id: job.entryId,
    job_kind: job.kind,
    game_id: gameId,
    outcome: result.outcome,
    container_id: result.containerId,
    engine_endpoint: result.engineEndpoint,
    ports: result.ports.length === 0 ? "" : JSON.stringify(result.ports),
    error_code: result.errorCode,
    error_message: result.errorMessage,
    completed_at_ms: String(completedAtMs)
  }
})

export const healthMessage = (gameId: string, event: HealthEvent): Message => ({
  topic: "health_events",
  fields: {
    game_id: gameId,
    container_id: event.containerId,
    event_type: event.type,
    occurred_at_ms: String(event.occurredAtMs),
    details: JSON.stringify(event.details)
  }
})

/** The notification for a failed start, or undefined when its code is none that people are told of. */
export const notificationMessage = (
  gameId: string,
  imageRef: string,
  failure: Failure,
  attempt: { readonly key: string; readonly atMs: number }
): Message | undefined => {
  const type = notificationTypes[failure.code]
  return type === undefined ? undefined : {
    topic: "notification_intents",
    fields: {
      notification_type: type,
      producer: "runtime_manager",
      audience_kind: "admin_email",
      idempotency_key: `${type}:${gameId}:${attempt.key}`,
      occurred_at_ms: String(attempt.atMs),
      payload_json: JSON.stringify({
        game_id: gameId,
        image_ref: imageRef,
        error_code: failure.code,
        error_message: failure.message,
        attempted_at_ms: attempt.atMs
      })
    }
  }
}

const notificationTypes: Partial<Record<Failure["code"], string>> = {
  image_pull_failed: "runtime.image_pull_failed",
  container_start_failed: "runtime.container_start_failed",
  no_port_free: "runtime.container_start_failed",
  start_config_invalid: "runtime.start_config_invalid"
}
