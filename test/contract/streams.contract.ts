/** What every Streams promises, the real one and the one in memory: the same tests for both. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { JobKind } from "../../src/domain/Job.ts"
import type { OutboxEntry, Topic } from "../../src/domain/Message.ts"
import type { JobStreamEntry, Streams, StreamsError } from "../../src/streams/Streams.ts"
import { until } from "../support/until.ts"

type Fields = Readonly<Record<string, string>>

/** Streams of their own, and the hands of a sender on them. */
export interface OpenStreams {
  readonly streams: Streams["Service"]
  /** Appends a job; answers its entry id. */
  readonly add: (kind: JobKind, fields: Fields) => Promise<string>
  readonly told: (topic: Topic) => Promise<ReadonlyArray<Fields>>
  /** Ids delivered and not acknowledged. */
  readonly pending: (kind: JobKind) => Promise<ReadonlyArray<string>>
  /** Cuts a job stream to nothing. */
  readonly trim: (kind: JobKind) => Promise<void>
  /** Loses everything, groups and all. */
  readonly wipe: () => Promise<void>
  readonly close: () => Promise<void>
}

const job = (gameId: string): Fields => ({ game_id: gameId, image_ref: "galaxy/engine:1.4.2" })
const message = (id: number, topic: Topic, fields: Fields): OutboxEntry => ({ id, eventId: `e${id}`, topic, gameId: "g1", fields, storedAtMs: 0 })

/** Two streams have no common order within one millisecond. */
const thenLater = async (adding: Promise<string>): Promise<void> => {
  const ms = Number((await adding).split("-")[0])
  await until("the next millisecond", () => Date.now() > ms)
}

