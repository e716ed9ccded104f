/** Every state the plan can be asked about, as the product of its parts. Combinations that cannot be are left out. */
import type { PendingJob } from "../../src/domain/Job.ts"
import type { RuntimeRecord } from "../../src/domain/RuntimeRecord.ts"
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

const base: RuntimeRecord = { ...freshRecord(gameId), observedGeneration: 1, version: 1 }
const holds = {
  currentContainerId: "c1", currentImageRef: wantedImage, engineEndpoint: "http://galaxy-game-g1:8080", engineId: "e1",
  startedAtMs: startMs - 5000
}
const replacing: RuntimeRecord["conditions"] = [
  { type: "Progressing", status: "True", reason: "Replacing", message: "", last_transition_at: "" }
]
const failure = { lastErrorCode: "container_start_failed", lastErrorReason: "StartFailed", lastErrorMessage: "x", failureCount: 1 } as const

export const records: ReadonlyArray<Named<RuntimeRecord | null>> = [
  named("none", null),
  named("running", { ...base, ...holds, status: "running" }),
  named("running, stopping", { ...base, ...holds, status: "running", stoppingSinceMs: startMs - 1000 }),
  named("running, grace over", { ...base, ...holds, status: "running", stoppingSinceMs: startMs - 60_000 }),
  named("running, replacing", { ...base, ...holds, status: "running", stoppingSinceMs: startMs - 1000, conditions: replacing }),
  named("running elsewhere", { ...base, ...holds, status: "running", engineId: "e0" }),
  named("running, failed change", { ...base, ...holds, ...failure, status: "running" }),
  named("stopped, exit 0", { ...base, ...holds, status: "stopped", exitCode: 0, stoppedAtMs: startMs - 1000 }),
  named("stopped, exit 1, back-off", {
    ...base, ...holds, status: "stopped", exitCode: 1, stoppedAtMs: startMs - 1000, nextRestartAtMs: startMs + 4000, restartCount: 3
  }),
  named("stopped long ago", { ...base, ...holds, status: "stopped", exitCode: 0, stoppedAtMs: startMs - 721 * 3_600_000 }),
  named("stopped, replacing", { ...base, ...holds, status: "stopped", exitCode: 0, stoppedAtMs: startMs - 10, conditions: replacing }),
  named("stopped, no container", { ...base, status: "stopped", exitCode: 0, stoppedAtMs: startMs - 1000 }),
  named("stopped, failed start", { ...base, ...failure, status: "stopped", nextRestartAtMs: startMs + 1000 }),
  named("removed", { ...base, status: "removed", removedAtMs: startMs - 1000 })
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
                imagePresent: pull.value._tag === "Pulled",
                nowMs: startMs,
                made: 0,
                told: []
              }
            }
          }
        }
      }
    }
  }
}
