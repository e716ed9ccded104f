/** What the store's contract is run against, and the words its tests share. */
import { Effect } from "effect"
import type { Commit } from "../../../src/domain/Commit.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { JobIntake, JobResult, PendingJob, StartWish } from "../../../src/domain/Job.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import { firstPage, type GameReader, type SurveyPage, type SurveyPart, type SurveyRow } from "../../../src/store/GameReader.ts"
import type { GameWriter } from "../../../src/store/GameWriter.ts"
import type { StoreError } from "../../../src/store/StoreError.ts"

/** Columns of a desired row, as a user writes them. */
export interface UserRow {
  readonly state?: string
  readonly image_ref?: string
  readonly restart_policy?: string
  /** ISO 8601. */
  readonly restart_requested_at?: string
  readonly spec?: Readonly<Record<string, string | Readonly<Record<string, string | ReadonlyArray<number>>>>>
}

/** A store with a database of its own, under a term of epoch 1, and the hands of others on its rows. */
export interface OpenStore {
  readonly reader: GameReader["Service"]
  readonly writer: GameWriter["Service"]
  readonly insert: (gameId: string, imageRef: string, more?: UserRow) => Promise<void>
  readonly update: (gameId: string, change: UserRow) => Promise<void>
  /** The row is made again with the triggers bypassed. */
  readonly restore: (gameId: string, imageRef: string, more?: UserRow & { readonly generation?: number }) => Promise<void>
  readonly remove: (gameId: string) => Promise<void>
  readonly truncate: () => Promise<void>
  /** Somebody has the row locked until he lets go. */
  readonly hold: (gameId: string) => Promise<() => Promise<void>>
  /** Somebody writes into a record what no controller would. */
  readonly spoil: (gameId: string) => Promise<void>
  /** `op_kind outcome` of a game's operations, oldest first. */
  readonly operations: (gameId: string) => Promise<ReadonlyArray<string>>
  /** `event_type` of a game's latest health. */
  readonly health: (gameId: string) => Promise<string | undefined>
  /** So much time has passed for ports that were freed or put in quarantine. */
  readonly agePorts: (ms: number) => Promise<void>
  /** Another controller takes the lease; its writer. */
  readonly takeOver: () => Promise<GameWriter["Service"]>
  /** How often the term was ended. */
  readonly ended: () => number
  /** Every connection breaks. */
  readonly breakConnections: () => Promise<void>
  readonly close: () => Promise<void>
}

export type Open = () => Promise<OpenStore>
export type Run = <A>(effect: Effect.Effect<A, StoreError>) => Promise<A>

/** A test over a store of its own. */
export const withStore = (open: Open) => (body: (opened: OpenStore, run: Run) => Promise<void>) => async (): Promise<void> => {
  const opened = await open()
  try {
    await body(opened, (effect) => Effect.runPromise(effect))
  } finally {
    await opened.close()
  }
}

export const reason = (effect: Effect.Effect<unknown, StoreError>): Promise<StoreError["reason"]> =>
  Effect.runPromise(Effect.map(Effect.flip(effect), (error) => error.reason))

/** All pages of it, open ones by default. */
export const surveyAll = async ({ reader }: Pick<OpenStore, "reader">, part: SurveyPart = "open"): Promise<ReadonlyArray<SurveyRow>> => {
  const rows: Array<SurveyRow> = []
  for (let after: string | null = firstPage; after !== null;) {
    const page: SurveyPage = await Effect.runPromise(reader.survey(part, after))
    rows.push(...page.rows)
    after = page.next
  }
  return rows
}

export const image = "galaxy/engine:1.4.2"
export const game = (id: string): GameId => id as GameId
export const g1 = game("g1")

/** A record of a game that nothing is known of yet. */
export const recordOf = (change: Partial<RuntimeRecord> = {}): RuntimeRecord => ({
  gameId: g1, status: "stopped", currentContainerId: null, currentImageRef: null, engineEndpoint: null, ports: [], engineId: null, specHash: null,
  observedGeneration: 0, observedHash: null, conditions: [], restartCount: 0, nextRestartAtMs: null, failureCount: 0, lastErrorCode: null, lastErrorReason: null,
  lastErrorMessage: null, exitCode: null, oomKilled: false, finalExit: false, startedAtMs: null, stoppedAtMs: null, stopping: null, rollout: null, refused: null, restartObservedAtMs: null, restartingSinceMs: null,
  removedAtMs: null, version: 0, ...change
})

export const commitOf = (change: Partial<Commit>): Commit => ({
  gameId: g1, expectedVersion: 0, record: null, adopt: null, operations: [], health: [], messages: [], answers: [], ...change
})

export const startJob = (entryId: string, wish: Partial<StartWish> = {}): JobIntake => ({
  _tag: "Wish", kind: "start", stream: "start", life: "", entryId, payload: { game_id: "g1" },
  wish: { kind: "start", gameId: g1, imageRef: image, restartPolicy: undefined, spec: undefined, ...wish }
})

export const stopJob = (entryId: string): JobIntake => ({
  _tag: "Wish", kind: "stop", stream: "stop", life: "", entryId, payload: {}, wish: { kind: "stop", gameId: g1, reason: "finished" }
})

export const refused: JobIntake = {
  _tag: "Refused", kind: "start", stream: "start", life: "", entryId: "9-0", gameId: "BAD", dead: true, imageRef: undefined,
  failure: { code: "invalid_request", reason: "InvalidJob", message: "game_id is \"BAD\"" }, payload: { game_id: "BAD" }
}

const success: JobResult = { outcome: "success", containerId: "c", engineEndpoint: "e", ports: [], errorCode: "", errorMessage: "" }

export const answerOf = (job: PendingJob, result: Partial<JobResult> = {}): Commit["answers"][number] =>
  ({ job, completedAtMs: 5, result: { ...success, ...result } })
