import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { supervise } from "../../../src/controller/supervise.ts"
import type { JobIntake, JobKind } from "../../../src/domain/Job.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"
import { StoreError } from "../../../src/store/StoreError.ts"
import { consumeJobs } from "../../../src/streams/JobConsumer.ts"
import { standingStoreLayer } from "../../support/fakes/FakeLease.ts"
import { FakeStore } from "../../support/fakes/FakeStore.ts"
import { FakeStreams, layer as streamsLayer } from "../../support/fakes/FakeStreams.ts"
import { jobStreams, type StreamsWorld } from "../../support/fakes/StreamsWorld.ts"
import type { StoreWorld } from "../../support/fakes/StoreWorld.ts"
import { settableClock } from "../../support/wallClock.ts"

const image = "galaxy/engine:1.4.2"

interface World {
  readonly store: StoreWorld
  readonly streams: StreamsWorld
  /** What the database does to jobs before it takes them. */
  readonly database: { refuses: (job: JobIntake) => StoreError["reason"] | undefined; asked: number }
  /** Games that were asked to be looked at, as `kind game`. */
  readonly looks: ReadonlyArray<string>
  readonly start: (game: string) => string
  /** Taken jobs in their order, as `kind game`. */
  readonly taken: () => ReadonlyArray<string>
  readonly told: (topic: string) => ReadonlyArray<Readonly<Record<string, string>>>
}

/** A consumer as main.ts runs it. */
const consuming = <A, E>(body: (world: World) => Effect.Effect<A, E>, { clock, maxAgeMs, startMs = 0 }: { readonly clock?: Clock.Clock; readonly maxAgeMs?: number; readonly startMs?: number } = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(startMs)
    const store = yield* FakeStore
    const streams = yield* FakeStreams
    const real = yield* GameWriter
    const database: World["database"] = { refuses: () => undefined, asked: 0 }
    const choosy: GameWriter["Service"] = {
      ...real,
      takeJobs: (jobs, again) => Effect.suspend(() => {
        database.asked++
        const reason = jobs.map(database.refuses).find((each) => each !== undefined)
        const refusal = Effect.fail(new StoreError({ operation: "take_jobs", reason: reason ?? "Invalid", message: "no" }))
        return reason === undefined ? real.takeJobs(jobs, again) : reason === "Timeout" ? Effect.delay(refusal, "10 seconds") : refusal
      })
    }
    const looks: Array<string> = []
    const enqueue = (gameId: string, kind: JobKind) => Effect.sync(() => void looks.push(`${kind} ${gameId}`))
    const consumer = supervise("job consumer", consumeJobs({ enqueue, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) })).pipe(
      Effect.provideService(GameWriter, choosy), Effect.provideService(Clock.Clock, clock ?? (yield* Clock.Clock))
    )
    yield* Effect.forkChild(consumer)
    yield* TestClock.adjust(1)
    return yield* body({
      store, streams, database, looks,
      start: (game) => streams.startJob({ game_id: game, image_ref: image }),
      taken: () => [...store.jobs.values()].map(({ game_id, kind }) => `${kind} ${game_id}`),
      told: (topic) => store.told.flatMap((message) => message.topic === topic ? [message.fields] : [])
    })
  }).pipe(Effect.provide(streamsLayer), Effect.provide(standingStoreLayer))

