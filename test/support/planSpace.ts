/** Every state the plan can be asked about, as the product of its parts. Combinations that cannot be are left out. */
import type { PendingJob } from "../../src/domain/Job.ts"
import type { Condition, ConditionType, RecordStatus, RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
import { freshRecord } from "../../controllers/game/commit.ts"
import { gameId, type ModelContainer, type Row, wantedImage, type World } from "./planModel.ts"

export const startMs = 1_000_000_000
const wanted = "v1:wanted"
const other = "v1:other"

interface Named<A> {
  readonly name: string
  readonly value: A
}
const named = <A>(name: string, value: A): Named<A> => ({ name, value })

export const rows: ReadonlyArray<Named<Row | null>> = [
  named("no row", null),
  ...(["running", "stopped", "removed"] as const).flatMap((state) =>
    (["always", "on_failure", "never"] as const).flatMap((policy) =>
      [true, false].flatMap((valid) =>
        [1, 2].map((generation) =>
          named(
            `${state} ${policy}${valid ? "" : " invalid"}${generation === 2 ? " new" : ""}`,
            { state, policy, generation, hash: wanted, valid } as Row
          )))))
]

const condition = (type: ConditionType, status: Condition["status"], reason: string): Condition =>
  ({ type, status, reason, message: "", last_transition_at: "" })
const backOff = condition("Progressing", "True", "BackOff")
const replacing = condition("Progressing", "True", "Replacing")
const unknown = (reason: string) => condition("Ready", "Unknown", reason)

/** A record with the conditions that it has where `more` says nothing else. */
const known = (status: RecordStatus, change: Partial<RuntimeRecord>, ...more: ReadonlyArray<Condition>): RuntimeRecord => {
  const stopping = change.stoppingSinceMs != null
  const conditions = [
    ...more,
    status !== "running"
      ? condition("Ready", "False", change.lastErrorReason ?? "ContainerExited")
      : stopping ? condition("Ready", "False", "Stopping") : condition("Ready", "True", "ContainerRunning"),
    stopping ? condition("Progressing", "True", "Stopping") : condition("Progressing", "False", "Settled")
  ]
  return {
    ...freshRecord(gameId), observedGeneration: 1, version: 1, status, ...change,
    conditions: conditions.filter(({ type }, index) => conditions.findIndex((one) => one.type === type) === index)
  }
}
const held = {
  currentContainerId: "c1", currentImageRef: wantedImage, engineEndpoint: "http://galaxy-game-g1:8080", engineId: "e1",
  startedAtMs: startMs - 5000
}
const ended = (exitCode: number, agoMs: number) => ({ ...held, exitCode, stoppedAtMs: startMs - agoMs })
const failure = { lastErrorCode: "container_start_failed", lastErrorReason: "StartFailed", lastErrorMessage: "x", failureCount: 1 } as const
const signalled = { ...held, stoppingSinceMs: startMs - 1000 }

export const records: ReadonlyArray<Named<RuntimeRecord | null>> = [
  named("none", null),
  named("running", known("running", held)),
  named("running, stopping", known("running", signalled)),
  named("running, grace over", known("running", { ...held, stoppingSinceMs: startMs - 60_000 })),
  named("running, replacing", known("running", signalled, replacing)),
  named("running elsewhere", known("running", { ...held, engineId: "e0" })),
  named("running elsewhere, told", known("running", { ...held, engineId: "e0" }, unknown("EngineChanged"))),
  named("running, failed change", known("running", { ...held, ...failure })),
  named("running, unresponsive", known("running", held, unknown("ContainerUnresponsive"))),
  named("stopped, exit 0", known("stopped", ended(0, 1000))),
  named("stopped, exit 1, back-off", known("stopped", { ...ended(1, 1000), nextRestartAtMs: startMs + 4000, restartCount: 3 }, backOff)),
  named("stopped long ago", known("stopped", ended(0, 721 * 3_600_000))),
  named("stopped, replacing", known("stopped", ended(0, 10), replacing)),
  named("stopped, failed restart", known("stopped", { ...ended(1, 1000), ...failure })),
  named("stopped, no container", known("stopped", { exitCode: 0, stoppedAtMs: startMs - 1000 })),
  named("stopped, failed start", known("stopped", { ...failure, nextRestartAtMs: startMs + 1000 }, backOff)),
  named("removed", known("removed", { removedAtMs: startMs - 1000 }))
]

const container = (change: Partial<ModelContainer>): ModelContainer => ({
  id: "c1",
  name: "galaxy-game-g1",
  state: "running",
  ours: true,
  generation: 1,
  hash: wanted,
  imageRef: wantedImage,
  createdAtMs: startMs - 6000,
  startedAtMs: startMs - 5000,
  exit: null,
  startError: "",
  stopSignal: "SIGTERM",
  restartsByItself: false,
  endpoint: "http://galaxy-game-g1:8080",
  ...change
})
const manual = { ours: false, generation: null, name: "galaxy-game-g1-manual" } as const
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
    named(`${name}, other spec`, [container({ ...value, hash: other })]),
    named(`${name}, made by hand`, [container({ ...value, ...manual })]),
    named(`${name}, newest generation`, [container({ ...value, generation: 2 })])
  ]),
  named("running, made by hand, restarted by the engine", [container({ ...manual, restartsByItself: true })]),
  named("exited 1, network pruned", [container({ ...exit(1), networkGone: true })]),
  named("running, made by hand, image without tag", [container({ ...manual, imageRef: "galaxy/engine" })]),
  named("running + stray of ours", [container({}), container({ id: "c2", name: "x" })]),
  named("running + ended stray of ours", [container({}), container({ id: "c2", name: "x", ...exit(0) })]),
  named("running + made by hand", [container({}), container({ id: "c2", ...manual })]),
  named("exited + running by hand", [container(exit(1)), container({ id: "c2", ...manual })])
]

