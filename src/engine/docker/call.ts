/**
 * The one way to call the engine: with a deadline, an abort signal in every phase, a place among the calls in flight,
 * a guard that is asked when the place is had, and an answer that is checked.
 */
import { inspect } from "node:util"
import { Duration, Effect, Metric, Result, Schema, Semaphore } from "effect"
import * as metrics from "../../telemetry/metrics.ts"
import { EngineError, type EngineReason } from "../ContainerEngine.ts"
import { notLeader, type Permission } from "../Permission.ts"

export interface CallOptions {
  /** For errors and metrics. */
  readonly operation: string
  readonly deadlineMs: number
  /** What a status means here, where it differs from the common meaning; `other`: any that is not named here or there. */
  readonly reasons?: Readonly<Record<number, EngineReason> & { readonly other?: EngineReason }>
  /** Whether the call changes something: then the guard is asked first. */
  readonly mutates?: boolean
}

export interface Caller {
  readonly call: <A>(options: CallOptions, send: (signal: AbortSignal) => Promise<A>) => Effect.Effect<A, EngineError>
}

export const makeCaller = (maxInFlight: number, permission: Permission | undefined): Caller => {
  const places = Semaphore.makeUnsafe(maxInFlight)
  return {
    call: (options, send) => {
      const sent = inTime(options, send)
      return measured(options.operation, places.withPermits(1)(options.mutates && permission ? permitted(options.operation, sent, permission) : sent))
    }
  }
}

/** The engine does not speak the version that was agreed on with another one, or with itself before it was exchanged. */
export const isVersionRefused = ({ message, status }: EngineError): boolean => status === 400 && /client version \S+ is too (?:new|old)/.test(message)

/** A refused version is agreed on anew, and the call is sent once more. */
export const agreeingAnew = ({ call }: Caller, negotiate: Effect.Effect<unknown, EngineError>): Caller => ({
  call: (options, send) =>
    Effect.catchIf(call(options, send), isVersionRefused, () => Effect.andThen(negotiate, call(options, send)))
})

/**
 * Sends with a deadline: then, and when nobody waits any more, the signal aborts whatever phase the call is in. One
 * callback and one timer, because this is the hottest path there is.
 */
const inTime = <A>({ deadlineMs, operation, reasons }: CallOptions, send: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, EngineError> =>
  Effect.callback<A, EngineError>((resume) => {
    const aborter = new AbortController()
    const end = (outcome: Effect.Effect<A, EngineError>) => {
      clearTimeout(timer)
      resume(outcome)
    }
    const timer = setTimeout(() => {
      end(Effect.fail(new EngineError({
        operation, reason: "Timeout", message: `the engine did not answer ${operation} within ${deadlineMs} ms`
      })))
      aborter.abort()
    }, deadlineMs)
    const failed = (cause: unknown) => end(Effect.fail(engineError({ operation, ...(reasons ? { reasons } : {}) }, cause)))
    try {
      send(unprinted(aborter.signal)).then((answer) => end(Effect.succeed(answer)), failed)
    } catch (cause) {
      failed(cause)
    }
    return Effect.sync(() => {
      clearTimeout(timer)
      aborter.abort()
    })
  })

/** The client prints the options of each call into a debug text that nobody reads: see `opaque` in connection.ts. */
const unprinted = (signal: AbortSignal): AbortSignal => Object.defineProperty(signal, inspect.custom, { value: () => "AbortSignal" })

const permitted = <A>(operation: string, send: Effect.Effect<A, EngineError>, { guard, lost }: Permission) =>
  Effect.andThen(guard, Effect.raceFirst(send, Effect.andThen(lost, Effect.suspend(() => Effect.fail(notLeader(operation))))))

/** Made once each: a metric with attributes is looked up by all of them again. */
const durations = new Map<string, ReturnType<typeof withOperation>>()
const withOperation = (operation: string) => Metric.withAttributes(metrics.engineSeconds, { operation })

const durationOf = (operation: string): ReturnType<typeof withOperation> => {
  const known = durations.get(operation) ?? withOperation(operation)
  durations.set(operation, known)
  return known
}

const measured = <A>(operation: string, call: Effect.Effect<A, EngineError>): Effect.Effect<A, EngineError> =>
  call.pipe(
    Effect.trackDuration(durationOf(operation), Duration.toSeconds),
    Effect.tapError(({ reason }) => Metric.update(Metric.withAttributes(metrics.engineErrors, { operation, reason }), 1))
  )

const commonReasons: Readonly<Record<number, EngineReason>> = {
  400: "Invalid",
  404: "NotFound",
  409: "Conflict"
}

/** Typed by status; no status means that no answer came, so nobody knows whether the call was carried out. */
export const engineError = (options: Pick<CallOptions, "operation" | "reasons">, cause: unknown): EngineError => {
  const status = statusOf(cause)
  return new EngineError({
    operation: options.operation,
    reason: status === undefined ? "Unavailable" : options.reasons?.[status] ?? commonReasons[status] ?? options.reasons?.other ?? "Internal",
    message: messageOf(cause),
    ...(status === undefined ? {} : { status })
  })
}

const statusOf = (cause: unknown): number | undefined => {
  const status = (cause as { statusCode?: unknown })?.statusCode
  return typeof status === "number" ? status : undefined
}

/** The engine's own words where it sent any. */
const messageOf = (cause: unknown): string => {
  const json = (cause as { json?: { message?: unknown } })?.json
  if (typeof json?.message === "string") return json.message
  // A stream's refusal comes with the client's own words before the engine's.
  return (cause instanceof Error ? cause.message : String(cause)).replace(/^\(HTTP code \d+\) [a-z ]+ - /, "").trim()
}

/** An answer that is not what the API says is a failed call, never an empty one. */
export const decodeAnswer = <A>(operation: string, schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (answer: unknown): Effect.Effect<A, EngineError> => {
    const result = decode(answer)
    return Result.isSuccess(result)
      ? Effect.succeed(result.success)
      : Effect.fail(new EngineError({ operation, reason: "Undecodable", message: `answer to ${operation}: ${result.failure.message}` }))
  }
}