describe("the job consumer", () => {
  it.effect("gives up a job whose words the database refuses without any of them", () =>
    consuming(Effect.fnUntraced(function*({ database, start, streams, taken, told }) {
      // As a database does whose encoding has no word for some text.
      database.refuses = (job) => /bad/.test(JSON.stringify([job.payload, job._tag === "Wish" ? job.wish : job.failure])) ? "Invalid" : undefined
      start("bad")
      start("good")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(taken(), ["start good", "start bad"])
      assert.deepStrictEqual(streams.pending(jobStreams.start), [])
      assert.deepStrictEqual(told("job_results").map(({ error_code, game_id, outcome }) => [game_id, outcome, error_code]), [["bad", "failure", "internal_error"]])
      assert.deepStrictEqual(told("dead_jobs").map(({ fields }) => fields), ["{}"])
    })))

  it.effect.each(["Unavailable", "Timeout", "Conflict", "Undecodable"] as const)("gives no job up for an outage, however often it was delivered meanwhile (%s)", (reason) =>
    consuming(Effect.fnUntraced(function*({ database, start, store, streams, taken, told }) {
      database.refuses = () => reason
      const job = start("g1")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(taken(), [])
      assert.deepStrictEqual(streams.pending(jobStreams.start), [job])
      database.refuses = () => undefined
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(taken(), ["start g1"])
      assert.deepInclude(store.games.get("g1"), { state: "running", image_ref: image })
      assert.deepStrictEqual([told("dead_jobs"), told("job_results"), streams.pending(jobStreams.start)], [[], [], []])
    })))

  it.effect("gives a job up that the database refuses by itself when it was delivered five times, with a failed result", () =>
    consuming(Effect.fnUntraced(function*({ database, start, streams, taken, told }) {
      database.refuses = (job) => job._tag === "Wish" && job.wish.gameId === "bad" ? "Invalid" : undefined
      start("g1")
      const bad = start("bad")
      start("g2")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(taken(), ["start g1", "start g2"])
      assert.deepStrictEqual(streams.pending(jobStreams.start), [bad])
      yield* TestClock.adjust("25 seconds")
      assert.deepStrictEqual(told("dead_jobs"), [])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(told("dead_jobs").map(({ entry_id, reason }) => [entry_id, reason]), [[bad, "delivered 5 times and refused: no"]])
      assert.deepStrictEqual(told("job_results").map(({ error_code, job_id, outcome }) => [job_id, outcome, error_code]), [[bad, "failure", "internal_error"]])
      assert.deepStrictEqual(streams.pending(jobStreams.start), [])
    })))

  it.effect("says of each game what its jobs ask for: a stop when there is one among them, and nothing of what it was given before", () =>
    consuming(Effect.fnUntraced(function*({ looks, start, streams }) {
      streams.answers.silence()
      start("g1")
      start("both")
      streams.stopJob({ game_id: "both", reason: "finished" })
      streams.stopJob({ game_id: "g2", reason: "finished" })
      start("both")
      streams.stopJob({ game_id: "BAD", reason: "finished" })
      streams.answers.up()
      yield* TestClock.adjust("3 seconds")
      assert.sameMembers([...looks], ["start g1", "stop both", "stop g2"])
    })))

  it.effect("takes the jobs of others while somebody holds a game's row locked, and that game's in their order afterwards", () =>
    consuming(Effect.fnUntraced(function*({ start, store, streams, taken, told }) {
      store.locked.add("held")
      start("held")
      start("g1")
      streams.stopJob({ game_id: "held", reason: "finished" })
      yield* TestClock.adjust("1 second")
      for (let index = 2; index < 40; index++) {
        start(`g${index}`)
        yield* TestClock.adjust(index % 3 === 0 ? "1 second" : "100 millis")
      }
      streams.startJob({ game_id: "held", image_ref: "galaxy/engine:2.0.0" })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(taken(), Array.from({ length: 39 }, (_, index) => `start g${index + 1}`))
      store.locked.clear()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(taken().slice(39), ["start held", "stop held", "start held"])
      assert.deepInclude(store.games.get("held"), { state: "running", image_ref: "galaxy/engine:2.0.0" })
      assert.deepStrictEqual([told("dead_jobs"), streams.pending(jobStreams.start), streams.pending(jobStreams.stop)], [[], [], []])
    })))

  it.effect("does not ask without end for a game that is locked", () =>
    consuming(Effect.fnUntraced(function*({ database, start, store }) {
      store.locked.add("held")
      start("held")
      yield* TestClock.adjust("1 minute")
      assert.isBelow(database.asked, 60)
    })))

  it.effect("takes over from a consumer that died, though the wall clock was set back by an hour", () =>
    Effect.gen(function*() {
      const { clock, wall } = yield* settableClock
      yield* consuming(Effect.fnUntraced(function*({ start, streams, taken }) {
        yield* TestClock.adjust("20 seconds")
        wall.offsetMs = -3_600_000
        // Another consumer is given it first, and dies.
        streams.answers.silence()
        start("g1")
        streams.readNew(jobStreams.start, "another", 1)
        streams.answers.up()
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(taken(), ["start g1"])
      }), { clock })
    }))

  it.effect("takes an entry id that is used again after Redis was wiped as a new job, and one that is delivered again as none", () =>
    consuming(Effect.fnUntraced(function*({ streams, store, taken }) {
      const send = (game: string) => streams.add(jobStreams.start, { game_id: game, image_ref: image }, "1-0")
      send("g1")
      yield* TestClock.adjust("1 second")
      streams.wipe()
      send("g2")
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(taken(), ["start g1", "start g2"])
      assert.lengthOf([...store.jobs.values()].filter(({ entry_id }) => entry_id === "1-0"), 2)
    }), { maxAgeMs: 60_000 }))

  it.effect("answers what is older than the greatest age as stale, and touches nothing for it", () =>
    consuming(Effect.fnUntraced(function*({ looks, start, store, streams, told }) {
      streams.answers.down()
      const old = start("old")
      const stop = streams.stopJob({ game_id: "old", reason: "finished" })
      yield* TestClock.adjust("2 minutes")
      const young = start("young")
      streams.add(jobStreams.start, { game_id: "said", image_ref: image, requested_at_ms: String(Date.UTC(2025, 0, 1)) }, "7-0")
      streams.answers.up()
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(told("job_results").map(({ error_code, game_id }) => [game_id, error_code]).sort(), [["old", "stale"], ["old", "stale"], ["said", "stale"]])
      assert.deepStrictEqual([...store.games.keys()], ["young"])
      assert.deepStrictEqual(looks, ["start young"])
      assert.deepStrictEqual([told("dead_jobs"), streams.pending(jobStreams.start)], [[], []])
      assert.isTrue([old, stop, young].every((id) => [...store.jobs.values()].some(({ entry_id }) => entry_id === id)))
    }), { maxAgeMs: 60_000, startMs: Date.UTC(2026, 0, 1) }))

  it.effect("reads again, in their order and before any newer one, the jobs that a database lost when it failed over", () =>
    consuming(Effect.fnUntraced(function*({ start, store, streams, taken }) {
      start("kept")
      yield* TestClock.adjust("20 seconds")
      const before = { games: new Map(store.games), jobs: new Map(store.jobs) }
      for (let index = 0; index < 100; index++) {
        start(`lost${index}`)
        yield* TestClock.adjust(10)
      }
      streams.stopJob({ game_id: "lost5", reason: "finished" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(streams.pending(jobStreams.start), [])
      store.loseAllBut(before.games, before.jobs)
      store.history.current = "2"
      start("lost5")
      yield* TestClock.adjust("3 seconds")
      const games = taken()
      assert.deepStrictEqual(games.slice(0, 3), ["start kept", "start lost0", "start lost1"])
      assert.deepStrictEqual(games.filter((job) => job.endsWith(" lost5")), ["start lost5", "stop lost5", "start lost5"])
      assert.lengthOf(games, 103)
      assert.strictEqual(store.history.noted, "2")
      assert.deepInclude(store.games.get("lost5"), { state: "running" })
    }), { startMs: Date.UTC(2026, 0, 1) }))
})
