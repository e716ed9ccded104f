/** Every state the plan can be asked about, as the product of its parts. Combinations that cannot be are left out. */
import type { PendingJob } from "../../src/domain/Job.ts"
import type { Row } from "../../src/domain/Row.ts"
import { hasObserved, type RecordStatus, type Rollout, type RuntimeRecord, type Stopping } from "../../src/domain/RuntimeRecord.ts"
import type { PublishedPort } from "../../src/domain/ports.ts"
import { freshRecord } from "../../controllers/game/record/commit.ts"
import { conditionsOf, type Meanwhile } from "../../controllers/game/record/conditions.ts"
import { gameId, type ModelContainer, timing, unknownSignal, wantedImage, type World } from "./planModel.ts"

export const startMs = 1_000_000_000
/** Hashes of no version that is known: equal only to themselves. */
const wanted = "x:wanted"
const other = "x:other"

interface Named<A> {
  readonly name: string
  readonly value: A
}
const named = <A>(name: string, value: A): Named<A> => ({ name, value })

/** Hash of a row that was made again without triggers, and says something else than any before: its generation is no word of that. */
const madeAgain = "d0"

/** The port that a row may ask for, and one that another revision of the game had. */
const ownPort = 7777
const otherPort = 7776
const port = (host: number): PublishedPort => ({ container: 8080, protocol: "tcp", address: "0.0.0.0", host })

const rowOf = (state: Row["state"], restartPolicy: Row["restartPolicy"], generation: number, valid: boolean, desiredHash = `d${generation}`): Row => ({
  state, restartPolicy, generation, desiredHash, restartRequestedAtMs: null, problem: valid ? null : { path: "spec.foo", message: "is unknown" },
  revision: { imageRef: wantedImage, spec: {}, specHash: wanted }
})

const usual = rowOf("running", "always", 1, true)
const neverOn1: Row = { ...usual, revision: { ...usual.revision, spec: { restart: { never_on: [1] } } } }

export const rows: ReadonlyArray<Named<Row | null>> = [
  named("no row", null),
  ...(["running", "stopped", "removed"] as const).flatMap((state) =>
    (["always", "on_failure", "never"] as const).flatMap((policy) =>
      [true, false].flatMap((valid) =>
        [1, 2].map((generation) =>
          named(
            `${state} ${policy}${valid ? "" : " invalid"}${generation === 2 ? " new" : ""}`,
            rowOf(state, policy, generation, valid)
          ))))),
  ...[1, 2].map((generation) => {
    const row = rowOf("running", "always", generation, true)
    return named(`running always${generation === 2 ? " new" : ""}, image always asked for`, { ...row, revision: { ...row.revision, spec: { pull_policy: "always" as const } } })
  }),
  ...([["running", "always", 1], ["running", "always", 2], ["running", "never", 1], ["stopped", "always", 2], ["removed", "never", 2]] as const).map(([state, policy, generation]) => {
    const row = rowOf(state, policy, generation, true)
    return named(`${state} ${policy}${generation === 2 ? " new" : ""}, with a port`, { ...row, revision: { ...row.revision, spec: { ports: [{ container: 8080, host: ownPort }] } } })
  }),
  named("running always, never on 1", neverOn1),
  named("running always, restart asked for", { ...usual, restartRequestedAtMs: startMs - 1000 }),
  named("running never, restart asked for", { ...rowOf("running", "never", 1, true), restartRequestedAtMs: startMs - 1000 }),
  named("running always, restart asked for later", { ...usual, restartRequestedAtMs: startMs + 90_000 }),
  ...([["running", "always"], ["running", "never"], ["stopped", "never"], ["removed", "never"]] as const).map(([state, policy]) =>
    named(`${state} ${policy} made again`, rowOf(state, policy, 1, true, madeAgain)))
]

