/** What is written, from the domain's words to the documents that the functions of `migrations/functions/` take. */
import type { Commit } from "../../domain/Commit.ts"
import type { HealthEvent } from "../../domain/Health.ts"
import type { JobIntake } from "../../domain/Job.ts"
import { healthMessage, jobResultMessage, type Message, notificationMessage } from "../../domain/Message.ts"
import type { Operation } from "../../domain/Operation.ts"
import { fromHostPort } from "./claims.ts"
import { fromRecord } from "./record.ts"

const time = (ms: number): string => new Date(ms).toISOString()

/** JSON that Postgres takes: it knows no NUL character and no half of a surrogate pair. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => typeof inner === "string" ? storable(inner) : inner)

const storable = (text: string): string => text.includes("\0") || !text.isWellFormed() ? text.toWellFormed().replaceAll("\0", "\ufffd") : text

const fromOperation = (operation: Operation) => ({
  op_kind: operation.kind,
  op_source: operation.source,
  source_ref: operation.sourceRef,
  image_ref: operation.imageRef,
  container_id: operation.containerId,
  outcome: operation.outcome,
  error_code: operation.errorCode,
  error_message: operation.errorMessage,
  started_at: time(operation.startedAtMs),
  finished_at: time(operation.finishedAtMs)
})

const fromHealth = (event: HealthEvent) => ({
  container_id: event.containerId, event_type: event.type, occurred_at: time(event.occurredAtMs), details: event.details
})

const fromAnswer = (gameId: string, { completedAtMs, job, result }: Commit["answers"][number]) => ({
  id: job.id,
  outcome: result.outcome,
  container_id: result.containerId,
  engine_endpoint: result.engineEndpoint,
  error_code: result.errorCode,
  error_message: result.errorMessage,
  message: jobResultMessage(job, gameId, result, completedAtMs)
})

/** A step as `rtmanager.commit_step` reads it. */
export const fromCommit = ({ adopt, answers, expectedVersion, freed, gameId, health, messages, operations, record }: Commit) => {
  const last = health.at(-1)
  return {
    game_id: gameId,
    ...(adopt ? { adopt: { image_ref: adopt.imageRef, state: adopt.state, restart_policy: adopt.restartPolicy } } : {}),
    ...(record ? { record: { game_id: gameId, ...fromRecord(record) }, expected_version: expectedVersion } : {}),
    operations: operations.map(fromOperation),
    ...(last ? { health: fromHealth(last) } : {}),
    messages: [...health.map((event) => healthMessage(gameId, event)), ...messages],
    answers: answers.map((answer) => fromAnswer(gameId, answer)),
    ...(freed ? { freed: { engine_id: freed.engineId, ports: freed.ports.map(fromHostPort) } } : {})
  }
}

/** A job as `rtmanager.take_jobs` reads it. */
export const fromIntake = (job: JobIntake, nowMs: number) => {
  const entry = { stream: job.stream, life: job.life, entry_id: job.entryId, kind: job.kind, payload: job.payload }
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
    outcome: "failure", containerId: "", engineEndpoint: "", ports: [], errorCode: job.failure.code, errorMessage: job.failure.message
  } as const
  const notification = job.imageRef === undefined
    ? undefined
    : notificationMessage(job.gameId, job.imageRef, job.failure, { key: job.life === "" ? job.entryId : `${job.life}:${job.entryId}`, atMs: nowMs })
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