export const streamsContract = (name: string, open: () => Promise<OpenStreams>): void => {
  type Run = <A>(effect: Effect.Effect<A, StreamsError>) => Promise<A>
  const withStreams = (body: (opened: OpenStreams, run: Run) => Promise<void>) => async () => {
    const opened = await open()
    try {
      await body(opened, (effect) => Effect.runPromise(effect))
    } finally {
      await opened.close()
    }
  }

  describe(`Streams: ${name}`, () => {
    it("gives the entries of both job streams in the order they were written", withStreams(async ({ add, streams }, run) => {
      await thenLater(add("start", job("g1")))
      await thenLater(add("stop", { game_id: "g1", reason: "finished" }))
      await add("start", job("g2"))
      const found = await run(streams.read(10))
      assert.deepStrictEqual(found.map(({ fields, kind }) => [kind, fields?.game_id]), [["start", "g1"], ["stop", "g1"], ["start", "g2"]])
    }))

    it("keeps that order when one stream holds more than a batch, also when it begins anew in the middle", withStreams(async ({ add, streams }, run) => {
      const wanted: Array<string> = []
      for (let index = 0; index < 7; index++) wanted.push(await add("start", job(`g${index}`)))
      await thenLater(Promise.resolve(wanted.at(-1)!))
      wanted.push(await add("stop", { game_id: "g6", reason: "finished" }))
      await thenLater(Promise.resolve(wanted.at(-1)!))
      for (let index = 7; index < 12; index++) wanted.push(await add("start", job(`g${index}`)))
      const found: Array<string> = []
      const readOn = async (): Promise<void> => {
        const entries = await run(streams.read(3))
        found.push(...entries.map(({ entryId }) => entryId))
        await run(streams.acknowledge(entries))
      }
      for (let round = 0; round < 2; round++) await readOn()
      await run(streams.rewind)
      while (found.length < wanted.length) await readOn()
      assert.deepStrictEqual(found, wanted)
    }))

    it("gives what was sent before the group was made", withStreams(async ({ add, streams }, run) => {
      const id = await add("start", job("early"))
      assert.deepStrictEqual((await run(streams.read(10))).map(({ entryId }) => entryId), [id])
    }))

    it("gives an entry once, and again after a rewind until it is acknowledged", withStreams(async ({ add, pending, streams }, run) => {
      const first = await add("start", job("g1"))
      const taken = await run(streams.read(10))
      const second = await add("start", job("g2"))
      assert.deepStrictEqual((await run(streams.read(10))).map(({ entryId }) => entryId), [second])
      await run(streams.rewind)
      assert.deepStrictEqual((await run(streams.read(10))).map(({ entryId }) => entryId), [first, second])
      await run(streams.acknowledge(taken))
      assert.deepStrictEqual(await pending("start"), [second])
    }))

    it("counts the deliveries of what nobody acknowledges", withStreams(async ({ add, streams }, run) => {
      await add("start", job("g1"))
      await run(streams.read(10))
      const counts: Array<number | undefined> = []
      for (let round = 0; round < 4; round++) counts.push((await run(streams.reclaim(0, 10)))[0]?.deliveries)
      assert.deepStrictEqual(counts, [2, 3, 4, 5])
    }))

    it("says of what it gives again how often it was given", withStreams(async ({ add, streams }, run) => {
      await add("start", job("g1"))
      const counts: Array<number | undefined> = []
      for (let round = 0; round < 3; round++) {
        counts.push((await run(streams.read(10)))[0]?.deliveries)
        await run(streams.rewind)
      }
      assert.deepStrictEqual(counts, [1, 2, 3])
    }))

    it("takes nothing over while older entries are still to be read", withStreams(async ({ add, streams }, run) => {
      for (let index = 0; index < 8; index++) await add("start", job(`g${index}`))
      await run(streams.read(3))
      assert.deepStrictEqual(await run(streams.reclaim(0, 10)), [])
      await run(streams.rewind)
      assert.deepStrictEqual(await run(streams.reclaim(0, 10)), [])
    }))

    it("takes over everything that is stale, however much it is", withStreams(async ({ add, streams }, run) => {
      for (let index = 0; index < 25; index++) await add("start", job(`g${index}`))
      for (let seen = 0; seen < 25;) seen += (await run(streams.read(100))).length
      const found = new Set<string>()
      for (const entry of await run(streams.reclaim(0, 100))) found.add(entry.entryId)
      assert.strictEqual(found.size, 25)
    }))

    it("does not take over what was delivered just now", withStreams(async ({ add, streams }, run) => {
      await add("start", job("g1"))
      await run(streams.read(10))
      assert.deepStrictEqual(await run(streams.reclaim(60_000, 10)), [])
    }))

    it("tells of an entry that was trimmed away before it was acknowledged", withStreams(async ({ add, streams, trim }, run) => {
      const id = await add("start", job("g1"))
      await run(streams.read(10))
      await trim("start")
      assert.deepStrictEqual((await run(streams.reclaim(0, 10))).map(({ entryId, fields }) => [entryId, fields]), [[id, null]])
    }))

    it("forgets no trimmed entry before it was acknowledged, whoever was told of it and came to nothing", withStreams(async ({ add, pending, streams, trim }, run) => {
      const id = await add("start", job("g1"))
      await run(streams.read(10))
      await trim("start")
      await run(streams.reclaim(0, 10))
      for (let round = 0; round < 2; round++) {
        await run(streams.rewind)
        const again = await run(streams.read(10))
        assert.deepStrictEqual(again.map(({ entryId, fields }) => [entryId, fields]), [[id, null]])
        if (round === 1) await run(streams.acknowledge(again))
      }
      assert.deepStrictEqual(await pending("start"), [])
    }))

    it("works on after everything was wiped, and misses nothing that was sent since", withStreams(async ({ add, streams, wipe }, run) => {
      await add("start", job("g1"))
      const before = await run(streams.read(10))
      await wipe()
      await run(streams.acknowledge(before))
      assert.deepStrictEqual(await run(streams.reclaim(0, 10)), [])
      await add("start", job("g2"))
      const found: Array<string | undefined> = []
      for (let round = 0; round < 3 && found.length === 0; round++) {
        found.push(...(await run(streams.read(10))).map(({ fields }) => fields?.game_id))
      }
      assert.deepStrictEqual(found, ["g2"])
    }))

    it("says of a stream that was lost and made anew that it has another life, and of all else that it has the same", withStreams(async ({ add, streams, wipe }, run) => {
      const lives = async () => {
        const ids = [await add("start", job("g1")), await add("stop", job("g1"))]
        const found = new Map<string, string>()
        for (let round = 0; round < 5 && found.size < 2; round++) {
          for (const { entryId, life, stream } of await run(streams.read(10))) if (ids.includes(entryId)) found.set(stream, life)
        }
        return [...found.values()]
      }
      const first = await lives()
      assert.isTrue(first.every((life) => life !== ""))
      assert.sameMembers(await lives(), first)
      await run(streams.rewind)
      assert.sameMembers(await lives(), first)
      await wipe()
      const second = await lives()
      assert.isTrue(second.length === 2 && second.every((life) => life !== "" && !first.includes(life)))
    }))

    it("gives again what was delivered since a time, acknowledged or not, in order and page by page", withStreams(async ({ add, streams }, run) => {
      const wanted: Array<string> = []
      for (const kind of ["start", "stop", "start", "start", "stop", "start"] as const) {
        wanted.push(await add(kind, job("g1")))
        await thenLater(Promise.resolve(wanted.at(-1)!))
      }
      assert.deepStrictEqual(await run(streams.recent(0, 10)), [])
      for (let seen = 0; seen < wanted.length;) {
        const found = await run(streams.read(10))
        seen += found.length
        await run(streams.acknowledge(found))
      }
      const unread = await add("start", job("unread"))
      const again: Array<string> = []
      const last = new Map<string, JobStreamEntry>()
      for (;;) {
        const page = await run(streams.recent(Number(wanted[1]!.split("-")[0]), 2, [...last.values()]))
        if (page.length === 0) break
        for (const entry of page) last.set(entry.stream, entry)
        again.push(...page.map(({ entryId }) => entryId))
      }
      assert.deepStrictEqual(again, wanted.slice(1))
      assert.notInclude(again, unread)
    }))

    it("hands over fields that objects stumble on", withStreams(async ({ add, streams }, run) => {
      await add("start", { game_id: "g1", ["__proto__"]: "x", constructor: "y" })
      const [entry] = await run(streams.read(10))
      assert.deepStrictEqual(Object.keys(entry!.fields!).sort(), ["__proto__", "constructor", "game_id"])
    }))

    it("appends messages in order, each with its event id", withStreams(async ({ streams, told }, run) => {
      await run(streams.append([
        message(1, "job_results", { outcome: "success" }),
        message(2, "health_events", { event_type: "container_started" }),
        message(3, "job_results", { outcome: "failure" })
      ]))
      assert.deepStrictEqual(await told("job_results"), [{ event_id: "e1", outcome: "success" }, { event_id: "e3", outcome: "failure" }])
      assert.deepStrictEqual(await told("health_events"), [{ event_id: "e2", event_type: "container_started" }])
    }))
  })
}
