/** Which games a resync looks at, as far as one list and one survey show; the contract's point in brackets. */
import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { RuntimeRecord } from "../../../src/domain/RuntimeRecord.ts"
import type { ContainerSummary } from "../../../src/engine/ContainerEngine.ts"
import type { ClaimedPort, SurveyRow } from "../../../src/store/GameReader.ts"
import { compareWith, differing, type Due } from "../../../controllers/game/drift.ts"
import {
  badSpec, bare, changed, failed, gameId, hour, image, minute, never, noImage, notReplaced, now, onFailure, removeWanted, replacing, row, running,
  second, stopBegun, stopped, stopping, stopWanted, timing, told, unknown
} from "../../support/observations.ts"

interface Given {
  readonly game: SurveyRow["game"]
  readonly record: SurveyRow["record"]
  readonly pendingJobs: number
  readonly claims: ReadonlyArray<ClaimedPort>
  readonly list: ReadonlyArray<ContainerSummary>
  readonly engineId: string
}
interface Case {
  readonly name: string
  readonly because: string
  readonly given: Partial<Given>
}
type Cases = ReadonlyArray<Case>

const listed = (change: Partial<ContainerSummary> = {}): ContainerSummary => ({
  id: "c1", gameId, name: "galaxy-game-g1", state: "running", createdAtMs: now - minute, imageRef: image, specHash: "v1:wanted",
  generation: 1, ...change
})
const byHand = (change: Partial<ContainerSummary> = {}) =>
  listed({ id: "h1", name: "galaxy-game-g1-manual", specHash: null, generation: null, ...change })
/** What runs was never found to be what the row asks for. */
const otherRuns = (change: Partial<RuntimeRecord>) => notReplaced({ observedGeneration: 1, specHash: null, ...change })
const ended = [listed({ state: "exited" })]

const problemOf = ({ lastErrorCode, lastErrorMessage }: RuntimeRecord) =>
  lastErrorCode === "start_config_invalid" ? { path: "", message: lastErrorMessage ?? "" } : null
const options = { timing, pullPolicy: "if_missing", engineId: "e1", instance: "i1", nowMs: now, withinMs: 30 * second } as const

/** The base is a game that runs as its row says. */
const looksAt = (given: Partial<Given>): ReadonlyArray<Due> => {
  const { engineId, list, ...survey } = { game: row(), record: running(), pendingJobs: 0, claims: [], list: [listed()], engineId: "e1", ...given }
  const record = survey.record && told(survey.record, row({ problem: problemOf(survey.record) }))
  return differing([{ gameId, ...survey, record }], list, { ...options, engineId })
}

const claim = (host: number, engineId = "e1"): ClaimedPort => ({ engineId, protocol: "tcp", address: "0.0.0.0", host })
const published = { container: 8080, protocol: "tcp", address: "0.0.0.0", host: 7777 } as const

