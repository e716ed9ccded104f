/** What must hold when faults have stopped and the world has settled. Written from the contract, not from the plan. */
import { Result } from "effect"
import { decodeSpec, type GameSpec } from "../../src/domain/GameSpec.ts"
import { specHash } from "../../src/domain/specHash.ts"
import { alive, type FakeContainer, isOurs, labelNames } from "../support/fakes/container.ts"
import type { GameRow, RecordRow } from "../support/fakes/database.ts"
import { topicStreams } from "../support/fakes/StreamsWorld.ts"
import type { StoreWorld } from "../support/fakes/StoreWorld.ts"
import type { Worlds } from "./ControllerProcess.ts"
import { images } from "./script.ts"
import type { Simulation } from "./world.ts"

/** Every broken promise, in words. */
export const broken = (worlds: Simulation): ReadonlyArray<string> => [
  ...games(worlds).flatMap((game) => brokenGame(worlds, game).map((problem) => `${game}: ${problem}`)),
  ...brokenJobs(worlds),
  ...brokenHealth(worlds),
  ...brokenLog(worlds),
  ...brokenNotifications(worlds),
  ...brokenDelivery(worlds)
]

const games = ({ engine, store }: Worlds): ReadonlyArray<string> => [
  ...new Set([...store.games.keys(), ...store.records.keys(), ...engine.containers.flatMap(({ labels }) => labels[labelNames.gameId] ?? [])])
]

/** A row whose container cannot be made, or cannot be kept up: it is tried again and again, as its policy says. */
/** Another game has the port that it names. */
const isHeldByOther = ({ ports }: StoreWorld, gameId: string, { ports: asked = [] }: GameSpec): boolean =>
  [...ports.values()].some((row) => row.freed_at_ms === null && row.game_id !== gameId && asked.some(({ host }) => host === row.port))

export const cannotRun = ({ engine, store }: Worlds, row: GameRow): boolean => {
  const spec = decodeSpec(row.spec)
  if (Result.isFailure(spec)) return true
  const known = engine.images.get(row.image_ref)
  if (spec.success.pull_policy === "never" && !known?.onHost) return true
  if (isHeldByOther(store, row.game_id, spec.success)) return true
  return row.image_ref === images.missing || ["unstartable", "missing"].some((word) => spec.success.args?.includes(word))
}

// --- the engine equals the rows -----------------------------------------------------------------------------------------

const brokenGame = (worlds: Simulation, game: string): ReadonlyArray<string> => {
  const row = worlds.store.games.get(game)
  const record = worlds.store.records.get(game)
  const containers = worlds.engine.of(game)
  if (row === undefined) return containers.some(({ state }) => state !== "dead") ? ["has a container and was not adopted"] : []
  if (record === undefined) return ["has no record"]
  if (isElsewhere(worlds, record)) return record.status === "removed" ? ["is removed, but its container is on another engine"] : []
  const main = containers.find(({ id }) => id === record.current_container_id)
  return [
    ...consistent(worlds, row, record, main, containers),
    ...brokenPorts(worlds, game, record, containers),
    ...(record.status === "removed" ? removed(row, record, containers) : asWanted(worlds, row, record, main))
  ]
}

/** What a game has it was made with, and what is kept for it something of it has, or is to have. */
const brokenPorts = ({ engine, store }: Worlds, game: string, record: RecordRow, containers: ReadonlyArray<FakeContainer>): ReadonlyArray<string> => {
  const kept = store.portsOf(game).filter(({ engine_id }) => engine_id === engine.engineId).map(({ port, protocol }) => `${protocol} ${port}`)
  const main = containers.find(({ id }) => id === record.current_container_id)
  const words = (container: FakeContainer) => container.ports.map(({ host, protocol }) => `${protocol} ${host}`)
  const idle = record.last_error_code === null ? kept.filter((port) => !containers.some((one) => words(one).includes(port))) : []
  const told = (record.ports ?? []).map(({ host, protocol }) => `${protocol} ${host}`)
  return [
    ...idle.map((port) => `${port} is kept for nothing`),
    ...(main && alive(main) && isOurs(main) && !engine.wasExchanged ? words(main).filter((port) => !kept.includes(port)).map((port) => `runs with ${port}, which is not kept for it`) : []),
    ...(told.join() === (main ? words(main).join() : "") ? [] : [`the record tells of ports ${told.join()}, but its container has ${main && words(main).join()}`])
  ]
}

/** Its container is on an engine that does not answer now: nothing is known of it, nothing may be done. */
const isElsewhere = ({ engine }: Worlds, record: RecordRow | undefined): boolean =>
  record !== undefined && record.current_container_id !== null && record.engine_id !== engine.engineId

/** Whether somebody saw, with nothing in his way, what is so since `armedAtMs`. */
const wasLookedAt = ({ armedAtMs, calmSinceMs, engine }: Simulation, { id }: FakeContainer): boolean => {
  const sinceMs = Math.max(calmSinceMs, armedAtMs.get(id) ?? 0)
  return engine.calls.some(({ atMs, containerId, result, verb }) => verb === "inspect" && containerId === id && result === "ok" && atMs > sinceMs)
}

