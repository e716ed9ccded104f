import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { supervise } from "../../../src/controller/supervise.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { Topic } from "../../../src/domain/Message.ts"
import { GameWriter } from "../../../src/store/GameWriter.ts"
import { Outgoing, relayOutbox } from "../../../src/streams/OutboxRelay.ts"
import { Streams, StreamsError } from "../../../src/streams/Streams.ts"
import { standingStoreLayer } from "../../support/fakes/FakeLease.ts"
import { FakeStore } from "../../support/fakes/FakeStore.ts"
import { FakeStreams, layer as streamsLayer } from "../../support/fakes/FakeStreams.ts"

/** A relay as main.ts runs it; `appends` counts the attempts by topic. */
const relaying = Effect.fnUntraced(function*(lost: (topic: Topic) => boolean = () => false) {
  const writer = yield* GameWriter
  const streams = yield* FakeStreams
  const real = yield* Streams
  const appends = new Map<Topic, number>()
  const choosy: Streams["Service"] = {
    ...real,
    append: (messages) => Effect.suspend(() => {
      const topic = messages[0]!.topic
      appends.set(topic, (appends.get(topic) ?? 0) + 1)
      return lost(topic) ? Effect.fail(new StreamsError({ operation: "xadd", reason: "Unavailable", message: "lost" })) : real.append(messages)
    })
  }
  const outgoing = new Outgoing()
  yield* Effect.forkChild(Effect.provideService(supervise("outbox relay", relayOutbox(outgoing)), Streams, choosy))
  const tell = (topic: Topic, count: number) =>
    writer.commit({
      gameId: "g1" as GameId, expectedVersion: 0, record: null, adopt: null, operations: [], health: [], answers: [],
      messages: Array.from({ length: count }, (_, index) => ({ topic, fields: { n: String(index) } }))
    })
  const numbers = (topic: Topic) => streams.told(topic).map(({ n }) => Number(n))
  return { appends, outgoing, numbers, streams, tell, world: yield* FakeStore }
})
const counted = (count: number) => Array.from({ length: count }, (_, index) => index)
const onFakes = Effect.provide([streamsLayer, standingStoreLayer])

describe("the outbox relay", () => {
  it.effect("lets no topic that Redis refuses hold up the others, however much waits of it, and sends it in order later", () =>
    Effect.gen(function*() {
      const { appends, numbers, streams, tell, world } = yield* relaying()
      streams.refused.add("job_results")
      yield* tell("job_results", 1200)
      yield* tell("health_events", 700)
      yield* tell("dead_jobs", 3)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual([numbers("job_results"), numbers("health_events"), numbers("dead_jobs")], [[], counted(700), counted(3)])
      assert.isBelow(appends.get("job_results")!, 25)
      assert.strictEqual(world.outbox.size, 1200)
      streams.refused.clear()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(numbers("job_results"), counted(1200))
      assert.strictEqual(world.outbox.size, 0)
    }).pipe(onFakes))

  it.effect("strikes out a moment after it sent, and sends again, as what it was, what a server may have lost that failed meanwhile", () =>
    Effect.gen(function*() {
      const { streams, tell, world } = yield* relaying()
      yield* tell("job_results", 2)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(world.outbox.size, 0)
      yield* tell("job_results", 3)
      yield* TestClock.adjust(500)
      assert.strictEqual(world.outbox.size, 3)
      // Another server answers, without what was told last.
      streams.wipe()
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(streams.told("job_results").map(({ n }) => n), ["0", "1", "2"])
      assert.deepStrictEqual(streams.told("job_results").map(({ event_id }) => event_id), world.told.slice(2).map(({ event_id }) => event_id))
      assert.strictEqual(world.outbox.size, 0)
      assert.strictEqual(streams.log.length, 8)
    }).pipe(onFakes))

  it.effect("keeps no more than a bounded number of what it sent", () =>
    Effect.gen(function*() {
      const { numbers, tell, world } = yield* relaying()
      yield* tell("job_results", 6000)
      yield* TestClock.adjust(100)
      assert.lengthOf(numbers("job_results"), 6000)
      assert.isAtMost(world.outbox.size, 2500)
    }).pipe(onFakes))

  it.effect("sends nothing again that was sent when another topic's messages were lost", () =>
    Effect.gen(function*() {
      let away = true
      const { numbers, streams, tell } = yield* relaying((topic) => away && topic === "dead_jobs")
      yield* tell("job_results", 3)
      yield* tell("dead_jobs", 2)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([numbers("job_results"), numbers("dead_jobs")], [counted(3), []])
      away = false
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([numbers("job_results"), numbers("dead_jobs")], [counted(3), counted(2)])
      assert.strictEqual(streams.log.length, 5)
    }).pipe(onFakes))
})
