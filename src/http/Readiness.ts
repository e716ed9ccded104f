/** What /readyz tells: each part the controller needs, asked with a deadline, all at once, remembered for a second. */
import { Cause, Effect, Result } from "effect"
import { monotonicMs } from "../clock/monotonic.ts"

export interface Check {
  readonly name: string
  /** Fails with why it is not well; its value is a word for people. */
  readonly check: Effect.Effect<string, { readonly message: string }>
}

export interface Report {
  readonly ready: boolean
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly message: string }>>
}

const deadlineMs = 2000
const rememberedMs = 1000

export const makeReadiness = (checks: ReadonlyArray<Check>): Effect.Effect<Report> => {
  let last: { readonly atMs: number; readonly report: Report } | undefined
  return Effect.gen(function*() {
    const nowMs = yield* monotonicMs
    if (last && nowMs - last.atMs < rememberedMs) return last.report
    const results = yield* Effect.forEach(checks, ask, { concurrency: "unbounded" })
    const report = { ready: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) }
    last = { atMs: nowMs, report }
    return report
  })
}

const ask = ({ check, name }: Check) =>
  Effect.result(check.pipe(Effect.timeoutOrElse({
    duration: deadlineMs,
    orElse: () => Effect.fail({ message: `no answer within ${deadlineMs} ms` })
  }), Effect.catchDefect((defect) => Effect.fail({ message: `it cannot be asked: ${Cause.pretty(Cause.die(defect)).split("\n")[0]}` })))).pipe(Effect.map((result) =>
    [name, Result.isSuccess(result) ? { ok: true, message: result.success } : { ok: false, message: result.failure.message }] as const))