const consistent = (
  worlds: Simulation,
  row: GameRow,
  record: RecordRow,
  main: FakeContainer | undefined,
  containers: ReadonlyArray<FakeContainer>
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  if (record.current_container_id !== null && main === undefined) problems.push("the record names a container that is gone")
  if ((record.status === "running") !== (main !== undefined && alive(main))) {
    problems.push(`recorded as ${record.status}, but its container is ${main?.state ?? "none"}`)
  }
  if (record.status === "running" && record.engine_endpoint === null) problems.push("runs without an endpoint")
  // What turns up for a game that is over without anybody's word for its removal is reported, not touched.
  const isReported = record.status === "removed" && row.state !== "removed"
  if (main?.restartsByItself && wasLookedAt(worlds, main)) problems.push("the engine would restart it by itself, and whoever looked left it so")
  if (!isReported && containers.filter((container) => isOurs(container)).length > 1) problems.push("has two containers of ours")
  for (const under of ["stopping", "rollout", "refused", "restarting_since"] as const) if (record[under] !== null) problems.push(`settled, but ${under} is left`)
  const ready = record.conditions?.find(({ type }) => type === "Ready")?.status
  if (ready !== (record.status === "running" ? "True" : "False")) problems.push(`is ${record.status}, but Ready=${ready}`)
  if (row.state !== "running" && record.last_error_code !== null) problems.push(`is ${row.state}, but ${record.last_error_code} is left`)
  return problems
}

const removed = (row: GameRow, record: RecordRow, containers: ReadonlyArray<FakeContainer>): ReadonlyArray<string> => [
  ...(record.current_container_id === null ? [] : ["is removed, but names a container"]),
  ...(row.state === "removed" && containers.some((container) => isOurs(container)) ? ["is removed, but a container of ours is left"] : [])
]

const asWanted = (worlds: Worlds, row: GameRow, record: RecordRow, main: FakeContainer | undefined): ReadonlyArray<string> => {
  if (record.observed_generation !== row.generation) return [`generation ${row.generation} was not carried out (${record.observed_generation})`]
  if (record.observed_hash !== row.desired_hash) return ["what the row says was not carried out, though its generation was"]
  if (row.state === "removed") return ["should be removed"]
  if (row.state === "stopped") return record.status === "stopped" ? [] : ["should be stopped"]
  if (record.status === "stopped" && isOver(row, record)) return []
  if (cannotRun(worlds, row)) return record.last_error_code === null && !runsWanted(row, record) ? ["cannot run, and nothing says why"] : []
  if (record.status === "stopped") return [`policy ${row.restart_policy}, ended with ${record.exit_code}, but it does not run`]
  return [
    ...(runsWanted(row, record) || record.last_error_code !== null ? [] : ["runs something else than the row says"]),
    ...(isRestartDue(worlds, row, record) && record.last_error_code === null ? ["a restart was asked for and never came"] : []),
    ...(main?.state === "paused" ? ["is paused"] : [])
  ]
}

const msOf = (time: string | null): number => time === null ? 0 : Date.parse(time)

/** Asked for, its time has come, and nothing was started since. */
const isRestartDue = ({ store }: Worlds, row: GameRow, { restart_observed_at, started_at }: RecordRow): boolean => {
  const askedMs = msOf(row.restart_requested_at)
  return askedMs <= store.nowMs && askedMs > msOf(restart_observed_at) && askedMs > msOf(started_at)
}

/** It ran or failed, and its policy does not start it again, or its exit code is a final one. */
const isOver = (row: GameRow, record: RecordRow): boolean =>
  (record.final_exit && record.exit_code === 64) || row.restart_policy === "never" || (row.restart_policy === "on_failure" && record.exit_code === 0)

const runsWanted = (row: GameRow, record: RecordRow): boolean => {
  const spec = decodeSpec(row.spec)
  return record.status === "running" && Result.isSuccess(spec) && record.spec_hash === specHash(row.image_ref, spec.success)
}

// --- each job has one result --------------------------------------------------------------------------------------------

const brokenJobs = (simulation: Simulation): ReadonlyArray<string> => {
  const { lostJobs, store, streams } = simulation
  return streams.log.filter(({ stream }) => stream.endsWith("_jobs") && stream !== topicStreams.dead_jobs).flatMap(({ fields, id, stream }) => {
    const results = store.told.filter((message) => message.topic === "job_results" && message.fields.job_id === id)
    const name = `job ${id} ${stream} ${JSON.stringify(fields)}`
    if (results.length === 0 && lostJobs.has(id)) return []
    if (results.length !== 1) return [`${name} has ${results.length} results`]
    const { container_id, engine_endpoint, error_code, outcome } = results[0]!.fields
    if (outcome === "failure") return container_id === "" && engine_endpoint === "" && error_code !== "" ? [] : [`${name} failed with a container`]
    return error_code === "" || error_code === "replay_no_op" ? [] : [`${name} succeeded with ${error_code}`]
  })
}

