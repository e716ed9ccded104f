/** The decision, case by case: what the contract asks for (its point in brackets), and the one step that answers it. */
import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../../controllers/game/decide/decide.ts"
import {
  act, badSpec, bare, begun, byHand, changed, created, endpoint, exited, exitOf, type Expected, failed, type Given, hour, image, live, minute,
  never, noImage, notReplaced, now, observation, onFailure, pullingImage, record, refused, removed, removeWanted, replacing,
  row, running, second, shown, startJob, stopBegun, stopJob, stopped, stopping, stopWanted, exchanging, unknown, wait
} from "../../support/observations.ts"

interface Case {
  readonly name: string
  readonly because: string
  readonly given: Given
  readonly then: Expected
  /** Part of what people are told in the log; where it is missing, nothing may be told. */
  readonly reports?: string
}
type Cases = ReadonlyArray<Case>

const at = `c1 ${endpoint}`
const nothing = { record: null, containers: [] }
const pulling = { _tag: "Pulling" } as const
const pulled = { _tag: "Pulled", imageId: "sha256:1" } as const
const pullFailed = { _tag: "Failed", failure: noImage } as const
const oom = { code: 137, oomKilled: true, finishedAtMs: now - 100 }
const noCode = { restart: { never_on: [64] } }
const spec = { problem: { path: "spec.privileged", message: "is unknown" } }

const starts: Cases = [{
  name: "starts a game for a row alone", because: "an INSERT of a minimal row starts a game, no job is needed (2)",
  given: nothing, then: act("StartWanted", "Create")
}, {
  name: "starts a game for a job", because: "one XADD makes the row and its container (1)",
  given: { ...nothing, desired: never(), jobs: [startJob()] }, then: act("StartWanted", "Create")
}, {
  name: "goes on with a container that was made and not started", because: "a crash between create and start makes no second one",
  given: { record: null, containers: [created()] }, then: act("StartWanted", "Start c1")
}, {
  name: "records a job's start whose answer was lost", because: "whatever crashes in between, one success and a `start` in the log (1)",
  given: { desired: never(), record: null, jobs: [startJob()] },
  then: record("StartCompleted", "running", {
    log: ["start job_stream success c1"], health: ["container_started c1"], results: [`1-0 success ${at}`],
    knows: { currentContainerId: "c1", currentImageRef: image, engineEndpoint: endpoint, Ready: "True ContainerRunning" }
  })
}, {
  name: "answers replay_no_op when it runs already", because: "the same image: nothing is touched, not even the record (3)",
  given: { jobs: [startJob()] }, then: record("AlreadySo", null, { results: [`1-0 success replay_no_op ${at}`] })
}, {
  name: "answers replay_no_op when only the policy changes", because: "the same image: no container is touched (3)",
  given: { desired: never({ generation: 2 }), jobs: [startJob(2)] },
  then: record("RowChangedInPlace", "running", { results: [`1-0 success replay_no_op ${at}`], knows: { observedGeneration: 2 } })
}, {
  name: "starts a finished game again for a new job", because: "a start job is a wish of its own although the row stays the same (9)",
  given: { desired: never(), record: stopped(0), containers: [exited(0)], jobs: [startJob()] }, then: act("StartWanted", "Start c1")
}, {
  name: "has another image on the host before it makes room in a finished game", because: "what is there stays until then (4, 10)",
  given: { desired: changed(), record: stopped(0), containers: [exited(0)] }, then: act("StartWanted", "FetchImage")
}, {
  name: "makes room for another image in a finished game", because: "its name is taken, and the image is on the host (4, 10)",
  given: { desired: changed(), record: stopped(0), containers: [exited(0)], pull: pulled },
  then: act("StartWanted", "Remove c1 replaced")
}, {
  name: "answers conflict for a removed game", because: "removed is terminal",
  given: { desired: removeWanted(), record: removed({ observedGeneration: 2 }), containers: [], jobs: [startJob(2)] },
  then: record("RemovedForGood", null, { results: ["1-0 failure conflict"] })
}, {
  name: "does not wake a removed game for an edited row", because: "no arrow leads out of removed",
  given: { desired: changed(), record: removed(), containers: [] }, then: wait("RemovedForGood", null)
}, {
  name: "answers superseded to the stop that a newer start overtook", because: "the latest wish wins",
  given: { desired: row({ generation: 3 }), record: running({ observedGeneration: 3 }), jobs: [stopJob(2)] },
  then: record("AlreadySo", null, { results: ["1-0 failure superseded"] })
}, {
  name: "answers superseded to a start and success to the stop after it", because: "the latest wish wins, each job has one result (9)",
  given: { desired: stopWanted(), containers: [exited(0)], jobs: [startJob(1, "1-0"), stopJob(2, "2-0")] },
  then: record("ContainerEnded", "stopped", {
    log: ["stop job_stream success c1"], health: ["container_exited c1 0 expected"], results: ["1-0 failure superseded", "2-0 success c1"]
  })
}, {
  name: "answers not_found to a stop of a game that nobody knows", because: "a stop job writes no row where there is none",
  given: { ...nothing, desired: null, jobs: [stopJob(null)] }, then: record("NoRow", null, { results: ["1-0 failure not_found"] })
}]

const pullFails = (told: boolean, origin: string, nextRestartAtMs: number | null, results: ReadonlyArray<string> = []) =>
  record("ImagePullFailed", "stopped", {
    log: [`start ${origin} failure image_pull_failed`], told: told ? ["runtime.image_pull_failed"] : [], results,
    knows: { nextRestartAtMs, currentContainerId: null }
  })

const pulls: Cases = [{
  name: "shows that an image is being pulled", because: "Progressing says what it waits for, and nothing is recorded as running (4)",
  given: { ...nothing, pull: pulling }, then: record("PullingImage", "stopped", { knows: { Progressing: "True PullingImage" } })
}, {
  name: "waits for the pull", because: "its end looks at the game again; nothing is said twice",
  given: { record: bare(pullingImage), containers: [], pull: pulling }, then: wait("PullingImage", null)
}, {
  name: "fails the job under never", because: "one result without a container, one intent, start/failure in the log, no second try (4)",
  given: { ...nothing, desired: never(), jobs: [startJob()], pull: pullFailed },
  then: pullFails(true, "job_stream", null, ["1-0 failure image_pull_failed"])
}, {
  name: "fails the job under always and tries again", because: "the job has its one result at the first failure; the policy retries (4)",
  given: { ...nothing, jobs: [startJob()], pull: pullFailed },
  then: pullFails(true, "job_stream", now + 1000, ["1-0 failure image_pull_failed"])
}, {
  name: "tries no more under never", because: "no second try until the generation changes (4)",
  given: { desired: never(), record: failed(noImage), containers: [] }, then: wait("Settled", null)
}, {
  name: "tries again under never once the row changed", because: "no second try until the generation changes (4)",
  given: { desired: never({ generation: 2 }), record: failed(noImage), containers: [] }, then: act("StartWanted", "Create")
}, {
  name: "tells the same failure once", because: "told again only when the reason changes; the pause doubles (4)",
  given: { record: failed(noImage), containers: [], pull: pullFailed }, then: pullFails(false, "auto_reconcile", now + 2000)
}, {
  name: "tells another failure", because: "told again when the reason changes (4)",
  given: { record: failed(refused), containers: [], pull: pullFailed }, then: pullFails(true, "auto_reconcile", now + 2000)
}, {
  name: "counts and tells anew for a new generation", because: "it is another wish that failed",
  given: { desired: row({ generation: 2 }), record: failed(noImage, { failureCount: 6 }), containers: [], pull: pullFailed },
  then: pullFails(true, "desired_state", now + 1000)
}, {
  name: "pauses five minutes at most", because: "1 s x2 up to 5 min: the tenth pause would be 512 s",
  given: { record: failed(noImage, { failureCount: 9 }), containers: [], pull: pullFailed },
  then: pullFails(false, "auto_reconcile", now + 300_000)
}, {
  name: "tries again when it is due", because: "retried with back-off (4)",
  given: { desired: onFailure(), record: failed(noImage, { nextRestartAtMs: now }), containers: [] }, then: act("StartWanted", "Create")
}, {
  name: "clears a refused start away for the next try", because: "the engine leaves it in `created`, with its error and the name",
  given: { record: failed(refused, { nextRestartAtMs: now }), containers: [created({ startError: "no such file" })] },
  then: act("StartWanted", "Remove c1 leftover")
}, {
  name: "clears a refused start away under never", because: "a failed start emits no event and leaves a container that never ran",
  given: { desired: never(), record: failed(refused), containers: [created({ startError: "no such file" })] },
  then: act("Leftover", "Remove c1 leftover")
}]

const alwaysAsks = { spec: { pull_policy: "always" as const } }
const asksAgain: Cases = [{
  name: "asks for an image that is always asked for before it starts a container again", because: "always means at each start (6)",
  given: { desired: row(alwaysAsks), record: stopped(3, { nextRestartAtMs: now }), containers: [exited(3)] }, then: act("StartWanted", "FetchImage")
}, {
  name: "starts it in place when its name means the same image", because: "nothing changed (6)",
  given: { desired: row(alwaysAsks), record: stopped(3, { nextRestartAtMs: now }), containers: [exited(3)], pull: pulled },
  then: act("StartWanted", "Start c1")
}, {
  name: "makes room for the image that its name means by now", because: "what was asked for is what runs (6)",
  given: {
    desired: row(alwaysAsks), record: stopped(3, { nextRestartAtMs: now }), containers: [exited(3)], pull: { _tag: "Pulled", imageId: "sha256:2" }
  },
  then: act("StartWanted", "Remove c1 replaced")
}, {
  name: "takes that room for no disappearance", because: "a step of the next start whose answer was lost (6)",
  given: { desired: row(alwaysAsks), record: stopped(3, { nextRestartAtMs: now }), containers: [], pull: pulled },
  then: record("RemovalCompleted", "stopped", { knows: { currentContainerId: null } })
}, {
  name: "misses a container that goes while its image is asked for", because: "we removed nothing yet (5)",
  given: { desired: row(alwaysAsks), record: stopped(3, { nextRestartAtMs: now }), containers: [], pull: pulling },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}]