/** A record with the conditions that it has; `meanwhile`: what was told of a wait last. */
const known = (status: RecordStatus, change: Partial<RuntimeRecord>, meanwhile: Meanwhile = {}): RuntimeRecord => {
  const record = { ...freshRecord(gameId), observedGeneration: 1, observedHash: "d1", version: 1, status, ...change }
  return { ...record, conditions: conditionsOf({ conditions: [], currentContainerId: null }, record, null, meanwhile, startMs) }
}
const unknown = (reason: string): Meanwhile => ({ unknown: { reason, message: "" } })
const held = {
  currentContainerId: "c1", currentImageRef: wantedImage, engineEndpoint: "http://galaxy-game-g1:8080", engineId: "e1",
  startedAtMs: startMs - 5000
}
const ended = (exitCode: number, agoMs: number) => ({ ...held, exitCode, stoppedAtMs: startMs - agoMs })
const failure = { lastErrorCode: "container_start_failed", lastErrorReason: "StartFailed", lastErrorMessage: "x", failureCount: 1 } as const
const stopping = (because: Stopping["because"], signalledAgoMs: number | null): Stopping =>
  ({ sinceMs: startMs - 60_000, because, signalledAtMs: signalledAgoMs === null ? null : startMs - signalledAgoMs })
const rollout = (phase: Rollout["phase"]): Rollout => ({ from: other, to: wanted, sinceMs: startMs - 60_000, phase })
const restarting = { restartingSinceMs: startMs - 60_000, restartObservedAtMs: startMs - 1000 }
const refused = { action: "Signal", message: "no", sinceMs: startMs - 1000 }

export const records: ReadonlyArray<Named<RuntimeRecord | null>> = [
  named("none", null),
  named("running", known("running", held)),
  named("running, stop begun", known("running", { ...held, stopping: stopping("row", null) })),
  named("running, stopping", known("running", { ...held, stopping: stopping("row", 1000) })),
  named("running, grace over", known("running", { ...held, stopping: stopping("row", 60_000) })),
  named("running, stop refused", known("running", { ...held, stopping: stopping("row", null), refused })),
  named("running, exchange begun", known("running", { ...held, stopping: stopping("exchange", null), rollout: rollout("stopping") })),
  named("running, replacing", known("running", { ...held, stopping: stopping("exchange", 1000), rollout: rollout("stopping") })),
  named("running, restart begun", known("running", { ...held, ...restarting, stopping: stopping("restart", null) })),
  named("running, restarting", known("running", { ...held, ...restarting, stopping: stopping("restart", 1000) })),
  named("stopped, restarting", known("stopped", { ...ended(0, 10), ...restarting })),
  named("running elsewhere", known("running", { ...held, engineId: "e0" })),
  named("running elsewhere, told", known("running", { ...held, engineId: "e0" }, unknown("EngineChanged"))),
  named("running, failed change", known("running", { ...held, ...failure })),
  named("running, unresponsive", known("running", held, unknown("ContainerUnresponsive"))),
  named("stopped, exit 0", known("stopped", ended(0, 1000))),
  named("stopped, exit 1, back-off", known("stopped", { ...ended(1, 1000), nextRestartAtMs: startMs + 4000, restartCount: 3 })),
  named("stopped, exit 1, for good", known("stopped", { ...ended(1, 1000), finalExit: true })),
  named("stopped, exit 0, of a later generation", known("stopped", { ...ended(0, 1000), observedGeneration: 3 })),
  named("running, recorded by an older version", known("running", { ...held, observedHash: null })),
  named("stopped long ago", known("stopped", ended(0, 721 * 3_600_000))),
  named("stopped, replacing", known("stopped", { ...ended(0, 10), rollout: rollout("starting") })),
  named("stopped, failed restart", known("stopped", { ...ended(1, 1000), ...failure })),
  named("stopped, no container", known("stopped", { exitCode: 0, stoppedAtMs: startMs - 1000 })),
  named("stopped, failed start", known("stopped", { ...failure, nextRestartAtMs: startMs + 1000 })),
  named("running, stopping, an hour ahead", known("running", { ...held, stopping: stopping("row", -3_600_000) })),
  named("stopped, exit 1, all an hour ahead", known("stopped", { ...ended(1, -3_600_000), nextRestartAtMs: startMs + 3_604_000, restartCount: 3 })),
  named("removed", known("removed", { removedAtMs: startMs - 1000 }))
]

const container = (change: Partial<ModelContainer>): ModelContainer => ({
  id: "c1",
  name: "galaxy-game-g1",
  state: "running",
  generation: 1,
  specHash: wanted,
  imageRef: wantedImage,
  createdAtMs: startMs - 6000,
  startedAtMs: startMs - 5000,
  exit: null,
  startError: "",
  stopSignal: "SIGTERM",
  stopGraceMs: null,
  imageId: "i1",
  warnings: [],
  restartsByItself: false,
  endpoint: "http://galaxy-game-g1:8080",
  ports: [],
  ...change
})
const manual = { specHash: null, generation: null, name: "galaxy-game-g1-manual" } as const
const exit = (code: number, finishedAtMs: number | null = startMs - 100) => ({ state: "exited", exit: { code, oomKilled: false, finishedAtMs } }) as const

