/** GameReader and GameWriter over a database in memory. One writer is one controller's term; many may share a database. */
import { Clock, Context, Effect, Latch, Layer, Schedule } from "effect"
import type { Topic } from "../../../src/domain/Message.ts"
import { CurrentTerm } from "../../../src/store/Lease.ts"
import { GameReader, jobsRead } from "../../../src/store/GameReader.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"
import { changesOf } from "../../../src/store/postgres/changesSince.ts"
import { fromClaim, toClaimed } from "../../../src/store/postgres/claims.ts"
import { fromCommit, fromIntake, jsonText } from "../../../src/store/postgres/documents.ts"
import { gameState } from "../../../src/store/postgres/rows.ts"
import { surveyPage } from "../../../src/store/postgres/survey.ts"
import { StoreError } from "../../../src/store/StoreError.ts"
import { StoreWorld } from "./StoreWorld.ts"
import { makeSurroundings } from "./Surroundings.ts"

const queryDeadlineMs = 10_000
const outboxPollMs = 1000
/** Small, so that tests turn pages. */
const surveyPageSize = 20
const reconnect = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("500 millis")])

/** The database as tests hold it. */
export class FakeStore extends Context.Service<FakeStore, StoreWorld>()("rtmanager/test/FakeStore") {
  static readonly layer: Layer.Layer<FakeStore> = Layer.effect(
    FakeStore,
    Effect.map(makeSurroundings, (surroundings) => new StoreWorld(surroundings))
  )
}

/** The services for the current term. */
export const layer: Layer.Layer<GameReader | GameWriter, never, CurrentTerm | FakeStore> = Layer.effectContext(
  Effect.gen(function*() {
    const { end, epoch } = yield* CurrentTerm
    const world = yield* FakeStore
    return Context.make(GameReader, makeFakeReader(world)).pipe(Context.add(GameWriter, makeFakeWriter(world, epoch, end)))
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

export const makeFakeReader = (world: StoreWorld): GameReader["Service"] => {
  const ask = <A>(operation: string, body: () => A) => query(world, operation, body, false)
  return {
    load: (gameId) =>
      Effect.flatMap(
        ask("load", () => ({
          game: world.games.get(gameId) ?? null, record: world.records.get(gameId) ?? null, jobs: someOf(world.pendingJobs(gameId)),
          health: world.health.get(gameId) ?? null, claims: claimsOf(world, gameId)
        })),
        (row) => gameState(gameId, row)
      ),
    survey: (part, after) =>
      Effect.flatMap(ask("survey", () => {
        const ids = world.surveyed(part, after, surveyPageSize)
        return { rows: ids.map((gameId) => surveyRow(world, gameId)), next: ids.length < surveyPageSize ? null : ids.at(-1)! }
      }), surveyPage),
    changes: world.changes.stream({ _tag: "Opened" }, reconnect),
    changesSince: (cursor, limit) => ask("changes_since", () => changesOf(world.changesSince(cursor, limit), limit)),
    ping: ask("ping", () => {})
  }
}

/** `endTerm` is run when a write of this term was fenced. */
export const makeFakeWriter = (world: StoreWorld, epoch: number, endTerm: Effect.Effect<void> = Effect.void): GameWriter["Service"] => {
  const written = Latch.makeUnsafe(true)
  const wakeRelay = Effect.sync(() => {
    written.openUnsafe()
  })
  const ask = <A>(operation: string, body: () => A) =>
    Effect.tapError(query(world, operation, body, true), ({ reason }) => reason === "Fenced" ? endTerm : Effect.void)
  return {
    commit: (commit) => Effect.tap(ask("commit", () => world.commit(epoch, stored(fromCommit(commit)))), wakeRelay),
    takeJobs: (jobs, again = false) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        ask("take_jobs", () => world.takeJobs(epoch, stored(jobs.map((job) => fromIntake(job, nowMs))), again))).pipe(Effect.tap(wakeRelay)),
    claimPorts: (claim) => Effect.map(ask("claim_ports", () => world.claimPorts(epoch, stored(fromClaim(claim)))), (answer) => toClaimed(claim, answer)),
    settle: (games) => ask("settle", () => world.settle(epoch, games)),
    noteHistory: ask("note_history", () => world.noteHistory(epoch)),
    sameHistory: ask("same_history", () => world.sameHistory()),
    unsent: (limit, { except = [], kept = [], sent = [] } = {}) =>
      ask("unsent", () => {
        world.markSent(sent)
        return [...world.outbox.values()].filter(({ id, topic }) => !except.includes(topic as Topic) && !kept.includes(id)).slice(0, limit).map((row) => ({
          id: row.id, eventId: row.event_id, topic: row.topic as Topic, gameId: row.game_id, fields: row.fields, storedAtMs: row.created_at_ms
        }))
      }),
    markSent: (ids) => ask("mark_sent", () => world.markSent(ids)),
    outboxSignal: Effect.suspend(() => Effect.timeoutOption(written.await, outboxPollMs)).pipe(
      Effect.andThen(Effect.sync(() => {
        written.closeUnsafe()
      }))
    )
  }
}

/** What the database would keep of it. */
const stored = <A>(document: A): A => JSON.parse(jsonText(document)) as A

/** The oldest and the newest. */
const someOf = <A>(jobs: ReadonlyArray<A>): ReadonlyArray<A> =>
  jobs.length <= jobsRead.oldest + jobsRead.newest ? jobs : [...jobs.slice(0, jobsRead.oldest), ...jobs.slice(-jobsRead.newest)]

/** A row as the database answers it. */
const surveyRow = (world: StoreWorld, gameId: string): unknown =>
  [gameId, surveyedGame(world, gameId), world.records.get(gameId) ?? null, Math.min(1, world.pendingJobs(gameId).length), claimsOf(world, gameId)]

const claimsOf = (world: StoreWorld, gameId: string) =>
  world.portsOf(gameId).map(({ address, engine_id, port, protocol }) => ({ engine_id, address, protocol, port }))

const surveyedGame = (world: StoreWorld, gameId: string) => {
  const game = world.games.get(gameId)
  return game === undefined ? null : { ...game, spec: "restart" in game.spec ? { restart: game.spec.restart } : {} }
}
