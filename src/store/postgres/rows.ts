/** What is read, from the database's rows to the domain's words. Nothing is taken for what it should be: a row may be anybody's. */
import { Effect, Result, Schema, SchemaIssue } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import { DesiredState, type Game, RestartPolicy } from "../../domain/Game.ts"
import { GameId } from "../../domain/GameId.ts"
import { maximumSpecBytes } from "../../domain/GameSpec.ts"
import { HealthEventType } from "../../domain/Health.ts"
import { JobKind, type PendingJob } from "../../domain/Job.ts"
import type { GameState, SurveyRow } from "../GameReader.ts"
import { StoreError } from "../StoreError.ts"
import { ClaimColumns, toClaim } from "./claims.ts"
import { NullableTime } from "./columns.ts"
import { RecordColumns, toRecord } from "./record.ts"

const GameColumns = Schema.Struct({
  state: DesiredState,
  image_ref: Schema.String,
  restart_policy: RestartPolicy,
  generation: Schema.Number,
  desired_hash: Schema.String,
  restart_requested_at: NullableTime,
  /** Decoded where it is used, because the database lets in what its Schema refuses. */
  spec: Schema.optionalKey(Schema.Unknown),
  /** Of its text; a spec that is larger than allowed is not answered. */
  spec_bytes: Schema.optionalKey(Schema.Number)
})
export type GameDocument = typeof GameColumns.Encoded

const JobColumns = Schema.Struct({
  id: Schema.Number,
  kind: JobKind,
  entry_id: Schema.String,
  generation: Schema.NullOr(Schema.Number)
})
export type JobDocument = typeof JobColumns.Encoded

const HealthColumns = Schema.Struct({ container_id: Schema.String, event_type: HealthEventType })

const StateColumns = Schema.Struct({
  game: Schema.NullOr(GameColumns),
  record: Schema.NullOr(RecordColumns),
  jobs: Schema.NullOr(Schema.Array(JobColumns)),
  health: Schema.NullOr(HealthColumns),
  claims: Schema.NullOr(Schema.Array(ClaimColumns))
})

const toGame = (gameId: GameId, columns: typeof GameColumns.Type): Game => ({
  gameId,
  state: columns.state,
  imageRef: columns.image_ref,
  restartPolicy: columns.restart_policy,
  spec: columns.spec ?? {},
  generation: columns.generation,
  desiredHash: columns.desired_hash,
  restartRequestedAtMs: columns.restart_requested_at,
  ...(columns.spec_bytes !== undefined && columns.spec_bytes > maximumSpecBytes ? { specBytes: columns.spec_bytes } : {})
})

const toJob = ({ entry_id, generation, id, kind }: typeof JobColumns.Type): PendingJob => ({ id, kind, entryId: entry_id, generation })

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Where it is wrong, and how. `names`: of the elements of a tuple. */
const problemOf = (error: Schema.SchemaError, names: ReadonlyArray<string> = []): string => {
  const first = format(error.issue).issues[0]
  const [head, ...rest] = (first?.path ?? []).map((part) => typeof part === "object" ? part.key : part)
  const path = [typeof head === "number" ? names[head] ?? head : head, ...rest].filter((part) => part !== undefined).map(String).join(".")
  return `${path === "" ? "" : `${path}: `}${first?.message ?? "is not what the schema says"}`
}

const decodeState = Schema.decodeUnknownResult(StateColumns)

/** `row`: game, record, jobs, health and claims, each as JSON. */
export const gameState = (gameId: GameId, row: unknown): Effect.Effect<GameState, StoreError> => {
  const decoded = decodeState(row)
  return Result.isSuccess(decoded)
    ? Effect.succeed({
      game: decoded.success.game && toGame(gameId, decoded.success.game),
      record: decoded.success.record && toRecord(gameId, decoded.success.record),
      jobs: (decoded.success.jobs ?? []).map(toJob),
      lastHealth: decoded.success.health && { containerId: decoded.success.health.container_id, type: decoded.success.health.event_type },
      claims: (decoded.success.claims ?? []).map(toClaim)
    })
    : Effect.fail(new StoreError({ operation: "load", reason: "Undecodable", message: `game ${gameId}: ${problemOf(decoded.failure)}` }))
}

const SurveyColumns = Schema.Tuple([GameId, Schema.NullOr(GameColumns), Schema.NullOr(RecordColumns), Schema.Number, Schema.NullOr(Schema.Array(ClaimColumns))])
const surveyNames = ["game_id", "game", "record", "pending_jobs", "claims"]
// Ten thousand rows at once: compiled, they cost a third. The module is marked unstable and does nothing but that: where it
// cannot compile, Schema decodes as it does elsewhere.
SchemaJITCompiler.enable(SurveyColumns.ast)
const decodeSurveyRow = Schema.decodeUnknownResult(SurveyColumns)

/** Rows decoded before others get their turn: a few milliseconds' worth. */
const surveyChunk = 500

/** `rows`: each `[game_id, game, record, pending_jobs, claims]`. One that cannot be decoded is logged, and holds up no other. */
export const surveyRows = Effect.fnUntraced(function*(rows: ReadonlyArray<unknown>) {
  const good: Array<SurveyRow> = []
  for (const [index, row] of rows.entries()) {
    if (index % surveyChunk === surveyChunk - 1) yield* Effect.yieldNow
    const decoded = decodeSurveyRow(row)
    if (Result.isFailure(decoded)) {
      const gameId = Array.isArray(row) ? String(row[0]) : ""
      yield* Effect.logError("a game is left out of the resync: its row or record cannot be decoded", {
        game_id: gameId, problem: problemOf(decoded.failure, surveyNames)
      })
      continue
    }
    const [gameId, game, record, pendingJobs, claims] = decoded.success
    good.push({ gameId, game: game && toGame(gameId, game), record: record && toRecord(gameId, record), pendingJobs, claims: (claims ?? []).map(toClaim) })
  }
  return good
})