const left: Cases = [{
  name: "a game that runs with its ports", because: "a resync costs nothing for them either",
  given: { record: running({ ports: [published] }), claims: [claim(7777)] }
}, {
  name: "a game with ports of another engine", because: "that engine alone can say that nothing has them",
  given: { game: stopWanted(), record: bare({ observedGeneration: 2 }), list: [], claims: [claim(7777, "e2")] }
}, {
  name: "a game that runs as its row says", because: "a resync of thousands of quiet games costs one list and one query (11)",
  given: {}
}, {
  name: "a failed start under never", because: "no second try until the generation changes (4)",
  given: { game: never(), record: failed(noImage), list: [] }
}, {
  name: "an invalid spec that was told", because: "one notification; no look can help until the row changes",
  given: { record: failed(badSpec), list: [] }
}, {
  name: "a finished game", because: "never is left as it is (6)",
  given: { game: never(), record: stopped(3), list: ended }
}, {
  name: "a game that ended for good", because: "its exit code is one that it is never restarted on (6)",
  given: { record: stopped(64, { finalExit: true }), list: ended }
}, {
  name: "a game that waits for an hour by a curve of its own", because: "the time is what its row makes of it, and lies beyond the next resync (6)",
  given: { game: row({ spec: { restart: { base: "1h" } } }), record: stopped(3, { nextRestartAtMs: now + hour }), list: ended }
}, {
  name: "a game that was restarted in place", because: "once (14)",
  given: { game: row({ restartRequestedAtMs: now - second }), record: running({ restartObservedAtMs: now - second }) }
}, {
  name: "a game that is to be restarted in place after the next resync", because: "that one has its timer (14)",
  given: { game: row({ restartRequestedAtMs: now + hour }) }
}, {
  name: "a finished game that somebody asked to restart", because: "what does not run has nothing to do (14)",
  given: { game: never({ restartRequestedAtMs: now - second }), record: stopped(3), list: ended }
}, {
  name: "a clean end under on_failure", because: "on_failure restarts non-zero exits and OOM kills only (6)",
  given: { game: onFailure(), record: stopped(0), list: ended }
}, {
  name: "a stopped container within the retention", because: "it is kept for 720 h (9)",
  given: { game: stopWanted(), record: stopped(0, { observedGeneration: 2, stoppedAtMs: now - 719 * hour }), list: ended }
}, {
  name: "a stopped game whose container was cleaned up", because: "it is as its row says, and no container is missed (9)",
  given: { game: stopWanted(), record: bare({ observedGeneration: 2 }), list: [] }
}, {
  name: "a running game without a row", because: "absence is never an order",
  given: { game: null }
}, {
  name: "an adopted game that the engine restarts by itself", because: "its own restart policy is at work: it counts as running (7)",
  given: { game: never(), record: running({ currentContainerId: "h1" }), list: [byHand({ state: "restarting" })] }
}, {
  name: "a game beside another installation's of the same id", because: "that one is nothing to this installation",
  given: { list: [listed(), listed({ id: "c2", instance: "i2" })] }
}, {
  name: "a recorded container of another installation, once that was told", because: "it is left alone until the row changes",
  given: { record: running(unknown("AnotherInstance")), list: [listed({ instance: "i2" })] }
}]

const due: ReadonlyArray<Case & { readonly inMs: number }> = [{
  name: "a game in its back-off", because: "a takeover lost its timer, and 1 s is 1 s (6)",
  given: { record: stopped(3, { nextRestartAtMs: now + second }), list: ended }, inMs: 1000
}, {
  name: "a failed start whose next try is not due", because: "a takeover lost its timer, and 1 s is 1 s (4)",
  given: { record: failed(noImage, { nextRestartAtMs: now + second }), list: [] }, inMs: 1000
}, {
  name: "a failed replacement whose next try is not due", because: "a takeover lost its timer, and 1 s is 1 s (4, 10)",
  given: { record: otherRuns({ nextRestartAtMs: now + second }), list: [listed({ specHash: "v1:old" })] }, inMs: 1000
}, {
  name: "a game that is to be restarted in place before the next resync", because: "a takeover lost its timer (14)",
  given: { game: row({ restartRequestedAtMs: now + second }) }, inMs: 1000
}, {
  name: "a container that is being removed", because: "the engine is at work on it, and its event may be missed",
  given: { record: stopped(3), list: [listed({ state: "removing" })] }, inMs: 1000
}, {
  name: "a stopped container whose retention ends before the next resync", because: "720 h by default (9)",
  given: { game: stopWanted(), record: stopped(0, { observedGeneration: 2, stoppedAtMs: now - 720 * hour + second }), list: ended }, inMs: 1000
}]

const observed = (observedGeneration: number) => ({ observedGeneration, observedHash: "d" })