const disappearances: Cases = [{
  name: "disposes of a game under never", because: "the event has the old id, the record is removed, the log says reconcile_dispose (5)",
  given: { desired: never(), containers: [] },
  then: record("ContainerDisappeared", "removed", {
    log: ["reconcile_dispose auto_reconcile success c1"], health: ["container_disappeared c1"], knows: { currentContainerId: null }
  })
}, {
  name: "forgets a failed change of a game that is disposed of", because: "a game that is over failed at nothing (5)",
  given: { desired: changed({ restartPolicy: "never" }), record: notReplaced({ restartCount: 2 }), containers: [] },
  then: record("ContainerDisappeared", "removed", {
    log: ["reconcile_dispose auto_reconcile success c1"], health: ["container_disappeared c1"],
    knows: { lastErrorCode: null, lastErrorReason: null, lastErrorMessage: null, failureCount: 0, restartCount: 0, nextRestartAtMs: null, observedGeneration: 2 }
  })
}, ...[row(), onFailure()].flatMap((desired): Cases => [{
  name: `tells of it first under ${desired.restartPolicy}`, because: "the event has the old id, which the next start overwrites (5)",
  given: { desired, containers: [] },
  then: record("ContainerDisappeared", "stopped", {
    health: ["container_disappeared c1"], knows: { currentContainerId: null, engineEndpoint: null, Ready: "False ContainerStopped" }
  })
}, {
  name: `makes a new container under ${desired.restartPolicy}`, because: "the second step of the same story (5)",
  given: { desired, record: bare(), containers: [] }, then: act("StartWanted", "Create")
}]), {
  name: "records a recreation whose answer was lost", because: "the log says reconcile_recreate, by nobody's wish (5)",
  given: { record: bare(), containers: [live({ id: "c2" })] },
  then: record("StartCompleted", "running", { log: ["reconcile_recreate auto_reconcile success c2"], health: ["container_started c2"] })
}, {
  name: "does not dispose of a game that somebody wants again", because: "a start job that is not carried out yet is a newer wish (5)",
  given: { desired: never({ generation: 2 }), containers: [], jobs: [startJob(2)] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}, {
  name: "keeps a stopped game stopped", because: "its row wants it stopped, and it can be started again (9)",
  given: { desired: stopWanted(), record: stopped(0), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { observedGeneration: 2 } })
}, {
  name: "keeps a game that had ended under never", because: "nothing ran that was taken away: it can be started again (5)",
  given: { desired: never(), record: stopped(0), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { currentContainerId: null, exitCode: 0, removedAtMs: null } })
}, {
  name: "says nothing more of it", because: "told once",
  given: { desired: never(), record: bare({ exitCode: 0 }), containers: [] }, then: wait("Settled", null)
}, {
  name: "starts it again for a job", because: "it can be started (5, 9)",
  given: { desired: never(), record: bare({ exitCode: 0 }), containers: [], jobs: [startJob()] }, then: act("StartWanted", "Create")
}, {
  name: "keeps a game that had ended and has no row", because: "absence is never an order",
  given: { desired: null, record: stopped(0), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}, {
  name: "waits for the end of docker rm -f, whoever looks while it is under way", because: "the game was taken away while it ran (5)",
  given: { desired: never(), containers: [exited(137, { state: "removing" })] }, then: wait("Removing", 1000)
}, {
  name: "tells the end of a game whose removal does not end", because: "a dead game is not recorded as running for long (6)",
  given: { desired: never(), containers: [live({ state: "removing", exit: { code: 137, oomKilled: false, finishedAtMs: now - 10_000 } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 137 unexpected"] })
}, {
  name: "tells the end of a game that ended by itself and is being removed", because: "a container made with --rm goes when its program ends (6)",
  given: { desired: never(), containers: [exited(0, { state: "removing" })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 unexpected"] })
}, {
  name: "tells of a container that is gone before its restart", because: "a restart would have been in place: we removed nothing (5)",
  given: { record: stopped(3), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { currentContainerId: null } })
}, {
  name: "takes the room it made for another image for no disappearance", because: "a step of the next start whose answer was lost (10)",
  given: { desired: changed(), record: stopped(0), containers: [] },
  then: record("RemovalCompleted", "stopped", { knows: { currentContainerId: null } })
}, {
  name: "takes its own removal for no disappearance", because: "the retention was over and a crash came before the record (9)",
  given: { desired: never(), record: stopped(0, { stoppedAtMs: now - 721 * hour }), containers: [] },
  then: record("RemovalCompleted", "stopped", { log: ["cleanup_container auto_ttl success c1"], knows: { currentContainerId: null } })
}, {
  name: "believes no 404 of another engine", because: "only the engine that held the container can say that it is gone",
  given: { desired: never(), containers: [], engineId: "e2" },
  then: record("EngineChanged", "running", { knows: { Ready: "Unknown EngineChanged", currentContainerId: "c1" } }),
  reports: "container c1 is on engine e1"
}, {
  name: "waits for the engine to come back", because: "unknown is told once and is no reason to act",
  given: { record: running(unknown("EngineChanged")), containers: [], engineId: "e2" },
  then: wait("EngineChanged", null), reports: "container c1 is on engine e1"
}, {
  name: "takes the engine's new name when the container is there", because: "an upgrade of the engine may change it, and a later 404 must count (5)",
  given: { engineId: "e2" }, then: record("EngineRenamed", "running", { knows: { engineId: "e2", currentContainerId: "c1" } })
}, {
  name: "takes the engine's own restart policy off before it adopts", because: "Docker's own restart policy is `no`: restarting is the controller's decision",
  given: { desired: null, record: null, containers: [byHand({ restartsByItself: true })] }, then: act("EngineRestarts", "Disarm h1")
}, {
  name: "takes it off whenever it sees one", because: "somebody may give one to a container that is ours already",
  given: { containers: [live({ restartsByItself: true })] }, then: act("EngineRestarts", "Disarm c1")
}, {
  name: "takes it off before it stops the container", because: "the engine would start again what was stopped",
  given: { desired: stopWanted(), containers: [live({ restartsByItself: true })] }, then: act("EngineRestarts", "Disarm c1")
}, {
  name: "starts on another engine once the row says so", because: "a newer generation is somebody's word, and nothing disappeared",
  given: { desired: row({ generation: 2 }), containers: [], engineId: "e2" },
  then: record("EngineChanged", "stopped", { knows: { currentContainerId: null } })
}]

const ended = (exit: string, nextRestartAtMs: number | null) =>
  record("ContainerEnded", "stopped", { health: [exit], knows: { nextRestartAtMs, stoppedAtMs: now - 100, currentContainerId: "c1" } })

const exits: Cases = [...([
  [row(), 0, now + 1000, "always restarts a clean end"], [row(), 3, now + 1000, "always restarts a failure"],
  [onFailure(), 3, now + 1000, "on_failure restarts a non-zero exit"], [onFailure(), 0, null, "on_failure leaves a clean end"],
  [never(), 3, null, "never leaves a failure"], [never(), 0, null, "never leaves a clean end"]
] as const).map(([desired, code, next, because]): Case => ({
  name: `records exit ${code} under ${desired.restartPolicy}`, because: `container_exited with its code, and ${because} (6)`,
  given: { desired, containers: [exited(code)] }, then: ended(`container_exited c1 ${code} unexpected`, next)
})), ...([[row(), now + 1000], [onFailure(), now + 1000], [never(), null]] as const).map(([desired, next]): Case => ({
  name: `records an OOM kill under ${desired.restartPolicy}`, because: "container_oom; on_failure counts it as a failure (6)",
  given: { desired, containers: [exited(137, { exit: oom })] }, then: ended("container_oom c1 137 unexpected", next)
})), ...([
  [0, minute, 1000, "the first waits 1 s"], [1, minute, 2000, "x2"], [4, minute, 16_000, "x2"], [9, minute, 300_000, "up to 5 min"],
  [6, 10 * minute, 1000, "reset after 10 min up"], [6, 10 * minute - 1, 64_000, "no reset before 10 min up"]
] as const).map(([restartCount, upMs, pauseMs, because]): Case => ({
  name: `waits ${pauseMs} ms after ${restartCount} restarts and ${upMs} ms up`, because: `back-off: ${because} (6)`,
  given: { record: running({ restartCount, startedAtMs: now - 100 - upMs }), containers: [exited(3, { startedAtMs: now - 100 - upMs })] },
  then: ended("container_exited c1 3 unexpected", now + pauseMs)
})), ...([
  [{ base: "5s" }, 1, 10_000, "its own beginning, x2"], [{ base: "5s", max: "8s" }, 6, 8000, "its own end"],
  [{ reset: "1m" }, 6, 1000, "its own length of a run that was well"], [{ reset: "2m" }, 6, 64_000, "not well for long enough"]
] as const).map(([restart, restartCount, pauseMs, because]): Case => ({
  name: `waits ${pauseMs} ms after ${restartCount} restarts by a curve of its own`, because: `restart: ${because} (6)`,
  given: { desired: row({ spec: { restart } }), record: running({ restartCount, startedAtMs: now - 100 - minute }), containers: [exited(3, { startedAtMs: now - 100 - minute })] },
  then: ended("container_exited c1 3 unexpected", now + pauseMs)
})), ...([row(), onFailure(), never()] as const).map((desired): Case => ({
  name: `takes an exit code that is never restarted on for final under ${desired.restartPolicy}`, because: "never_on stands above the policy (6)",
  given: { desired: { ...desired, spec: noCode }, record: running({ restartCount: 3 }), containers: [exited(64)] },
  then: record("ContainerEnded", "stopped", {
    health: ["container_exited c1 64 unexpected"],
    knows: { nextRestartAtMs: null, restartCount: 0, finalExit: true, Ready: "False NeverOn", Progressing: "False Settled" }
  })
})), {
  name: "restarts on the codes that it does not name", because: "never_on is a list (6)",
  given: { desired: row({ spec: noCode }), containers: [exited(65)] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 65 unexpected"], knows: { nextRestartAtMs: now + second, finalExit: false } })
}, {
  name: "takes no code that the engine lost for a final one", because: "0 is what it says of what it never saw end",
  given: { desired: row({ spec: { restart: { never_on: [0] } } }), containers: [exited(0, { exit: { code: 0, oomKilled: false, finishedAtMs: null } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 unexpected"], knows: { nextRestartAtMs: now + second, finalExit: false } })
}, {
  name: "takes no end that was asked for as final", because: "it ended because it was exchanged, whatever it said (6, 10)",
  given: { desired: changed({ spec: noCode }), record: running(exchanging(second)), containers: [exited(64)] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 64 expected exchange"], knows: { finalExit: false } })
}, {
  name: "leaves a game that ended for good", because: "as under never, and its container is kept for the retention (6, 9)",
  given: { desired: row({ spec: noCode }), record: stopped(64, { finalExit: true }), containers: [exited(64)] }, then: wait("Retained", 24 * hour)
}, {
  name: "starts a game that ended for good for a job", because: "never_on is for the policy's restarts, not for somebody's wish",
  given: { desired: row({ spec: noCode }), record: stopped(64, { finalExit: true }), containers: [exited(64)], jobs: [startJob()] }, then: act("StartWanted", "Start c1")
}, {
  name: "starts a game that ended for good for its row", because: "whoever changes the row has mended what was wrong",
  given: { desired: row({ generation: 2 }), record: stopped(64, { finalExit: true }), containers: [exited(64)] }, then: act("StartWanted", "Start c1")
}, {
  name: "says of the first end that its restart is waited for", because: "one end is no loop (6)",
  given: { containers: [exited(3)] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 3 unexpected"], knows: { Progressing: "True BackOff" } })
}, {
  name: "says of the second end in a row that it is a crash loop", because: "a loop is shown as a state, with the next time (6)",
  given: { record: running({ restartCount: 1 }), containers: [exited(3)] },
  then: record("ContainerEnded", "stopped", {
    health: ["container_exited c1 3 unexpected"], knows: { Progressing: "True CrashLoopBackOff", nextRestartAtMs: now + 2 * second }
  })
}, {
  name: "says of an end after a stable run that its restart is waited for", because: "what was well is in no loop (6)",
  given: { record: running({ restartCount: 6, startedAtMs: now - hour }), containers: [exited(3, { startedAtMs: now - hour })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 3 unexpected"], knows: { Progressing: "True BackOff" } })
}, {
  name: "tells of a crash loop once", because: "not at each look",
  given: { record: stopped(3, { nextRestartAtMs: now + 4000, restartCount: 2 }), containers: [exited(3)] },
  then: wait("BackOff", 4000)
}, {
  name: "takes a game that lost a child for its memory and ended well for one that ended well", because: "the exit code decides (6)",
  given: { desired: onFailure(), containers: [exited(0, { exit: { ...oom, code: 0 } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 unexpected"], knows: { oomKilled: false, nextRestartAtMs: null } })
}, {
  name: "takes one that ended badly on it for one that ended badly", because: "container_oom is for the game itself (6)",
  given: { desired: onFailure(), containers: [exited(0, { exit: { ...oom, code: 1 } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 1 unexpected"], knows: { oomKilled: false, nextRestartAtMs: now + 1000 } })
}, {
  name: "believes no exit code that the engine lost", because: "after a restart of its own the engine says 0 for what it never saw end",
  given: { desired: onFailure(), containers: [exited(0, { exit: { code: 0, oomKilled: false, finishedAtMs: null } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 unexpected"], knows: { exitCode: null, nextRestartAtMs: now + 1000 } })
}, {
  name: "leaves an end that the engine lost under never", because: "never restarts nothing, whatever is known of the end (6)",
  given: { desired: never(), containers: [exited(0, { exit: { code: 0, oomKilled: false, finishedAtMs: null } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 unexpected"], knows: { exitCode: null, nextRestartAtMs: null } })
}, {
  name: "restarts it in place", because: "the same container, no new one (6)",
  given: { record: stopped(3, { nextRestartAtMs: now }), containers: [exited(3)] }, then: act("StartWanted", "Start c1")
}, {
  name: "waits for its restart", because: "with back-off (6)",
  given: { record: stopped(3, { nextRestartAtMs: now + 4000, restartCount: 2 }), containers: [exited(3)] }, then: wait("BackOff", 4000)
}, {
  name: "starts it at once for a job", because: "the pause is for the policy's restarts, not for somebody's wish",
  given: { record: stopped(3, { nextRestartAtMs: now + minute, restartCount: 6 }), containers: [exited(3)], jobs: [startJob()] },
  then: act("StartWanted", "Start c1")
}, {
  name: "records a restart whose answer was lost", because: "the log says reconcile_restart once, and the count goes up (6)",
  given: { record: stopped(3, { restartCount: 2 }), containers: [live({ startedAtMs: now - 50 })] },
  then: record("ContainerResumed", "running", {
    log: ["reconcile_restart auto_reconcile success c1"], health: ["container_started c1"], knows: { restartCount: 3, exitCode: null }
  })
}, {
  name: "waits for a removal that is under way", because: "the name stays taken until the engine is through with it",
  given: { record: stopped(3), containers: [exited(3, { state: "removing" })] }, then: wait("Removing", 1000)
}, {
  name: "waits for the end of a forced removal", because: "a running container on its way out has no exit to tell of yet (5)",
  given: { containers: [live({ state: "removing" })] }, then: wait("Removing", 1000)
}, {
  name: "never starts a dead container", because: "a removal that the engine did not finish: it can only be removed",
  given: { record: stopped(137), containers: [exited(137, { state: "dead" })] }, then: act("StartWanted", "Remove c1 leftover")
}]

const adopts = (status: "running" | "stopped", adopt: string | null, knows = {}) => record("Adopted", status, {
  log: ["reconcile_adopt auto_reconcile success h1"], health: status === "running" ? ["container_started h1"] : [], adopt, knows
})

const adoptions: Cases = [{
  name: "adopts what lost a child for its memory and ended well as such", because: "container_oom is for the game itself (6, 7)",
  given: { desired: null, record: null, containers: [byHand({ state: "exited", exit: { ...oom, code: 0 } })] },
  then: adopts("stopped", "stopped never galaxy/engine:1.4.2", { exitCode: 0, oomKilled: false })
}, {
  name: "adopts what runs without row and record", because: "its id, its label's image, and a desired row with policy never (7)",
  given: { desired: null, record: null, containers: [byHand({ imageRef: "galaxy/engine:1.3.0" })] },
  then: adopts("running", "running never galaxy/engine:1.3.0", { currentContainerId: "h1", currentImageRef: "galaxy/engine:1.3.0" })
}, {
  name: "adopts what is stopped as stopped", because: "to be found must not start a game (7)",
  given: { desired: null, record: null, containers: [byHand(exitOf(3))] },
  then: adopts("stopped", "stopped never galaxy/engine:1.4.2", { currentContainerId: "h1", exitCode: 3 })
}, {
  name: "adopts what runs for a row", because: "the row that is there stays as it was written (7)",
  given: { record: null, containers: [byHand()] }, then: adopts("running", null, { observedGeneration: 1 })
}, {
  name: "adopts what is stopped for a row that says running", because: "it is recorded as it is, and only then healed (7, 10)",
  given: { record: null, containers: [byHand(exitOf(3))] }, then: adopts("stopped", null, { exitCode: 3 })
}, {
  name: "adopts another image as it is", because: "the image is its label's; the row is not carried out yet (7)",
  given: { record: null, containers: [byHand({ imageRef: "galaxy/engine:1.3.0" })] },
  then: adopts("running", null, { currentImageRef: "galaxy/engine:1.3.0", observedGeneration: 0, specHash: null })
}, {
  name: "reports a container of a removed game", because: "it is never re-adopted (7)",
  given: { desired: removeWanted(), record: removed(), containers: [byHand()] },
  then: wait("RemovedForGood", null), reports: "galaxy-game-g1-manual"
}, {
  name: "leaves what no record names when the row says removed", because: "made by hand: neither adopted nor ours to remove (7)",
  given: { desired: removeWanted(), record: bare(), containers: [byHand()] },
  then: record("RemovalWanted", "removed", { knows: { currentContainerId: null, observedGeneration: 2 } })
}, {
  name: "reports what it can write no row for", because: "a row's image takes a tag or digest, and this label has none (7)",
  given: { desired: null, record: null, containers: [byHand({ imageRef: "galaxy/engine" })] },
  then: wait("NoRow", null), reports: "com.galaxy.engine_image_ref has neither a tag nor a digest"
}, {
  name: "does not adopt a dead container", because: "the engine began to remove it and it can never run",
  given: { desired: null, record: null, containers: [byHand({ ...exitOf(137), state: "dead" })] }, then: wait("NoRow", null),
  reports: "galaxy-game-g1-manual"
}]

const twins: Cases = [{
  name: "leaves a second container that somebody else made", because: "reported, and removed only if this controller made it (8)",
  given: { containers: [live(), byHand()] }, then: wait("Settled", null), reports: "galaxy-game-g1-manual"
}, {
  name: "ends a second container of its own", because: "two games would write one volume (8)",
  given: { containers: [live(), live({ id: "c2" })] }, then: act("StrayRunning", "Kill c2")
}, {
  name: "removes a second container of its own that ended", because: "removed only if this controller made it (8)",
  given: { containers: [live(), exited(0, { id: "c2" })] }, then: act("Stray", "Remove c2 stray")
}, {
  name: "keeps the recorded one though the other is older", because: "the recorded one stays (8)",
  given: { containers: [live({ id: "c2", createdAtMs: now - hour }), live()] }, then: act("StrayRunning", "Kill c2")
}, {
  name: "keeps the oldest running one where none is recorded", because: "else the oldest running (8)",
  given: { desired: null, record: null, containers: [byHand({ id: "h2", name: "newer", createdAtMs: now - second }), byHand()] },
  then: adopts("running", "running never galaxy/engine:1.4.2"), reports: "newer"
}, {
  name: "keeps to its record though another one runs", because: "the recorded one stays, and its end is told (8)",
  given: { containers: [exited(3), byHand()] }, then: ended("container_exited c1 3 unexpected", now + 1000), reports: "galaxy-game-g1-manual"
}, {
  name: "touches no second container that the engine does not answer for", because: "unknown is no reason to act",
  given: { containers: [live(), live({ id: "c2", state: "unresponsive" })] }, then: wait("Settled", null)
}]

const stops: Cases = [{
  name: "asks the game to end with its own signal", because: "stop_signal is the game's own (9)",
  given: { desired: stopWanted({ spec: { stop_signal: "SIGINT" } }), record: running(stopBegun()), containers: [live({ stopSignal: "SIGINT" })] },
  then: act("Stopping", "Signal c1 SIGINT")
}, {
  name: "asks the old container to end with the signal that it was made with", because: "its program does not know the new row's: it would not save (9, 10)",
  given: {
    desired: changed({ spec: { stop_signal: "SIGUSR1" } }), record: running({ ...exchanging(0), ...stopBegun("exchange") }),
    containers: [live({ stopSignal: "SIGINT" })]
  },
  then: act("Stopping", "Signal c1 SIGINT")
}, {
  name: "gives the old container the grace that it was made with", because: "it needs that long to save, whatever the new one needs (9, 10)",
  given: {
    desired: changed({ spec: { stop_grace: "1s" } }), record: running(exchanging(10 * second)), containers: [live({ stopGraceMs: 2 * minute })]
  },
  then: wait("Stopping", 110_000)
}, {
  name: "gives a container the newer grace of the row that asks for this very container", because: "a change of stop_grace makes no new one (9)",
  given: {
    desired: stopWanted({ spec: { stop_grace: "2m" } }), record: running({ ...stopping(30 * second) }), containers: [live({ stopGraceMs: second })]
  },
  then: wait("Stopping", 90_000)
}, {
  name: "gives it the grace that it was made with when its row cannot be carried out", because: "nothing is known of what such a row wants (9)",
  given: {
    desired: stopWanted({ problem: spec.problem, spec: {} }), record: running({ ...stopping(30 * second) }), containers: [live({ stopGraceMs: 2 * minute })]
  },
  then: wait("Stopping", 90_000)
}, {
  name: "goes on saying that the engine refuses the signal while the grace runs", because: "a refused signal ends in SIGKILL after the grace, told (9)",
  given: {
    desired: stopWanted(),
    record: running({ ...stopping(10 * second), refused: { action: "Signal", message: "Invalid signal: SIGFOO", sinceMs: now - 10 * second } })
  },
  then: wait("Stopping", 20_000)
}, {
  name: "sends the signal again when nobody knows whether it was sent", because: "a crash between signal and record: better twice than never (9)",
  given: { desired: stopWanted(), record: running(stopBegun()) }, then: act("Stopping", "Signal c1 SIGTERM")
}, {
  name: "tells the end of a stop whose signal nobody recorded as asked for", because: "the intent was recorded before (6, 9)",
  given: { desired: row({ generation: 3 }), record: running(stopBegun()), containers: [exited(143)] },
  then: record("ContainerEnded", "stopped", {
    health: ["container_exited c1 143 expected row"], knows: { restartCount: 0, nextRestartAtMs: null, stopping: null }
  })
}, {
  name: "says that an act is refused no more", because: "a settled game has nothing left that the engine refuses",
  given: { record: running({ refused: { action: "Unpause", message: "no", sinceMs: now - minute } }) },
  then: record("ConditionsChanged", "running", { knows: { refused: null, Progressing: "False Settled" } })
}, {
  name: "writes down that the game is to end", because: "the intent is recorded before the signal is sent (9)",
  given: { desired: stopWanted(), jobs: [stopJob(2)] }, then: record("StopWanted", "running", { knows: begun() })
}, {
  name: "gives it its grace", because: "SIGTERM, grace, SIGKILL: 30 s by default (9)",
  given: { desired: stopWanted(), record: running({ ...stopping(10 * second) }) }, then: wait("Stopping", 20_000)
}, {
  name: "gives it the grace of its spec", because: "stop_grace is the game's own (9)",
  given: { desired: stopWanted({ spec: { stop_grace: "2m" } }), record: running({ ...stopping(30 * second) }) },
  then: wait("Stopping", 90_000)
}, {
  name: "kills it when the grace is over", because: "SIGTERM, grace, SIGKILL (9)",
  given: { desired: stopWanted(), record: running({ ...stopping(30 * second) }) }, then: act("GraceIsOver", "Kill c1")
}, {
  name: "carries a stop to its end though the row changed its mind", because: "a signal cannot be taken back",
  given: { desired: row({ generation: 3 }), record: running({ ...stopping(second) }) }, then: wait("Stopping", 29_000)
}, {
  name: "records a stop by its row", because: "record stopped, and `stop` in the log (9)",
  given: { desired: stopWanted(), record: running({ ...stopping(second) }), containers: [exited(143)] },
  then: record("ContainerEnded", "stopped", {
    log: ["stop desired_state success c1"], health: ["container_exited c1 143 expected row"], knows: { observedGeneration: 2, nextRestartAtMs: null }
  })
}, {
  name: "records a stop of a game that never ran", because: "it is as the row says; the job's wish was so already (9)",
  given: { ...nothing, desired: stopWanted(), jobs: [stopJob(2)] },
  then: record("StopWanted", "stopped", { results: ["1-0 success replay_no_op"], knows: { observedGeneration: 2 } })
}, {
  name: "takes back the restart of a game that is stopped in its back-off", because: "the latest wish wins",
  given: { desired: stopWanted(), record: stopped(3, { nextRestartAtMs: now + minute, restartCount: 6 }), containers: [exited(3)] },
  then: record("StopWanted", "stopped", { knows: { nextRestartAtMs: null, observedGeneration: 2 } })
}, {
  name: "answers replay_no_op to a stop of a stopped game", because: "success: it was already so",
  given: { desired: stopWanted(), record: stopped(0, { observedGeneration: 2 }), containers: [exited(0)], jobs: [stopJob(2)] },
  then: record("AlreadySo", null, { results: ["1-0 success replay_no_op c1"] })
}, {
  name: "keeps a stopped container for the retention time", because: "720 h by default, of which one is left (9)",
  given: { desired: stopWanted(), record: stopped(0, { observedGeneration: 2, stoppedAtMs: now - 719 * hour }), containers: [exited(0)] },
  then: wait("Retained", 3_600_000)
}, {
  name: "removes a stopped container after the retention time", because: "720 h by default (9)",
  given: { desired: stopWanted(), record: stopped(0, { observedGeneration: 2, stoppedAtMs: now - 720 * hour }), containers: [exited(0)] },
  then: act("RetentionIsOver", "Remove c1 retention")
}, {
  name: "starts a game again whose container was cleaned up", because: "record and volume stay for that (9)",
  given: { desired: never({ generation: 2 }), record: bare({ exitCode: 0 }), containers: [] }, then: act("StartWanted", "Create")
}, {
  name: "stops a game that is to be removed", because: "a removal ends the game before it takes the container (9)",
  given: { desired: removeWanted() }, then: record("RemovalWanted", "running", { knows: begun() })
}, {
  name: "removes the container of a game that is to be removed", because: "at once and not after the retention (9)",
  given: { desired: removeWanted(), record: stopped(0), containers: [exited(0)] }, then: act("RemovalWanted", "Remove c1 removed")
}, {
  name: "removes what it made and did not record yet", because: "container gone, also one of a start that was cut short (9)",
  given: { desired: removeWanted(), record: bare(), containers: [created()] }, then: act("RemovalWanted", "Remove c1 removed")
}, {
  name: "records a removal whose answer was lost", because: "container gone, record removed, and the row's wish is in the log (9)",
  given: { desired: removeWanted(), record: stopped(0), containers: [] },
  then: record("RemovalCompleted", "removed", { log: ["cleanup_container desired_state success c1"], knows: { removedAtMs: now } })
}, {
  name: "removes a game that never ran by way of stopped", because: "(new) to removed is no allowed move of the status",
  given: { ...nothing, desired: removeWanted() }, then: record("RemovalWanted", "stopped")
}, {
  name: "ends what it made itself for a removed game", because: "container gone, for good: no late start outlives the removal (9)",
  given: { desired: removeWanted(), record: removed() }, then: act("LeftoverOfRemoved", "Kill c1")
}]

const drift: Cases = [{
  name: "leaves a running game alone", because: "a restart, crash or upgrade of the controller touches no running game (11)",
  given: {}, then: wait("Settled", null)
}, {
  name: "replaces another image", because: "healed towards the row (10)",
  given: { desired: changed(), containers: [live()] }, then: act("RowChanged", "FetchImage")
}, {
  name: "writes down that a running game gives way to another image before it is signalled",
  because: "whatever crashes after the signal, its end is told as what it is (10)",
  given: { desired: changed(), containers: [live()], pull: pulled },
  then: record("RowChanged", "running", {
    knows: {
      ...begun("exchange"), rollout: { from: "v1:wanted", to: "v1:changed", sinceMs: now, phase: "stopping" }, currentContainerId: "c1",
      Ready: "False Stopping", Progressing: "True Replacing"
    }
  })
}, {
  name: "asks it to end once that is written down", because: "the intent is recorded before the act (10)",
  given: { desired: changed(), record: running({ ...stopBegun("exchange") }), pull: pulled }, then: act("Stopping", "Signal c1 SIGTERM")
}, {
  name: "waits for its turn while others are exchanged", because: "a changed fleet is never down at once; people see why it waits",
  given: { desired: changed(), containers: [live()], pull: pulled, exchangesFull: true },
  then: record("ExchangeTurn", "running", { knows: { stopping: null, Progressing: "True ExchangeTurn", Ready: "True ContainerRunning" } })
}, {
  name: "goes on with an exchange while others are exchanged", because: "what was begun is finished first",
  given: { desired: changed(), record: stopped(0, replacing), containers: [], pull: pulled, exchangesFull: true },
  then: record("RemovalCompleted", "stopped", { knows: { currentContainerId: null, Progressing: "True Replacing" } })
}, {
  name: "starts, stops and restarts while others are exchanged", because: "only what takes a running game down waits for its turn",
  given: { desired: stopWanted(), exchangesFull: true }, then: record("StopWanted", "running", { knows: begun() })
}, {
  name: "lets the old container run while the new image is pulled", because: "a game must not be down for a download (10)",
  given: { desired: changed(), containers: [live()], pull: pulling },
  then: record("PullingImage", "running", { knows: { Progressing: "True PullingImage", currentContainerId: "c1", observedGeneration: 1 } })
}, {
  name: "leaves the old container when the new image cannot be pulled", because: "the failure is told, and what runs stays (4)",
  given: { desired: changed(), containers: [live()], pull: pullFailed, jobs: [startJob(2)] },
  then: record("ImagePullFailed", "running", {
    log: ["start job_stream failure image_pull_failed"], results: ["1-0 failure image_pull_failed"], told: ["runtime.image_pull_failed"],
    knows: { currentContainerId: "c1", currentImageRef: image, nextRestartAtMs: now + 1000 }
  })
}, {
  name: "tries a failed replacement no more under never", because: "no second try until the generation changes (4)",
  given: { desired: changed({ restartPolicy: "never" }), record: notReplaced(), containers: [live()] },
  then: wait("ReplacementFailed", null)
}, {
  name: "tries a failed replacement again when it is due", because: "other policies are retried with back-off (4)",
  given: { desired: changed(), record: notReplaced({ nextRestartAtMs: now }), containers: [live()] },
  then: act("RowChanged", "FetchImage")
}, {
  name: "forgets a failed replacement when the row is as before", because: "what runs is asked for again: nothing is touched",
  given: { desired: row({ generation: 3 }), record: notReplaced() },
  then: record("RowChangedInPlace", "running", { knows: { lastErrorCode: null, observedGeneration: 3 } })
}, {
  name: "logs no stop for a replaced container", because: "its end is a step towards the new one, not a wish to stop (10)",
  given: { desired: changed(), record: running({ ...exchanging(second) }), containers: [exited(0)] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 0 expected exchange"], knows: { Progressing: "True Replacing" } })
}, {
  name: "removes a replaced container", because: "the new one takes its name (10)",
  given: { desired: changed(), record: stopped(0, replacing), containers: [exited(0)], pull: pulled },
  then: act("StartWanted", "Remove c1 replaced")
}, {
  name: "thaws a paused game", because: "somebody's docker pause is healed towards the row (10)",
  given: { containers: [live({ state: "paused" })] }, then: act("Paused", "Unpause c1")
}, {
  name: "records somebody's docker start", because: "first the fact, then the stop that heals it (10)",
  given: { desired: stopWanted(), record: stopped(0, { observedGeneration: 2 }), containers: [live({ startedAtMs: now - 50 })] },
  then: record("ContainerResumed", "running", { log: ["reconcile_adopt auto_reconcile success c1"], health: ["container_started c1"] })
}, {
  name: "notices somebody's docker restart", because: "another run of the same container is a start, and no operation of ours (10)",
  given: { containers: [live({ startedAtMs: now - 50 })] },
  then: record("ContainerResumed", "running", { health: ["container_started c1"], knows: { startedAtMs: now - 50 } })
}, {
  name: "tells an invalid spec and leaves what runs", because: "SpecValid=False, start_config_invalid, one notification",
  given: { desired: row({ ...spec, generation: 2 }), jobs: [startJob(2)] },
  then: record("SpecInvalid", "running", {
    log: ["start job_stream failure start_config_invalid"], results: ["1-0 failure start_config_invalid"],
    told: ["runtime.start_config_invalid"], knows: { SpecValid: "False Invalid", nextRestartAtMs: null, currentContainerId: "c1" }
  })
}, {
  name: "tells an invalid spec once", because: "one notification; no try can help until the row changes",
  given: { desired: row(spec), record: failed(badSpec), containers: [] }, then: wait("SpecInvalid", null)
}, {
  name: "answers a second job for an invalid spec", because: "each job has its own result, the notification stays one",
  given: { desired: row(spec), record: failed(badSpec), containers: [], jobs: [startJob()] },
  then: record("SpecInvalid", "stopped", {
    log: ["start job_stream failure start_config_invalid"], results: ["1-0 failure start_config_invalid"]
  })
}, {
  name: "stops a game with an invalid spec", because: "what is invalid is how to start it, not that it shall end (9)",
  given: { desired: stopWanted(spec) }, then: record("StopWanted", "running", { knows: begun() })
}, {
  name: "takes a mended spec for valid", because: "conditions say what is so now",
  given: { desired: row({ generation: 2 }), record: running({ lastErrorCode: "start_config_invalid" }) },
  then: record("RowChangedInPlace", "running", { knows: { SpecValid: "True Valid", lastErrorCode: null, observedGeneration: 2 } })
}, {
  name: "says that a container cannot be judged", because: "an inspect that hangs while the list answers proves nothing about the game",
  given: { containers: [live({ state: "unresponsive" })] },
  then: record("ContainerUnresponsive", "running", { knows: { Ready: "Unknown ContainerUnresponsive", currentContainerId: "c1" } }),
  reports: "does not answer"
}, {
  name: "does nothing to a container that cannot be judged", because: "unknown is no reason to act, not even where the row says stopped",
  given: { desired: stopWanted(), record: running(unknown("ContainerUnresponsive")), containers: [live({ state: "unresponsive" })] },
  then: wait("ContainerUnresponsive", 30_000), reports: "does not answer"
}, {
  name: "stops nothing for want of a row", because: "absence is never an order",
  given: { desired: null }, then: wait("NoRow", null)
}, {
  name: "restarts and removes nothing for want of a row", because: "absence is never an order",
  given: { desired: null, record: stopped(3, { stoppedAtMs: now - 721 * hour }), containers: [exited(3), exited(0, { id: "c2" })] },
  then: wait("NoRow", null)
}, {
  name: "records an end without a row", because: "a fact needs no wish (6)",
  given: { desired: null, containers: [exited(3)] }, then: ended("container_exited c1 3 expected", null)
}]

const failedChange = notReplaced({ nextRestartAtMs: now - 1 })
const elsewhere = { containers: [], engineId: "e2" } as const
const silent = { containers: [live({ state: "unresponsive" })] }

const answers: Cases = [{
  name: "answers no job while the image it asks for is pulled", because: "the old container is no success of the new job (4)",
  given: { desired: changed(), record: failedChange, containers: [live()], pull: pulling, jobs: [startJob(2)] },
  then: record("PullingImage", "running", { knows: { currentContainerId: "c1" } })
}, {
  name: "thaws a paused game before it answers its job", because: "a frozen game is no started game (1, 10)",
  given: { desired: never({ generation: 2 }), containers: [live({ state: "paused" })], jobs: [startJob(2)] }, then: act("Paused", "Unpause c1")
}, {
  name: "answers no job at the adoption of a paused game", because: "a frozen game is no started game (1, 7)",
  given: { desired: never(), record: null, containers: [byHand({ state: "paused" })], jobs: [startJob()] },
  then: record("Adopted", "running", { log: ["reconcile_adopt auto_reconcile success h1"], health: ["container_started h1"] })
}, {
  name: "answers no job at somebody's start of another image", because: "what runs is not what the job asked for (3)",
  given: {
    desired: changed(), record: failed(noImage, { ...stopped(0), observedGeneration: 2, lastErrorCode: noImage.code }), jobs: [startJob(2)],
    containers: [live({ startedAtMs: now - 50 })]
  },
  then: record("ContainerResumed", "running", { log: ["reconcile_adopt auto_reconcile success c1"], health: ["container_started c1"] })
}, {
  name: "answers no job for an invalid row with somebody's start", because: "an invalid spec is carried out by nobody",
  given: {
    desired: row(spec), record: stopped(0, { lastErrorCode: badSpec.code }),
    jobs: [startJob()], containers: [live({ startedAtMs: now - 50 })]
  },
  then: record("ContainerResumed", "running", { log: ["reconcile_adopt auto_reconcile success c1"], health: ["container_started c1"] })
}, {
  name: "answers no stop while another container of the game runs", because: "that one is adopted and stopped first (7, 9)",
  given: { desired: stopWanted(), record: running(), containers: [byHand()], jobs: [stopJob(2)] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}, {
  name: "adopts as stopped what a stop job was sent for", because: "the job came before the row: the game is what it asked for (7, 9)",
  given: { desired: null, record: null, containers: [byHand()], jobs: [stopJob(null)] },
  then: record("Adopted", "running", {
    log: ["reconcile_adopt auto_reconcile success h1"], health: ["container_started h1"], adopt: `stopped never ${image}`
  })
}, {
  name: "stops what was adopted for a stop job", because: "the job's wish is the row by now (9)",
  given: { desired: stopWanted({ generation: 1 }), record: running({ currentContainerId: "h1" }), containers: [byHand()], jobs: [stopJob(null)] },
  then: record("StopWanted", "running", { knows: begun() })
}, {
  name: "answers the job by that stop", because: "success with the container it stopped (9)",
  given: {
    desired: stopWanted({ generation: 1 }), record: running({ currentContainerId: "h1", ...stopping(second) }),
    containers: [byHand(exitOf(0))], jobs: [stopJob(null)]
  },
  then: record("ContainerEnded", "stopped", {
    log: ["stop job_stream success h1"], health: ["container_exited h1 0 expected row"], results: ["1-0 success h1"]
  })
}, {
  name: "answers superseded to a stop that came before somebody's row", because: "the latest wish wins",
  given: { jobs: [stopJob(null)] }, then: record("AlreadySo", null, { results: ["1-0 failure superseded"] })
}, {
  name: "writes the row that was lost for a stop job", because: "there is a game, and somebody's word for it (9)",
  given: { desired: null, jobs: [stopJob(null)] },
  then: record("NoRow", "running", { adopt: `stopped never ${image}`, knows: { observedGeneration: 0 } })
}]

const outages: Cases = [{
  name: "fails a start job on another engine", because: "every job has its one result, and nobody can say when that engine is back",
  given: { ...elsewhere, desired: never(), jobs: [startJob()] },
  then: record("EngineChanged", "running", { results: ["1-0 failure service_unavailable"], knows: { Ready: "Unknown EngineChanged" } }),
  reports: "container c1 is on engine e1"
}, {
  name: "fails a later start job on another engine", because: "every job has its one result, also when the outage was told",
  given: { ...elsewhere, desired: never(), record: running(unknown("EngineChanged")), jobs: [startJob()] },
  then: record("EngineChanged", null, { results: ["1-0 failure service_unavailable"] }),
  reports: "container c1 is on engine e1"
}, {
  name: "fails a stop job on another engine, and stops nothing", because: "nobody can stop it from here, so nothing is recorded as stopped",
  given: { ...elsewhere, desired: stopWanted(), jobs: [stopJob(2)] },
  then: record("EngineChanged", "running", {
    results: ["1-0 failure service_unavailable"], knows: { currentContainerId: "c1", observedGeneration: 1 }
  }),
  reports: "container c1 is on engine e1"
}, {
  name: "removes a game of another engine", because: "a newer generation is somebody's word",
  given: { ...elsewhere, desired: removeWanted() }, then: record("EngineChanged", "stopped", { knows: { currentContainerId: null } })
}, {
  name: "answers superseded on another engine", because: "the latest wish wins, wherever it is carried out",
  given: { ...elsewhere, desired: stopWanted(), record: running(unknown("EngineChanged")), jobs: [startJob(1)] },
  then: record("EngineChanged", null, { results: ["1-0 failure superseded"] }), reports: "container c1 is on engine e1"
}, {
  name: "lets a start job wait for a container that does not answer", because: "it is temporary, and no success yet",
  given: { ...silent, jobs: [startJob()] },
  then: record("ContainerUnresponsive", "running", { knows: { Ready: "Unknown ContainerUnresponsive" } }), reports: "does not answer"
}, {
  name: "lets a stop job wait for a container that does not answer", because: "it may run, whatever was recorded",
  given: {
    ...silent, desired: stopWanted(), record: stopped(0, { observedGeneration: 2 }), jobs: [stopJob(2)]
  },
  then: record("ContainerUnresponsive", "stopped", {}), reports: "does not answer"
}, {
  name: "keeps a replacement in mind over an outage", because: "its end is then no stop and no failure (10)",
  given: { ...silent, desired: changed(), record: running({ ...exchanging(0) }) },
  then: record("ContainerUnresponsive", "running", { knows: { Progressing: "True Replacing" } }), reports: "does not answer"
}, {
  name: "says that a container answers again", because: "the condition says what is so now",
  given: { record: running(unknown("ContainerUnresponsive")) },
  then: record("ConditionsChanged", "running", { knows: { Ready: "True ContainerRunning" } })
}, {
  name: "goes on with a replacement after an outage", because: "its end is then no stop and no failure (10)",
  given: {
    desired: changed(), containers: [live()],
    record: running({ ...unknown("EngineChanged"), ...exchanging(0) })
  },
  then: record("Stopping", "running", { knows: { Ready: "False Stopping", Progressing: "True Replacing" } })
}, {
  name: "answers the job when its container answers again", because: "it runs as the job asked for (3)",
  given: { record: running(unknown("ContainerUnresponsive")), jobs: [startJob()] },
  then: record("ConditionsChanged", "running", { results: [`1-0 success replay_no_op ${at}`] })
}, {
  name: "says nothing anew of a removed game", because: "removed is terminal, and what carries its labels is reported only",
  given: { record: removed(), desired: removeWanted(), containers: [byHand({ state: "unresponsive" })] },
  then: wait("ContainerUnresponsive", 30_000), reports: "does not answer"
}]

const ends: Cases = [{
  name: "forgets the replacement that a stop overtook", because: "a stopped game is on its way nowhere (9)",
  given: { desired: stopWanted(), record: running({ ...exchanging(second) }), containers: [exited(0)] },
  then: record("ContainerEnded", "stopped", {
    log: ["stop desired_state success c1"], health: ["container_exited c1 0 expected exchange"], knows: { Progressing: "False Settled" }
  })
}, {
  name: "forgets a failed change when the game is stopped", because: "a stopped game failed at nothing (9)",
  given: { desired: stopWanted(), record: { ...failedChange, observedGeneration: 1, failureCount: 3 }, containers: [exited(0)] },
  then: record("ContainerEnded", "stopped", {
    log: ["stop desired_state success c1"], health: ["container_exited c1 0 expected"],
    knows: { lastErrorCode: null, failureCount: 0, nextRestartAtMs: null, Ready: "False ContainerExited" }
  })
}, {
  name: "tidies up what an earlier release left of a stopped game", because: "a stopped game failed at nothing (9)",
  given: { desired: stopWanted(), record: failed(noImage, { ...stopped(0, { observedGeneration: 2 }), lastErrorCode: noImage.code }), containers: [exited(0)] },
  then: record("StopWanted", "stopped", { knows: { lastErrorCode: null } })
}, {
  name: "tells of a stopped container that somebody removed after a failed change", because: "its removal was not ours (5)",
  given: { desired: stopWanted({ generation: 1 }), record: stopped(0, { lastErrorCode: noImage.code }), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { lastErrorCode: null } })
}, {
  name: "tells of a container that somebody removed in its back-off", because: "nothing of ours is due now (5)",
  given: { record: stopped(3, { lastErrorCode: refused.code, nextRestartAtMs: now + minute, restartCount: 6 }), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}, {
  name: "goes on with a replacement whose old container was taken away", because: "it was to go anyway; never is no reason to end here (10)",
  given: { desired: changed({ restartPolicy: "never" }), record: running({ ...exchanging(0), observedGeneration: 2 }), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { Progressing: "True Replacing" } })
}, {
  name: "counts a container that disappears while it is stopped as stopped", because: "it was our signal that ended it (9)",
  given: { desired: stopWanted(), record: running({ ...stopping(second) }), containers: [], jobs: [stopJob(2)] },
  then: record("ContainerDisappeared", "stopped", {
    log: ["stop job_stream success c1"], health: ["container_disappeared c1"], results: ["1-0 success c1"]
  })
}, {
  name: "counts it as stopped on the way to its removal too", because: "it was our signal that ended it (9)",
  given: { desired: removeWanted(), record: running({ ...stopping(second) }), containers: [], jobs: [stopJob(2)] },
  then: record("ContainerDisappeared", "removed", {
    log: ["stop job_stream success c1", "reconcile_dispose auto_reconcile success c1"], health: ["container_disappeared c1"],
    results: ["1-0 success"]
  })
}, {
  name: "logs a stop that disappeared under a plain replacement as none", because: "the row says running (10)",
  given: { desired: changed(), record: running({ ...exchanging(second) }), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}, {
  name: "counts the retention of an adopted container from its adoption", because: "a first installation must not delete people's containers",
  given: { desired: null, record: null, containers: [byHand({ ...exitOf(0), exit: { code: 0, oomKilled: false, finishedAtMs: now - 9000 * hour } })] },
  then: record("Adopted", "stopped", {
    log: ["reconcile_adopt auto_reconcile success h1"], adopt: `stopped never ${image}`, knows: { stoppedAtMs: now }
  })
}, {
  name: "keeps the container of an invalid row for the retention time", because: "people read its log and exit code (9)",
  given: {
    desired: row(spec), containers: [exited(3)],
    record: stopped(3, { lastErrorCode: badSpec.code, stoppedAtMs: now - 719 * hour })
  },
  then: wait("Retained", hour)
}, {
  name: "removes the container of an invalid row after the retention time", because: "720 h by default (9)",
  given: {
    desired: row(spec), containers: [exited(3)],
    record: stopped(3, { lastErrorCode: badSpec.code, stoppedAtMs: now - 720 * hour })
  },
  then: act("RetentionIsOver", "Remove c1 retention")
}, {
  name: "touches no container of a removed game that does not answer", because: "unknown is no reason to act",
  given: { desired: removeWanted(), record: removed(), containers: [byHand(), live({ state: "unresponsive", createdAtMs: now })] },
  then: wait("RemovedForGood", null), reports: "carries its labels"
}, {
  name: "logs a start after failed attempts as a start", because: "the game never ran: nothing is restarted (2)",
  given: { desired: row(), record: failed(noImage, { currentImageRef: null }), containers: [live({ id: "c2" })] },
  then: record("StartCompleted", "running", {
    log: ["start auto_reconcile success c2"], health: ["container_started c2"], knows: { restartCount: 0 }
  })
}, {
  name: "tries a start again that failed after a clean end", because: "on_failure retries a failed start, whatever ended before (4)",
  given: {
    desired: onFailure(), record: stopped(0, { lastErrorCode: refused.code, failureCount: 1, nextRestartAtMs: now }), containers: [exited(0)]
  },
  then: act("StartWanted", "Start c1")
}, {
  name: "goes on with a replacement whose image has come", because: "the attempt is under way, whatever failed before it (4)",
  given: { desired: changed({ restartPolicy: "never" }), record: failedChange, containers: [live()], pull: pulled },
  then: record("RowChanged", "running", { knows: begun("exchange") })
}, {
  name: "thaws a paused game before it is replaced", because: "what is frozen cannot be asked to end in peace (10)",
  given: { desired: changed(), containers: [live({ state: "paused" })] }, then: act("Paused", "Unpause c1")
}, {
  name: "makes a container beside a dead one that somebody made", because: "that one is not ours to remove (8)",
  given: { record: null, containers: [byHand({ ...exitOf(137), state: "dead" })] }, then: act("StartWanted", "Create"),
  reports: "galaxy-game-g1-manual"
}, {
  name: "kills nothing that somebody made when its own container is stopped", because: "the signal went to another one (8)",
  given: { desired: removeWanted(), record: bare({ ...stopping(minute) }), containers: [byHand()] },
  then: record("RemovalWanted", "removed", { knows: { stopping: null } })
}, {
  name: "tells of a disappearance though another container does not answer", because: "a proven fact waits for nobody (5)",
  given: { containers: [byHand({ state: "unresponsive" })] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"] })
}]

/** Somebody made the row again without its triggers, as a restore of data alone does: its generation begins anew. */
const other = { desiredHash: "other", imageRef: "galaxy/engine:2.0.0", specHash: "v1:changed" }
const observed = (observedGeneration: number) => ({ observedGeneration, observedHash: row().desiredHash })

const madeAgain: Cases = [{
  name: "starts a finished game again whose row is another one under an earlier generation", because: "what is desired is what the row says, not its number (4)",
  given: { desired: never(other), record: stopped(0, observed(7)), containers: [exited(0)] }, then: act("StartWanted", "FetchImage")
}, {
  name: "starts a finished game again whose row is another one under the same generation", because: "what is desired is what the row says, not its number (4)",
  given: { desired: never({ ...other, imageRef: image }), record: bare(observed(1)), containers: [] }, then: act("StartWanted", "Create")
}, {
  name: "logs the start of such a row as its wish", because: "nobody restarted anything",
  given: { desired: never(other), record: bare(observed(7)), containers: [live({ imageRef: other.imageRef, specHash: other.specHash })] },
  then: record("StartCompleted", "running", {
    log: ["start desired_state success c1"], health: ["container_started c1"], knows: { observedGeneration: 1, observedHash: "other" }
  })
}, {
  name: "exchanges a running game whose row is another one", because: "drift in what runs is healed towards the row (10)",
  given: { desired: row(other), record: running(observed(7)) }, then: act("RowChanged", "FetchImage")
}, {
  name: "notes the generation of a row that says what it said, and touches nothing", because: "a restore of what was carried out is no wish (11)",
  given: { record: running(observed(7)) }, then: record("RowMadeAgain", "running", { knows: { observedGeneration: 1, observedHash: "d" } })
}, {
  name: "starts nothing under never for a row that says what it said", because: "it ran and ended, and nobody wants it again (6)",
  given: { desired: never(), record: stopped(0, observed(7)), containers: [exited(0)] },
  then: record("RowMadeAgain", "stopped", { knows: { observedGeneration: 1 } })
}, {
  name: "restarts nothing for a record of a version that knew no hashes", because: "an upgrade touches no game (11)",
  given: { desired: never({ desiredHash: "other" }), record: stopped(0), containers: [exited(0)] }, then: wait("Retained", 24 * hour)
}, {
  name: "stops a game whose row is another one under an earlier generation", because: "the row says stopped (9)",
  given: { desired: stopWanted({ ...other, generation: 1 }), record: running(observed(7)) }, then: record("StopWanted", "running", { knows: begun() })
}, {
  name: "does not wake a removed game for a row that was made again", because: "no arrow leads out of removed",
  given: { desired: never(other), record: removed(observed(7)), containers: [] }, then: wait("RemovedForGood", null)
}, {
  name: "starts a game of another engine on this one for another row", because: "a row that says something new is somebody's word",
  given: { desired: row(other), record: running(observed(7)), containers: [], engineId: "e2" },
  then: record("EngineChanged", "stopped", { knows: { currentContainerId: null, observedGeneration: 7 } })
}, {
  name: "answers superseded to the jobs of the row before", because: "another row took the place of what they asked for",
  given: { desired: row(), record: running(observed(1)), jobs: [startJob(7, "1-0"), stopJob(1, "2-0")] },
  then: record("AlreadySo", null, { results: ["1-0 failure superseded", "2-0 failure superseded"] })
}, {
  name: "counts and tells anew what fails for another row", because: "it is another wish that failed (4)",
  given: { desired: row(other), record: failed(noImage, { ...observed(1), failureCount: 6 }), containers: [], pull: pullFailed },
  then: pullFails(true, "desired_state", now + 1000)
}]

const clocks: Cases = [{
  name: "counts a signal of the future as sent now", because: "SIGKILL must not wait an hour and a grace after the clock was set back by an hour (9)",
  given: { desired: stopWanted(), record: running(stopping(-hour)) },
  then: record("ClockSetBack", "running", { knows: { stopping: { sinceMs: now, because: "row", signalledAtMs: now } } })
}, {
  name: "waits for a back-off as long as it would from now", because: "1 s must not become 3,601 s (6)",
  given: { record: stopped(3, { nextRestartAtMs: now + hour + second }), containers: [exited(3)] },
  then: record("ClockSetBack", "stopped", { knows: { nextRestartAtMs: now + second } })
}, {
  name: "waits for a back-off as long as its count says", because: "the fourth restart in a row waits 8 s (6)",
  given: { record: stopped(3, { nextRestartAtMs: now + hour, restartCount: 3 }), containers: [exited(3)] },
  then: record("ClockSetBack", "stopped", { knows: { nextRestartAtMs: now + 8 * second } })
}, {
  name: "tries a failed start again as soon as its count says", because: "a second failure in a row waits 2 s (4)",
  given: { record: failed(noImage, { failureCount: 2, nextRestartAtMs: now + hour }), containers: [] },
  then: record("ClockSetBack", "stopped", { knows: { nextRestartAtMs: now + 2 * second } })
}, {
  name: "looks for a held name as often as ever", because: "it comes free without a word",
  given: { record: failed({ ...refused, reason: "NameTaken" }, { failureCount: 9, nextRestartAtMs: now + hour }), containers: [] },
  then: record("ClockSetBack", "stopped", { knows: { nextRestartAtMs: now + 10 * second } })
}, {
  name: "keeps a stopped container for no longer than the retention from now", because: "an end in the future is an end now (9)",
  given: { desired: never(), record: stopped(0, { stoppedAtMs: now + hour }), containers: [exited(0)] },
  then: record("ClockSetBack", "stopped", { knows: { stoppedAtMs: now } })
}, {
  name: "records an end of the future as an end now", because: "the engine's clock may be ahead",
  given: { containers: [exited(3, { exit: { code: 3, oomKilled: false, finishedAtMs: now + hour } })] },
  then: record("ContainerEnded", "stopped", { health: ["container_exited c1 3 unexpected"], knows: { stoppedAtMs: now } })
}]

const others: Cases = [{
  name: "starts a game beside another installation's of the same id", because: "that one is none of its business; the engine tells who holds the name",
  given: { record: null, containers: [live({ instance: "i2" })] }, then: act("StartWanted", "Create")
}, {
  name: "adopts nothing of another installation", because: "two masters of one container fight without end",
  given: { desired: null, record: null, containers: [live({ instance: "i2" })] }, then: wait("NoRow", null)
}, {
  name: "ends nothing of another installation", because: "its row says removed, theirs does not",
  given: { desired: removeWanted(), record: bare(), containers: [live({ instance: "i2" })] },
  then: record("RemovalWanted", "removed", { knows: { Ready: "False Removed" } })
}, {
  name: "counts no container of another installation as a second one", because: "theirs is not ours to remove (8)",
  given: { containers: [live({ instance: "i1" }), live({ id: "c2", instance: "i2" })] }, then: wait("Settled", null)
}, {
  name: "says of a recorded container of another installation that nothing is known", because: "a copied database names the original's containers",
  given: { record: running(unknown("AnotherInstance")), containers: [live({ instance: "i2" })] },
  then: wait("AnotherInstance", null), reports: "made by another installation"
}, {
  name: "starts a game of its own when its row changes", because: "a newer generation is somebody's word that the row is meant for this installation",
  given: { desired: changed(), record: running(), containers: [live({ instance: "i2" })] },
  then: record("EngineChanged", "stopped", { knows: { currentContainerId: null } })
}, {
  name: "fails a job for a recorded container of another installation", because: "nobody here can carry it out",
  given: { desired: never(), record: running(), containers: [live({ instance: "i2" })], jobs: [startJob()] },
  then: record("AnotherInstance", "running", { results: ["1-0 failure service_unavailable"], knows: { Ready: "Unknown AnotherInstance" } }), reports: "another installation"
}]

const asked = { restartRequestedAtMs: now - second }
const restartBegun = { restartingSinceMs: now - second, restartObservedAtMs: now - second }

const restartsInPlace: Cases = [{
  name: "records the intent before it signals anybody", because: "whatever crashes then, the end is told as asked for, and which wish it was (14)",
  given: { desired: row(asked) },
  then: record("RestartAsked", "running", {
    knows: {
      ...begun("restart"), restartingSinceMs: now, restartObservedAtMs: now - second, observedGeneration: 1,
      Ready: "False Stopping", Progressing: "True Restarting"
    }
  })
}, {
  name: "asks it to end with its own signal", because: "a restart is a stop like any other (9, 14)",
  given: { desired: row(asked), record: running({ ...restartBegun, ...stopBegun("restart") }), containers: [live({ stopSignal: "SIGINT" })] },
  then: act("Stopping", "Signal c1 SIGINT")
}, {
  name: "gives it its own grace", because: "a restart is a stop like any other (9, 14)",
  given: { desired: row({ ...asked, spec: { stop_grace: "2m" } }), record: running({ ...restartBegun, ...stopping(second, "restart") }) },
  then: wait("Stopping", 119_000)
}, {
  name: "tells its end as asked for, and sets no back-off", because: "it is no crash (14)",
  given: { desired: row(asked), record: running({ ...restartBegun, ...stopping(second, "restart"), restartCount: 3 }), containers: [exited(143)] },
  then: record("ContainerEnded", "stopped", {
    health: ["container_exited c1 143 expected restart"],
    knows: { restartCount: 0, nextRestartAtMs: null, stopping: null, restartingSinceMs: now - second, Progressing: "True Restarting" }
  })
}, ...([row(asked), onFailure(asked), never(asked)] as const).map((desired): Case => ({
  name: `starts the same container again under ${desired.restartPolicy}`, because: "at once, and whatever its policy: it is a wish (14)",
  given: { desired, record: stopped(0, restartBegun), containers: [exited(0)] }, then: act("StartWanted", "Start c1")
})), {
  name: "starts it again after an exit code that is never restarted on", because: "it was asked to end, whatever it said (6, 14)",
  given: { desired: row({ ...asked, spec: noCode }), record: stopped(64, restartBegun), containers: [exited(64)] }, then: act("StartWanted", "Start c1")
}, {
  name: "records the restart that was asked for, and whose answer was lost", because: "one `restart` in the log, by the row, whatever crashes in between (14)",
  given: { desired: never(asked), record: stopped(0, restartBegun), containers: [live({ startedAtMs: now - 50 })] },
  then: record("ContainerResumed", "running", {
    log: ["restart desired_state success c1"], health: ["container_started c1"], knows: { restartCount: 0, restartingSinceMs: null, restartObservedAtMs: now - second }
  })
}, {
  name: "does nothing for a restart that was carried out", because: "once (14)",
  given: { desired: row(asked), record: running({ restartObservedAtMs: now - second }) }, then: wait("Settled", null)
}, {
  name: "does nothing for a restart that a start came after", because: "what began to run since is what was asked for (14)",
  given: { desired: row({ restartRequestedAtMs: now - minute - 1 }) }, then: wait("Settled", null)
}, {
  name: "waits for a restart that is asked for later", because: "its time is its time: players may be on (14)",
  given: { desired: row({ restartRequestedAtMs: now + minute }) }, then: wait("RestartScheduled", minute)
}, {
  name: "looks again at a restart that is far away", because: "a timer holds no more than some weeks (14)",
  given: { desired: row({ restartRequestedAtMs: now + 1000 * hour }) }, then: wait("RestartScheduled", 24 * hour)
}, {
  name: "answers a start job that comes meanwhile", because: "it runs as asked for until its restart (3, 14)",
  given: { desired: row({ restartRequestedAtMs: now + minute }), jobs: [startJob()] },
  then: record("RestartScheduled", null, { results: [`1-0 success replay_no_op ${at}`] })
}, {
  name: "does nothing for a game that ended", because: "what does not run has nothing to do (14)",
  given: { desired: never(asked), record: stopped(3), containers: [exited(3)] }, then: wait("Retained", 24 * hour)
}, {
  name: "lets a game that is to be restarted by its policy wait as ever", because: "what does not run has nothing to do (14)",
  given: { desired: row(asked), record: stopped(3, { nextRestartAtMs: now + 4000, restartCount: 2 }), containers: [exited(3)] }, then: wait("BackOff", 4000)
}, {
  name: "leaves a game alone whose row cannot be carried out", because: "whatever runs is left alone until the row is mended",
  given: { desired: row({ ...asked, ...spec }), record: running({ lastErrorCode: badSpec.code, lastErrorReason: badSpec.reason, lastErrorMessage: badSpec.message }) },
  then: wait("SpecInvalid", null)
}, {
  name: "exchanges what is to be exchanged anyway", because: "the new container is started after that wish (10, 14)",
  given: { desired: changed(asked) }, then: act("RowChanged", "FetchImage")
}, {
  name: "forgets a restart of a game whose row says stopped by now", because: "what is not to run is on its way to no other run (14)",
  given: { desired: stopWanted(), record: stopped(0, { ...restartBegun, observedGeneration: 2 }), containers: [exited(0)] },
  then: record("StopWanted", "stopped", { knows: { restartingSinceMs: null } })
}, {
  name: "goes on with a stop whose row says stopped by now", because: "the last wish wins, and the end is told as what it was begun as (9, 14)",
  given: { desired: stopWanted(asked), record: running({ ...restartBegun, ...stopping(second, "restart") }), containers: [exited(0)] },
  then: record("ContainerEnded", "stopped", {
    log: ["stop desired_state success c1"], health: ["container_exited c1 0 expected restart"], knows: { restartingSinceMs: null }
  })
}, {
  name: "makes a new container where the old one went with its end", because: "one that removes itself is no reason to end the game (5, 14)",
  given: { desired: never(asked), record: running({ ...restartBegun, ...stopping(second, "restart") }), containers: [] },
  then: record("ContainerDisappeared", "stopped", { health: ["container_disappeared c1"], knows: { restartingSinceMs: now - second } })
}]

describe.each([
  ["a restart in place", restartsInPlace],
  ["several installations", others], ["a clock that was set back", clocks], ["a row that was made again", madeAgain],
  ["a start", starts], ["an image", pulls], ["an image that is always asked for", asksAgain],
  ["a disappearance", disappearances], ["an exit", exits], ["an adoption", adoptions],
  ["two containers", twins], ["a stop", stops], ["what differs from the row", drift],
  ["the answer of a job", answers], ["an outage", outages], ["the end of a game", ends]
] as const)("the plan for %s", (_topic, cases) => {
  it.each(cases)("$name", ({ because, given, reports, then }) => {
    const decided = decide(observation(given))
    assert.deepStrictEqual(shown(decided, then), then, because)
    if (reports === undefined) assert.isUndefined(decided.report, because)
    else assert.include(decided.report, reports, because)
  })
})

describe("an invalid spec", () => {
  it("is told with its path, to the job, in the log and on the condition", () => {
    const { step } = decide(observation({ desired: row({ ...spec, generation: 2 }), jobs: [startJob(2)] }))
    if (step._tag !== "Record") return assert.fail("nothing is told")
    const { answers, operations, record: known } = step.commit
    const condition = known?.conditions.find(({ type }) => type === "SpecValid")?.message
    for (const text of [answers[0]?.result.errorMessage, operations[0]?.errorMessage, condition]) {
      assert.strictEqual(text, "spec.privileged: is unknown")
    }
  })
})