// --- health: each transition once -----------------------------------------------------------------------------------------

/** Last thing told of each container. */
interface Told {
  readonly type: string
  /** How often each start was told. */
  readonly runs: Map<string, number>
}

const brokenHealth = (worlds: Simulation): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const last = new Map<string, Told>()
  for (const { fields, topic } of worlds.store.told) {
    if (topic !== "health_events") continue
    const { container_id: id, event_type: type, occurred_at_ms: atMs } = fields as { container_id: string; event_type: string; occurred_at_ms: string }
    const before = last.get(id)
    const runs = before?.runs ?? new Map<string, number>()
    const problem = nextTold(type, before?.type)
    if (problem) problems.push(`health of ${fields.game_id} ${id.slice(0, 12)}: ${problem}`)
    if (type === "container_started") {
      const times = (runs.get(atMs) ?? 0) + 1
      runs.set(atMs, times)
      if (times > startsAt(worlds, id, atMs) && !worlds.engineWasChanged) problems.push(`health of ${fields.game_id} ${id.slice(0, 12)}: the start at ${atMs} is told ${times} times`)
    }
    // What is told of the health of a run neither begins nor ends it.
    if (runEvents.has(type)) last.set(id, { type, runs })
  }
  for (const { current_container_id: id, game_id, status } of worlds.store.records.values()) {
    if (status === "running" && last.get(id!)?.type !== "container_started") problems.push(`health of ${game_id}: it runs, and nobody was told`)
  }
  for (const [id, { type }] of last) {
    if (worlds.engine.isElsewhere(id)) continue
    const container = worlds.engine.get(id)
    const up = container !== undefined && alive(container)
    // A game that was started anew on another engine has forgotten the container it had on the first.
    if (worlds.engineWasChanged && !(up && type === "container_disappeared")) continue
    if ((type === "container_started") !== up) problems.push(`health of ${id.slice(0, 12)}: ${type} was told last, but it is ${container?.state ?? "gone"}`)
  }
  return problems
}

const runEvents: ReadonlySet<string> = new Set(["container_started", "container_exited", "container_oom", "container_disappeared"])

/** A container may be started, ended and started again within a millisecond. */
const startsAt = ({ engine }: Worlds, id: string, atMs: string): number =>
  Math.max(1, engine.history.filter((one) => one.action === "start" && one.containerId === id && String(one.atMs) === atMs).length)

const nextTold = (type: string, before: string | undefined): string | undefined => {
  if (before === "container_disappeared") return `${type} after it disappeared`
  const ended = type === "container_exited" || type === "container_oom"
  return ended && before !== "container_started" ? `${type} after ${before ?? "nothing"}` : undefined
}

// --- the operation log ----------------------------------------------------------------------------------------------------

const startKinds: ReadonlyArray<string> = ["start", "reconcile_recreate", "reconcile_restart"]

const brokenLog = ({ engine, store }: Worlds): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const starts = Map.groupBy(
    store.operations.filter(({ op_kind, outcome }) => outcome === "success" && startKinds.includes(op_kind)),
    ({ container_id }) => container_id
  )
  for (const [id, operations] of starts) {
    const started = engine.history.filter(({ action, containerId }) => action === "start" && containerId === id).length
    if (operations.length > started) problems.push(`operation log: ${operations.length} starts of ${id?.slice(0, 12)}, which was started ${started} times`)
  }
  for (const { error_code, id, op_kind, outcome } of store.operations) {
    if ((outcome === "failure") !== (error_code !== null)) problems.push(`operation ${id} ${op_kind} is a ${outcome} with code ${error_code}`)
  }
  return problems
}

// --- notifications ------------------------------------------------------------------------------------------------------

const brokenNotifications = ({ store }: Worlds): ReadonlyArray<string> => {
  const keys = store.told.flatMap(({ fields, topic }) => topic === "notification_intents" ? fields.idempotency_key ?? [] : [])
  return keys.filter((key, index) => keys.indexOf(key) !== index).map((key) => `${key} is told twice`)
}

// --- messages -------------------------------------------------------------------------------------------------------------

const brokenDelivery = ({ store, streams }: Worlds): ReadonlyArray<string> => {
  const problems: Array<string> = []
  if (store.outbox.size > 0) problems.push(`${store.outbox.size} messages are left in the outbox`)
  for (const stream of ["runtime:start_jobs", "runtime:stop_jobs"]) {
    if (streams.pending(stream).length > 0) problems.push(`${stream} has entries that nobody acknowledged`)
  }
  for (const [topic, stream] of Object.entries(topicStreams)) {
    const wanted = store.told.filter((message) => message.topic === topic).map(({ event_id }) => event_id)
    const sent = [...new Set(streams.log.filter((entry) => entry.stream === stream).map(({ fields }) => fields.event_id))]
    if (wanted.join() !== sent.join()) problems.push(`${stream} was not told everything once and in order`)
  }
  return problems
}