const lookedAt: Cases = [{
  name: "a stopped game of which nothing but its ports is left", because: "whoever saw its container go may have died before he gave them back",
  given: { game: stopWanted(), record: bare({ observedGeneration: 2 }), list: [], claims: [claim(7777)] }
}, {
  name: "a game that runs and keeps a port for nothing", because: "the container that it was for is not to be made any more",
  given: { record: running({ ports: [published] }), claims: [claim(7777), claim(7778)] }
}, {
  name: "a game that the database has lost, but for its ports", because: "nobody else would ever ask for them back",
  given: { game: null, record: null, list: [], claims: [claim(7777)] }
}, {
  name: "a game that is to be restarted in place", because: "a lost NOTIFY costs time, never correctness (14)",
  given: { game: row({ restartRequestedAtMs: now - second }) }
}, {
  name: "a game whose restart in place was cut short", because: "what was begun is finished (12, 14)",
  given: {
    game: never({ restartRequestedAtMs: now - second }),
    record: stopped(0, { restartingSinceMs: now - second, restartObservedAtMs: now - second }), list: ended
  }
}, {
  name: "a finished game whose row was made again with something else", because: "no trigger tells of it, and its generation says nothing",
  given: { game: never({ desiredHash: "other" }), record: bare(observed(1)), list: [] }
}, {
  name: "a running game whose row was made again with something else", because: "no trigger tells of it, and its generation says nothing (10)",
  given: { game: row({ desiredHash: "other" }), record: running(observed(1)) }
}, {
  name: "a game whose row was made again under an earlier generation", because: "the record must say which generation it observed",
  given: { record: running(observed(7)) }
}, {
  name: "a game within its grace", because: "a takeover lost its timer, and only a closer look shows how long the grace is (9)",
  given: { game: stopWanted(), record: running({ ...stopping(29 * second), observedGeneration: 2 }) }
}, {
  name: "a row that nothing is recorded for", because: "a lost NOTIFY costs time, never correctness (2)",
  given: { record: null, list: [] }
}, {
  name: "another image in the row", because: "a changed row has a newer generation than the record observed (10)",
  given: { game: changed() }
}, {
  name: "a row that changed in what needs no new container", because: "the record must say which generation it observed",
  given: { game: never({ generation: 2 }) }
}, {
  name: "a changed row of a game that failed", because: "no second try until the generation changes, and now it did (4)",
  given: { game: never({ generation: 2 }), record: failed(noImage), list: [] }
}, {
  name: "a game that did not answer", because: "it may answer again, and its condition must say so (11)",
  given: { record: running(unknown("ContainerUnresponsive")) }
}, {
  name: "a container of which the list cannot be read", because: "unknown is neither well nor gone, and its condition must say so",
    given: { list: [listed({ state: "unresponsive" })] }
}, {
  name: "a pending job", because: "every job gets a result, also when its game is as it asks",
  given: { pendingJobs: 1 }
}, {
  name: "a pending job of a game that nobody knows", because: "it gets not_found, and only a look at the game can say so",
  given: { game: null, record: null, pendingJobs: 1, list: [] }
}, {
  name: "a recorded container that the list does not show", because: "it may be gone: only a closer look proves it (5)",
  given: { list: [] }
}, {
  name: "another container in place of the recorded one", because: "the recorded one may be gone, and the other is unknown (5, 8)",
  given: { list: [listed({ id: "c2" })] }
}, {
  name: "a recorded container of another engine", because: "its list shows nothing of it, and people must hear of that",
  given: { list: [], engineId: "e2" }
}, {
  name: "an end that no event told", because: "the container may have died while nobody listened (6)",
  given: { list: ended }
}, {
  name: "a start that no event told", because: "somebody's docker start of a stopped game (10)",
  given: { game: never(), record: stopped(0) }
}, {
  name: "a paused game", because: "somebody's docker pause is healed towards the row (10)",
  given: { list: [listed({ state: "paused" })] }
}, {
  name: "a second container of our own", because: "two games would write one volume (8)",
  given: { list: [listed(), listed({ id: "c2" })] }
}, {
  name: "a container that was made and not started", because: "a crash between create and start is healed by the next resync",
  given: { record: bare(), list: [listed({ state: "created" })] }
}, {
  name: "a restart that is due", because: "a timer that was lost with the process costs time only (6)",
  given: { record: stopped(3, { nextRestartAtMs: now }), list: ended }
}, {
  name: "a failed start whose next try is due", because: "a timer that was lost with the process costs time only (4)",
  given: { record: failed(noImage, { nextRestartAtMs: now }), list: [] }
}, {
  name: "a failed replacement whose next try is due", because: "what runs is still not what the row asks for (4, 10)",
  given: { record: otherRuns({ nextRestartAtMs: now }), list: [listed({ specHash: "v1:old" })] }
}, {
  name: "a game whose container is to be made anew", because: "always: a disappearance was told, the new one is not made yet (5)",
  given: { record: bare(), list: [] }
}, {
  name: "a game that runs against its row", because: "the row says stopped and no stop was begun (9)",
  given: { game: stopWanted(), record: running({ observedGeneration: 2 }) }
}, {
  name: "a game whose grace is over", because: "SIGTERM, grace, SIGKILL: whoever sent the signal may be gone (9)",
  given: { game: stopWanted(), record: running({ ...stopping(30 * second), observedGeneration: 2 }) }
}, {
  name: "a stop whose signal nobody recorded", because: "whoever was to send it may be gone (9)",
  given: { game: stopWanted(), record: running({ ...stopBegun(), observedGeneration: 2 }) }
}, {
  name: "an exchange that was cut short", because: "what was begun is finished, whoever began it (10)",
  given: { record: bare({ ...replacing, observedGeneration: 1 }), list: [] }
}, {
  name: "an act that the engine refused", because: "it is asked again, and the condition goes when it is done",
  given: { record: running({ refused: { action: "Unpause", message: "no", sinceMs: now - minute } }) }
}, {
  name: "a stopped container past the retention", because: "720 h are over (9)",
  given: { game: stopWanted(), record: stopped(0, { observedGeneration: 2, stoppedAtMs: now - 720 * hour }), list: ended }
}, {
  name: "a recorded container of another installation", because: "people must hear that it is out of reach",
  given: { list: [listed({ instance: "i2" })] }
}, {
  name: "a game that is to be removed", because: "container gone, record removed (9)",
  given: { game: removeWanted(), record: stopped(0, { observedGeneration: 2 }), list: ended }
}]