const states: ReadonlyArray<Named<Partial<ModelContainer>>> = [
  named("created", { state: "created", startedAtMs: null }),
  named("created, start refused", { state: "created", startedAtMs: null, startError: "no" }),
  named("running", {}),
  named("running anew", { startedAtMs: startMs - 50 }),
  named("paused", { state: "paused" }),
  named("exited 0", exit(0)),
  named("exited 1", exit(1)),
  named("exited, code lost", exit(0, null)),
  named("oom", { state: "exited", exit: { code: 137, oomKilled: true, finishedAtMs: startMs - 100 } }),
  named("dead", { ...exit(137), state: "dead" }),
  named("removing", { ...exit(137), state: "removing" }),
  named("unresponsive", { state: "unresponsive" })
]

export const actuals: ReadonlyArray<Named<ReadonlyArray<ModelContainer>>> = [
  named("none", []),
  ...states.flatMap(({ name, value }) => [
    named(name, [container(value)]),
    named(`${name}, other spec`, [container({ ...value, specHash: other })]),
    named(`${name}, made by hand`, [container({ ...value, ...manual })]),
    named(`${name}, newest generation`, [container({ ...value, generation: 2 })])
  ]),
  named("running, made by hand, restarted by the engine", [container({ ...manual, restartsByItself: true })]),
  named("running, other spec, made for another end", [container({ specHash: other, stopSignal: "SIGINT", stopGraceMs: 120_000 })]),
  named("exited 0, oom of a child", [container({ state: "exited", exit: { code: 0, oomKilled: true, finishedAtMs: startMs - 100 } })]),
  named("running, signal unknown to the engine", [container({ stopSignal: unknownSignal, stopGraceMs: 1000 })]),
  named("exited 1, network pruned", [container({ ...exit(1), networkGone: true })]),
  named("running, made by hand, image without tag", [container({ ...manual, imageRef: "galaxy/engine" })]),
  named("running + stray of ours", [container({}), container({ id: "c2", name: "x" })]),
  named("running + ended stray of ours", [container({}), container({ id: "c2", name: "x", ...exit(0) })]),
  named("running + made by hand", [container({}), container({ id: "c2", ...manual })]),
  named("running, another installation's", [container({ instance: "i2" })]),
  named("exited 1, another installation's", [container({ ...exit(1), instance: "i2" })]),
  named("running + another installation's", [container({ instance: "i1" }), container({ id: "c2", name: "x", instance: "i2" })]),
  named("exited + running by hand", [container(exit(1)), container({ id: "c2", ...manual })])
]

const job = (kind: PendingJob["kind"], generation: number | null, id = 1): PendingJob => ({ id, kind, entryId: `${id}-0`, generation })

/** Jobs that can be pending for a row: at its generation, before it, or for no row at all, alone or one after the other. */
export const jobsFor = (row: Row | null): ReadonlyArray<Named<ReadonlyArray<PendingJob>>> => {
  if (row === null) return [named("no job", []), named("stop job", [job("stop", null)]), named("two stop jobs", [job("stop", null), job("stop", null, 2)])]
  const { desiredHash, generation, restartPolicy, state } = row
  const same = (kind: PendingJob["kind"]) => [named(`${kind} job`, [job(kind, generation)]), named(`two ${kind} jobs`, [job(kind, generation), job(kind, generation, 2)])]
  return [
    named("no job", []),
    ...(state === "running" ? same("start") : []),
    ...(state === "stopped" ? same("stop") : []),
    ...(state === "removed" ? [...same("start"), ...same("stop"), named("start and stop job", [job("start", generation), job("stop", generation, 2)])] : []),
    ...(generation === 1 && restartPolicy === "never" && state !== "removed" ? [named("stop job before the row", [job("stop", null)])] : []),
    ...(generation === 2 ? [named("overtaken job", [job("start", 1)])] : []),
    ...(desiredHash === madeAgain ? [named("jobs of the row before", [job(state === "running" ? "stop" : "start", 1), job("start", 3, 2), job("stop", 3, 3)])] : []),
    ...(generation === 2 && state === "running" ? [named("stop job, then start job", [job("stop", 1), job("start", 2, 2)])] : []),
    ...(generation === 2 && state === "stopped" ? [named("start job, then stop job", [job("start", 1), job("stop", 2, 2)])] : [])
  ]
}

