/** Store over a database in memory. One instance is one controller's term; many may share a database. */
import { Clock, Context, Effect, Latch, Layer, Schedule } from "effect"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { Topic } from "../../../src/domain/Message.ts"
import { CurrentTerm } from "../../../src/store/Lease.ts"
import { fromCommit, fromIntake, jsonText, toGame, toJob, toRecord } from "../../../src/store/postgres/documents.ts"
import { Store, StoreError, type SurveyRow } from "../../../src/store/Store.ts"
import { StoreWorld } from "./StoreWorld.ts"
import { makeSurroundings } from "./Surroundings.ts"

const queryDeadlineMs = 10_000
const outboxPollMs = 1000
const reconnect = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("500 millis")])

/** The database as tests hold it. */
export class FakeStore extends Context.Service<FakeStore, StoreWorld>()("rtmanager/test/FakeStore") {
  static readonly layer: Layer.Layer<FakeStore> = Layer.effect(
    FakeStore,
    Effect.map(makeSurroundings, (surroundings) => new StoreWorld(surroundings))
  )
}

/** The service for the current term. */
export const layer: Layer.Layer<Store, never, CurrentTerm | FakeStore> = Layer.effect(
  Store,
  Effect.gen(function*() {
    const { end, epoch } = yield* CurrentTerm
    return makeFakeStore(yield* FakeStore, epoch, end)
  })
)

/** Runs `body` as one statement of the database, with the real client's deadline. */
export const query = <A>(world: StoreWorld, operation: string, body: () => A, mutates: boolean): Effect.Effect<A, StoreError> =>
  Effect.suspend(() => {
    const answer = world.answers.reach<A, StoreError>(body, () => failure(operation, "Unavailable", "connect ECONNREFUSED"), mutates)
    return world.answers.state !== "silent" ? answer : Effect.timeoutOrElse(answer, {
      duration: queryDeadlineMs,
      orElse: () => Effect.fail(failure(operation, "Timeout", `the database did not answer ${operation} within ${queryDeadlineMs} ms`))
    })
  })

const failure = (operation: string, reason: StoreError["reason"], message: string) => new StoreError({ operation, reason, message })

/** `endTerm` is run when a write of this term was fenced. */
export const makeFakeStore = (world: StoreWorld, epoch: number, endTerm: Effect.Effect<void> = Effect.void): Store["Service"] => {
  const written = Latch.makeUnsafe(true)
  const wakeRelay = Effect.sync(() => {
    written.openUnsafe()
  })
  const ask = <A>(operation: string, body: () => A, mutates = false) =>
    Effect.tapError(query(world, operation, body, mutates), ({ reason }) => reason === "Fenced" ? endTerm : Effect.void)

  return Store.of({
    load: (gameId) =>
      ask("load", () => {
        const game = world.games.get(gameId)
        const record = world.records.get(gameId)
        return {
          game: game ? toGame(gameId, game) : null,
          record: record ? toRecord(gameId, record) : null,
          jobs: world.pendingJobs(gameId).map(toJob)
        }
      }),
    survey: ask("survey", () => survey(world)),
    commit: (commit) =>
      ask("commit", () => world.commit(epoch, stored(fromCommit(commit))), true).pipe(Effect.tap(wakeRelay)),
    takeJobs: (jobs) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        ask("take_jobs", () => world.takeJobs(epoch, stored(jobs.map((job) => fromIntake(job, nowMs)))), true)).pipe(
          Effect.tap(wakeRelay)
        ),
    unsent: (limit, { except = [], sent = [] } = {}) =>
      ask("unsent", () => {
        world.markSent(sent)
        return [...world.outbox.values()].filter(({ topic }) => !except.includes(topic as Topic)).slice(0, limit).map((row) => ({
          id: row.id, eventId: row.event_id, topic: row.topic as Topic, gameId: row.game_id, fields: row.fields
        }))
      }, true),
    markSent: (ids) => ask("mark_sent", () => world.markSent(ids), true),
    outboxSignal: Effect.suspend(() => Effect.timeoutOption(written.await, outboxPollMs)).pipe(
      Effect.andThen(Effect.sync(() => {
        written.closeUnsafe()
      }))
    ),
    changes: world.changes.stream({ _tag: "Opened" }, reconnect),
    ping: ask("ping", () => {})
  })
}

/** What the database would keep of it. */
const stored = <A>(document: A): A => JSON.parse(jsonText(document)) as A

const survey = (world: StoreWorld): ReadonlyArray<SurveyRow> => {
  const known = new Set([...world.games.keys(), ...world.records.keys()])
  const open = [...known].filter((gameId) => world.records.get(gameId)?.status !== "removed")
  const asked = world.waitingGames.filter((gameId) => !known.has(gameId) || world.records.get(gameId)?.status === "removed")
  return [...open.map((gameId) => surveyRow(world, gameId)), ...asked.map((gameId): SurveyRow => ({
    gameId: gameId as GameId, game: null, record: null, pendingJobs: world.pendingJobs(gameId).length
  }))]
}

const surveyRow = (world: StoreWorld, gameId: string): SurveyRow => {
  const game = world.games.get(gameId)
  const record = world.records.get(gameId)
  return {
    gameId: gameId as GameId,
    game: game ? toGame(gameId as GameId, game) : null,
    record: record ? toRecord(gameId as GameId, record) : null,
    pendingJobs: world.pendingJobs(gameId).length
  }
}