describe("a resync", () => {
  it.each(left)("leaves $name", ({ because, given }) => {
    assert.deepStrictEqual(looksAt(given), [], because)
  })

  it.each(lookedAt)("looks at $name", ({ because, given }) => {
    assert.deepStrictEqual(looksAt(given), [{ gameId, inMs: 0 }], because)
  })

  it.each(due)("looks in time at $name", ({ because, given, inMs }) => {
    assert.deepStrictEqual(looksAt(given), [{ gameId, inMs }], because)
  })

  it("leaves to the next one what is due after it", () => {
    const record = stopped(3, { nextRestartAtMs: now + 31 * second, restartCount: 5 })
    assert.deepStrictEqual(looksAt({ record, list: ended }), [])
  })

  it("looks at what differs among many games, each by its own containers", () => {
    const id = (name: string) => name as GameId
    const survey = (name: string, pendingJobs = 0): SurveyRow =>
      ({ gameId: id(name), game: row(), record: told(running({ gameId: id(name), currentContainerId: `c-${name}` }), null), pendingJobs, claims: [] })
    const container = (name: string, change: Partial<ContainerSummary> = {}) => listed({ id: `c-${name}`, gameId: id(name), ...change })
    const games = differing(
      [survey("quiet"), survey("ended"), survey("asked", 1), survey("calm")],
      [container("calm"), container("ended", { state: "exited" }), container("unknown"), container("asked"), container("quiet")],
      options
    )
    assert.deepStrictEqual(games.map((one) => one.gameId).sort(), ["asked", "ended", "unknown"])
  })

  it("looks at a container that no row or record names", () => {
    // To be adopted (7), or of a removed game, whose record a survey leaves out: then it is reported.
    assert.deepStrictEqual(differing([], [byHand(), byHand({ id: "h2" })], options), [{ gameId, inMs: 0 }])
  })

  it("looks at no container of another installation that no row or record names", () => {
    assert.deepStrictEqual(differing([], [listed({ instance: "i2" })], options), [])
  })

  it("finds a stopped game settled whatever another installation has under its id", () => {
    const record = told(bare({ observedGeneration: 2 }), stopWanted())
    const { settled } = compareWith([listed({ instance: "i2" })], "i1").page([{ gameId, game: stopWanted(), record, pendingJobs: 0, claims: [] }], options)
    assert.lengthOf(settled, 1)
  })
})
