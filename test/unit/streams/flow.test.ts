import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Topic } from "../../../src/domain/Message.ts"
import { jobsWord, messagesWord } from "../../../src/streams/flow.ts"
import type { OutgoingState } from "../../../src/streams/OutboxRelay.ts"
import type { JobStreamState } from "../../../src/streams/Streams.ts"

const now = { monotonicMs: 100_000, wallMs: 1_000_000 }
const read = (change: Partial<JobStreamState> = {}): JobStreamState =>
  ({ stream: "start", lastReadMs: 99_000, problem: undefined, oldestPending: undefined, ...change })
const sent = (change: Partial<OutgoingState> = {}): OutgoingState => ({ lastLookMs: 99_000, oldestMs: undefined, refused: new Map(), ...change })
const said = (word: Result.Result<string, { readonly message: string }>): string =>
  Result.isSuccess(word) ? `well: ${word.success}` : word.failure.message

describe("what readiness says of jobs", () => {
  const cases: ReadonlyArray<readonly [because: string, streams: ReadonlyArray<JobStreamState>, wanted: string]> = [
    ["both are read", [read(), read({ stream: "stop", oldestPending: "940000-3" })],
      "well: start read 1 s ago, nothing pending; stop read 1 s ago, oldest pending entry 60 s old"],
    ["a stream of another type is named, though the other is read", [read(), read({ stream: "stop", problem: "WRONGTYPE no" })], "stop is not read: WRONGTYPE no"],
    ["a consumer that hangs takes nothing", [read({ lastReadMs: 50_000 })], "start was read last 50 s ago"],
    ["one that has not begun takes nothing", [read({ lastReadMs: undefined })], "start was not read yet"],
    ["an entry by a clock that is ahead is not of the future", [read({ oldestPending: "2000000-0" })], "well: start read 1 s ago, oldest pending entry 0 s old"]
  ]
  it.each(cases)("%s", (_because, streams, wanted) => assert.strictEqual(said(jobsWord(streams, now)), wanted))
})

describe("what readiness says of messages", () => {
  const refused = new Map<Topic, string>([["job_results", "WRONGTYPE no"]])
  const cases: ReadonlyArray<readonly [because: string, state: OutgoingState, wanted: string]> = [
    ["all of them are sent", sent(), "well: none waits"],
    ["some are on their way", sent({ oldestMs: 998_000 }), "well: the oldest waits for 2 s"],
    ["what waits for long does not go out", sent({ oldestMs: 900_000 }), "the oldest message waits for 100 s"],
    ["a topic that Redis refuses is named", sent({ oldestMs: 999_000, refused }), "messages of job_results wait: WRONGTYPE no"],
    ["a relay that hangs sends nothing", sent({ lastLookMs: 40_000 }), "the outbox was looked into last 60 s ago"],
    ["one that has not begun sends nothing", sent({ lastLookMs: undefined }), "the outbox was not looked into yet"]
  ]
  it.each(cases)("%s", (_because, state, wanted) => assert.strictEqual(said(messagesWord(state, now)), wanted))
})