const job = (kind: PendingJob["kind"], generation: number | null): PendingJob => ({
  id: 1, kind, entryId: "1-0", generation, changed: false
})

/** Jobs that can be pending for a row: at its generation, before it, or for no row at all. */
export const jobsFor = (row: Row | null): ReadonlyArray<Named<ReadonlyArray<PendingJob>>> => [
  named("no job", []),
  ...(row === null
    ? [named("stop job", [job("stop", null)])]
    : [
      ...(row.state === "running" ? [named("start job", [job("start", row.generation)])] : []),
      ...(row.state === "stopped" ? [named("stop job", [job("stop", row.generation)])] : []),
      ...(row.generation === 1 && row.policy === "never" && row.state !== "removed" ? [named("stop job before the row", [job("stop", null)])] : []),
      ...(row.state === "removed" ? [named("start job", [job("start", row.generation)]), named("stop job", [job("stop", row.generation)])] : []),
      ...(row.generation === 2 ? [named("overtaken job", [job("start", 1)])] : [])
    ])
]

export const pulls: ReadonlyArray<Named<World["pull"]>> = [
  named("no pull", { _tag: "None" }),
  named("pulling", { _tag: "Pulling" }),
  named("pulled", { _tag: "Pulled" }),
  named("pull failed", { _tag: "Failed", failure: { code: "image_pull_failed", reason: "PullFailed", message: "no such image" } })
]

/** A record that waits for its next try was not written under `never`. */
const canBe = (row: Row | null, record: RuntimeRecord | null): boolean =>
  !(row?.policy === "never" && record?.nextRestartAtMs != null && record.observedGeneration === row.generation)

export interface Case {
  readonly row: string
  readonly record: string
  readonly actual: string
  readonly job: string
  readonly pull: string
  readonly world: World
}

export function* space(): Generator<Case> {
  for (const row of rows) {
    for (const record of records) {
      if (!canBe(row.value, record.value)) continue
      for (const actual of actuals) {
        for (const jobs of jobsFor(row.value)) {
          for (const pull of row.value?.state === "running" ? pulls : pulls.slice(0, 1)) {
            const { specHash: _none, ...known } = record.value ?? freshRecord(gameId)
            yield {
              row: row.name, record: record.name, actual: actual.name, job: jobs.name, pull: pull.name,
              world: {
                row: row.value,
                record: record.value && { ...known, specHash: record.value.currentContainerId ? actual.value[0]?.hash ?? wanted : null },
                jobs: jobs.value,
                results: [],
                containers: actual.value,
                pull: pull.value,
                engineId: "e1",
                hidden: { engineId: "e0", containers: record.value?.engineId === "e0" ? [container({})] : [] },
                imagePresent: pull.value._tag === "Pulled",
                nowMs: startMs,
                made: 0,
                told: [],
                log: []
              }
            }
          }
        }
      }
    }
  }
}
