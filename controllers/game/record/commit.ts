/** From what a step makes known to the commit of it: the next record with its conditions, and the jobs it answers. Pure. */
import type { Commit } from "../../../src/domain/Commit.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import { notificationMessage } from "../../../src/domain/Message.ts"
import type { Observation } from "../../../src/domain/Observation.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { answersOf } from "../decide/jobs.ts"
import type { Change } from "./change.ts"
import { conditionsOf } from "./conditions.ts"

export const freshRecord = (gameId: GameId): RuntimeRecord => ({
  gameId,
  status: "stopped",
  currentContainerId: null,
  currentImageRef: null,
  engineEndpoint: null,
  ports: [],
  engineId: null,
  specHash: null,
  observedGeneration: 0,
  observedHash: null,
  conditions: [],
  restartCount: 0,
  nextRestartAtMs: null,
  failureCount: 0,
  lastErrorCode: null,
  lastErrorReason: null,
  lastErrorMessage: null,
  exitCode: null,
  oomKilled: false,
  finalExit: false,
  startedAtMs: null,
  stoppedAtMs: null,
  stopping: null,
  rollout: null,
  refused: null,
  restartObservedAtMs: null,
  restartingSinceMs: null,
  removedAtMs: null,
  version: 0
})

export const commitOf = (seen: Observation, change: Change): Commit => {
  const before = seen.record ?? freshRecord(seen.gameId)
  const changed = { ...before, ...change.record, refused: change.refused ?? change.meanwhile?.refused ?? null }
  // A game that is not to run is on its way to no other revision, and to no other run.
  const next = seen.desired?.state === "running" ? changed : { ...changed, rollout: null, restartingSinceMs: null }
  const conditions = conditionsOf(before, next, seen.desired?.problem, change.meanwhile ?? {}, seen.nowMs)
  const record = { ...next, conditions }
  const notification = change.failure?.tell
    ? notificationMessage(seen.gameId, seen.target?.imageRef ?? "", change.failure.failure, {
      key: `${seen.desired?.generation ?? 0}:${next.failureCount}:${before.version + 1}`,
      atMs: seen.nowMs
    })
    : undefined
  return {
    gameId: seen.gameId,
    expectedVersion: before.version,
    record,
    adopt: change.adopt ?? null,
    operations: change.operations ?? [],
    health: change.health ?? [],
    messages: notification ? [notification] : [],
    answers: answersOf(seen, record, change).map((answer) => ({ ...answer, completedAtMs: seen.nowMs }))
  }
}

/** Makes nothing known. */
export const noChange = ({ gameId, record }: Observation): Commit =>
  ({ gameId, expectedVersion: record?.version ?? 0, record: null, adopt: null, operations: [], health: [], messages: [], answers: [] })

/** Only the answers that can be given as things are. */
export const answersOnly = (commit: Commit): Commit => ({ ...commit, record: null })