const noImage = { code: "image_pull_failed", reason: "PullFailed", message: "no such image" } as const

/** What is known of the image, and whether others are being exchanged. */
export const pulls: ReadonlyArray<Named<Pick<World, "pull" | "exchangesFull">>> = [
  named("no pull", { pull: { _tag: "None" }, exchangesFull: false }),
  named("pulling", { pull: { _tag: "Pulling" }, exchangesFull: false }),
  named("pulled", { pull: { _tag: "Pulled", imageId: "i1" }, exchangesFull: false }),
  named("pulled, others are exchanged", { pull: { _tag: "Pulled", imageId: "i1" }, exchangesFull: true }),
  named("pull failed", { pull: { _tag: "Failed", failure: noImage }, exchangesFull: false })
]

const pullsFor = (row: Row | null) =>
  row?.state !== "running" ? pulls.slice(0, 1) : row.revision.spec.pull_policy === "always" ? [...pulls, otherImage] : pulls

/** The image's name means another one by now. */
const otherImage = named("pulled, another image", { pull: { _tag: "Pulled", imageId: "i2" } as const, exchangesFull: false })

/** What the ledger keeps for the game beside what its containers have: a crash comes between a claim and a container, and after its end. */
const claimsFor = (row: Row | null, containers: ReadonlyArray<ModelContainer>): ReadonlyArray<Named<ReadonlyArray<PublishedPort>>> => {
  if (row?.revision.spec.ports === undefined) return [named("no ports", [])]
  const used = [ownPort, otherPort].filter((host) => containers.some(({ ports }) => ports.some((one) => one.host === host)))
  return [named("the ports of its containers", used.map(port)), named("both ports", [port(ownPort), port(otherPort)])]
}

/** What was made with the row's spec has its port, another revision the other one. */
const withPorts = (row: Row | null, containers: ReadonlyArray<ModelContainer>): ReadonlyArray<ModelContainer> =>
  row?.revision.spec.ports === undefined ? containers : containers.map((one) => ({ ...one, ports: one.specHash === null ? [] : [port(one.specHash === wanted ? ownPort : otherPort)] }))

/** A record that waits for its next try was not written under `never`. */
const canBe = (row: Row | null, record: RuntimeRecord | null): boolean =>
  !(row?.restartPolicy === "never" && record?.nextRestartAtMs != null && hasObserved(record, row))

export interface Case {
  readonly row: string
  readonly record: string
  readonly actual: string
  readonly job: string
  readonly pull: string
  readonly claims: string
  readonly world: World
}

export function* space(): Generator<Case> {
  for (const row of rows) {
    for (const record of records) {
      if (!canBe(row.value, record.value)) continue
      for (const actual of actuals) {
        for (const jobs of jobsFor(row.value)) {
          const containers = withPorts(row.value, actual.value)
          for (const pull of pullsFor(row.value)) {
            for (const claims of claimsFor(row.value, containers)) {
              yield { row: row.name, record: record.name, actual: actual.name, job: jobs.name, pull: pull.name, claims: claims.name,
                world: { ...worldOf(row.value, record.value, containers, jobs.value, pull.value), claims: claims.value } }
            }
          }
        }
      }
    }
  }
}

const worldOf = (
  row: Row | null,
  record: RuntimeRecord | null,
  containers: ReadonlyArray<ModelContainer>,
  jobs: ReadonlyArray<PendingJob>,
  pull: Pick<World, "pull" | "exchangesFull">
): World => ({
  gameId,
  instance: "i1",
  row,
  record: record && { ...record, specHash: record.currentContainerId ? containers[0]?.specHash ?? wanted : null },
  jobs,
  lastHealth: null,
  results: [],
  containers,
  ...pull,
  engineId: "e1",
  claims: [],
  hidden: { engineId: "e0", containers: record?.engineId === "e0" ? [container({})] : [], claims: [] },
  imagePresent: pull.pull._tag === "Pulled",
  nowMs: startMs,
  timing,
  pullPolicy: "if_missing",
  told: [],
  log: []
})
