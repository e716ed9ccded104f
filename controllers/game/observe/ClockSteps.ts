/**
 * What this process counts itself, it counts by the monotonic clock: when the wall clock is set while a game waits, the times
 * it waits for are set along with it. So a step forward ends no grace and no back-off early, and a step back prolongs none.
 */
import { Clock, Context, Effect } from "effect"
import { monotonicMsOf } from "../../../src/clock/monotonic.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"

export class ClockSteps extends Context.Service<ClockSteps, {
  /** The record with the times of its waits by the clock as it goes now. */
  readonly follow: (gameId: GameId, record: RuntimeRecord | null) => Effect.Effect<RuntimeRecord | null>
}>()("rtmanager/game/ClockSteps") {}

/** Less is a clock that is slewed, or two readings that were not made at once. */
const smallestStepMs = 1000

interface Sight {
  readonly signalledAtMs: number | null
  readonly nextRestartAtMs: number | null
  /** Wall clock less monotonic clock when these times were seen first. */
  readonly offsetMs: number
}

export const makeClockSteps = (): ClockSteps["Service"] => {
  /** Of games that wait for a time. */
  const sights = new Map<GameId, Sight>()
  return {
    follow: (gameId, record) =>
      Clock.clockWith((clock) => Effect.sync(() => {
        const signalledAtMs = record?.stopping?.signalledAtMs ?? null
        const nextRestartAtMs = record?.nextRestartAtMs ?? null
        if (record === null || (signalledAtMs === null && nextRestartAtMs === null)) {
          sights.delete(gameId)
          return record
        }
        const offsetMs = clock.currentTimeMillisUnsafe() - monotonicMsOf(clock)
        const first = sights.get(gameId)
        const isKnown = first !== undefined && first.signalledAtMs === signalledAtMs && first.nextRestartAtMs === nextRestartAtMs
        if (!isKnown) sights.set(gameId, { signalledAtMs, nextRestartAtMs, offsetMs })
        return isKnown ? moved(record, offsetMs - first.offsetMs) : record
      }))
  }
}

const moved = (record: RuntimeRecord, byMs: number): RuntimeRecord => {
  if (Math.abs(byMs) < smallestStepMs) return record
  const { nextRestartAtMs, stopping } = record
  const by = Math.round(byMs)
  return {
    ...record,
    nextRestartAtMs: nextRestartAtMs && nextRestartAtMs + by,
    stopping: stopping && { ...stopping, signalledAtMs: stopping.signalledAtMs && stopping.signalledAtMs + by }
  }
}
