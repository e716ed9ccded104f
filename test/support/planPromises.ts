/** What the contract promises of a world, and of each step in it. Written from the contract, not from the plan. */
import type { Action } from "../../controllers/game/decide/step.ts"
import type { PendingJob } from "../../src/domain/Job.ts"
import { parseDurationMs } from "../../src/domain/Quantity.ts"
import { isSamePort } from "../../src/domain/ports.ts"
import type { Row } from "../../src/domain/Row.ts"
import { assess, fateOf } from "../../controllers/game/observe/assess.ts"
import { type ModelContainer, planWorld, step as carryOn, type World } from "./planModel.ts"

export const runs = (world: World) => world.containers.filter((one) => isHere(one) && (one.state === "running" || one.state === "paused"))

const conditionOf = ({ record }: World, type: "Ready" | "Progressing") => record?.conditions.find((one) => one.type === type)

/** Of the world's own installation, `i1`. */
const isHere = ({ instance = "i1" }: ModelContainer) => instance === "i1"
const isOurs = (container: ModelContainer) => container.specHash !== null && container.generation !== null && isHere(container)

/** The recorded container is on an engine that does not answer now. */
const isElsewhere = (world: World): boolean =>
  world.record?.status !== "removed" && ["elsewhere", "another's"].includes(fateOf(world.record, world.containers, world))

/** The game's own container is listed and not answered for. */
const isSilent = (world: World): boolean => {
  const game = world.containers.filter(({ id }) => world.record?.currentContainerId == null || id === world.record.currentContainerId)
  return game.some(({ id, state }) => state === "unresponsive" && id === assess(world).main?.id)
}

/** Whether nothing can be known or done about the game now. */
export const isOut = (world: World): boolean => isElsewhere(world) || isSilent(world)

/** Which promise a settled game breaks; undefined when it keeps all. */
export const broken = (world: World): string | undefined => {
  if (isOut(world)) return brokenOutage(world)
  if (world.jobs.length > 0) return "a job has no answer"
  const ports = brokenPorts(world)
  if (ports !== undefined) return ports
  return brokenConditions(world) ?? brokenState(world)
}

/** A port is given back with the last container that was made with it; until then, and while another is to be made, it is the game's. */
const brokenPorts = ({ claims, containers, record, row }: World): string | undefined => {
  const used = containers.flatMap(({ ports }) => ports)
  const idle = claims.filter((claim) => !used.some((port) => isSamePort(port, claim)))
  const isKept = row?.state === "running" && row.problem === null && record?.lastErrorCode != null
  if (idle.length > 0 && !isKept) return `port ${idle[0]!.host} is kept for nothing`
  const lost = containers.filter(isOurs).find(({ id, ports }) => id === record?.currentContainerId && ports.some((port) => !claims.some((claim) => isSamePort(port, claim))))
  return lost && `container ${lost.id} has a port that is not the game's`
}

/** The row says something else by now than what the job made of it. */
const isOvertaken = (job: PendingJob, row: Row): boolean =>
  (job.generation ?? 0) !== row.generation || (job.kind === "start") !== (row.state === "running")

/** Unknown is said as unknown, and only a job whose wait will end waits. */
const brokenOutage = (world: World): string | undefined => {
  const { jobs, record, row } = world
  const told = record === null || record.status === "removed" || conditionOf(world, "Ready")?.status === "Unknown"
  if (!told) return `Ready=${conditionOf(world, "Ready")?.status} in an outage`
  if (isElsewhere(world) && jobs.length > 0) return "a job waits for another engine"
  return row !== null && jobs.some((job) => job.generation !== null && isOvertaken(job, row)) ? "an overtaken job waits" : undefined
}

const brokenConditions = (world: World): string | undefined => {
  const { record, row } = world
  if (record === null || row === null) return undefined
  const main = runs(world).find(({ id }) => id === record.currentContainerId)
  const isReady = record.status === "running" && main !== undefined && record.stopping === null
  const told = conditionOf(world, "Ready")?.status
  if (told !== (isReady ? "True" : "False")) return `Ready=${told}, but it ${isReady ? "runs" : "does not run"}`
  return conditionOf(world, "Progressing")?.status === "False" ? undefined : "Progressing, but nothing is under way"
}

const brokenState = (world: World): string | undefined => {
  const { row, record } = world
  const containers = world.containers.filter((one) => one.state !== "removing" && isHere(one))
  if (row === null) {
    return record === null && containers.some(({ state, imageRef }) => state !== "dead" && imageRef.includes(":")) ? "not adopted" : undefined
  }
  if (record?.status === "removed" && row.state !== "removed") return undefined
  if (containers.filter(isOurs).length > 1) return "two containers of ours"
  if (record === null) return "nothing is recorded"
  if (record.stopping !== null || record.rollout !== null || record.refused !== null || record.restartingSinceMs !== null) return "settled, but something is under way"
  const main = containers.find(({ id }) => id === record.currentContainerId)
  if (record.currentContainerId !== null && main === undefined) return "the record names a container that is gone"
  if (record.status === "running" && (main === undefined || !runs(world).includes(main))) return "recorded as running, but nothing runs"
  if (record.status !== "running" && main !== undefined && runs(world).includes(main)) return "it runs, but is not recorded as running"
  if (row.state !== "running" && (record.lastErrorCode !== null || record.failureCount > 0 || record.restartCount > 0)) {
    return "it is over, but a failure is left"
  }
  if (row.state === "removed") {
    return record.status !== "removed" ? "not recorded as removed" : containers.some(isOurs) ? "a container is left" : undefined
  }
  if (row.state === "stopped") return record.status === "running" ? "runs though the row says stopped" : undefined
  if (row.problem !== null) return record.lastErrorCode === "start_config_invalid" ? undefined : "an invalid spec is not told"
  const isOfAnotherRow = record.observedHash !== null && record.observedHash !== row.desiredHash
  if (record.observedGeneration !== row.generation || isOfAnotherRow) return "what the row says was not carried out"
  if (row.restartPolicy === "always" && record.status !== "running" && !record.finalExit) return "policy always, but it does not run"
  const asked = row.restartRequestedAtMs ?? 0
  const isAsked = asked > (record.restartObservedAtMs ?? 0) && asked > (record.startedAtMs ?? 0)
  if (record.status === "running" && record.lastErrorCode === null && isAsked) return "a restart was asked for and never came"
  if (record.status === "running" && record.lastErrorCode === null && record.specHash !== row.revision.specHash) return "runs something else than the row says"
  return undefined
}

/** What the game was made with ends it; a row that asks for this very container may give it another grace. */
export const graceMs = (world: World): number => {
  const main = world.containers.find(({ id }) => id === world.record?.currentContainerId)
  const wanted = parseDurationMs(world.row?.revision.spec.stop_grace ?? "") ?? world.timing.stopGraceMs
  const asks = world.row === null || (world.row.problem === null && world.row.revision.specHash === (world.record?.specHash ?? main?.specHash))
  return asks ? wanted : main?.stopGraceMs ?? wanted
}

/** Whether a container is ended in another way than the one it was made for. */
const wrongEnd = (world: World, action: Action): string | undefined => {
  const { record } = world
  if (action._tag === "Signal" && action.signal !== action.container.stopSignal) return `it gets ${action.signal}, but was made for ${action.container.stopSignal}`
  const isEarly = action._tag === "Kill" && action.container.id === record?.currentContainerId && record.stopping !== null &&
    (record.stopping.signalledAtMs ?? Infinity) + graceMs(world) > world.nowMs
  return isEarly && record?.status === "running" ? "it is killed before its grace is over" : undefined
}

/** An image that is always asked for is asked for before each start, and what its name means by then is what is started. */
const wrongImage = ({ pull, row }: World, action: Action): string | undefined => {
  if (row?.revision.spec.pull_policy !== "always" || (action._tag !== "Create" && action._tag !== "Start")) return undefined
  if (pull._tag !== "Pulled") return "it is started without asking for its image"
  return action._tag === "Start" && action.container.imageId !== pull.imageId ? "what is started is another image than its name means" : undefined
}

/** What an act must not touch (what somebody else made and no record names, what the engine does not answer for), or not so. */
export const trespass = (world: World): string | undefined => {
  const { step } = planWorld(world)
  const image = step._tag === "Act" ? wrongImage(world, step.action) : undefined
  if (step._tag !== "Act" || image !== undefined || !("container" in step.action)) return image
  const { container } = step.action
  if (!isHere(container)) return `${step.action._tag} of another installation's container`
  // Only what is adopted with the next step is disarmed.
  const isAdopted = step.action._tag === "Disarm" && planWorld(carryOn(world, "ok")).reason === "Adopted"
  if (!container.ours && container.id !== world.record?.currentContainerId && !isAdopted) return `${step.action._tag} of somebody else's container`
  if (container.state === "unresponsive" || container.state === "removing") return `${step.action._tag} of what is ${container.state}`
  return wrongEnd(world, step.action)
}

/** An answer, of the step from `before` to `after`, that is not so; undefined when all are. */
export const untrue = (before: World, after: World): string | undefined => {
  const { record, row } = after
  const did = (...kinds: ReadonlyArray<string>) => after.log.some((line) => !line.endsWith("!") && kinds.some((kind) => line.startsWith(`${kind} `)))
  const startedNow = did("start", "restart", "reconcile_recreate", "reconcile_restart")
  const wasElsewhere = isElsewhere(before)
  for (const { job: id, result: { containerId, errorCode, outcome } } of after.results) {
    const job = before.jobs.find((one) => one.id === id)!
    const canHaveRow = before.containers.every(({ imageRef }) => imageRef.includes(":"))
    if (errorCode === "service_unavailable" && !wasElsewhere && record?.refused == null) return "service_unavailable, though the engine is there"
    if (errorCode === "not_found" && (row !== null || (record?.currentContainerId != null && canHaveRow))) return "not_found, though there is a game"
    if (errorCode === "superseded" && !isOvertaken(job, row!)) return "superseded by nothing"
    if (outcome === "failure" || record?.status === "removed") continue
    if (before.containers.some((one) => one.state === "unresponsive" && one.id === record?.currentContainerId)) return "success of what does not answer"
    if (errorCode !== ((job.kind === "stop" ? did("stop") : startedNow) ? "" : "replay_no_op")) return `a ${job.kind} is answered ${errorCode || "without code"}`
    const main = after.containers.find((one) => one.id === containerId)
    const problem = job.kind === "stop"
      ? runs(after).some((one) => one.id === record?.currentContainerId || isOurs(one)) && "stopped, but it runs"
      : (main === undefined || record?.status !== "running" || record.currentContainerId !== containerId || record.stopping !== null)
      ? "started, but not recorded"
      : (row?.problem != null || (record.specHash ?? main.specHash ?? row?.revision.specHash) !== row?.revision.specHash)
      ? "started, but it is not what the row says"
      : !startedNow && main.state !== "running" && "started, but it does not run"
    if (problem) return problem
  }
  return undefined
}

/** An end, told by the step from `before` to `after`, whose details are not so; undefined when all are. */
export const mistold = (before: World, after: World): string | undefined => {
  const { record, row } = before
  const wanted = row?.state !== "running" || record?.stopping != null
  for (const { containerId, details, type } of after.told) {
    const { expected, because } = details
    if (type !== "container_exited" && type !== "container_oom") continue
    const exit = before.containers.find(({ id }) => id === containerId)?.exit
    if (expected !== wanted) return `${type} is told as ${expected ? "expected" : "unexpected"}`
    const isFinal = !wanted && exit?.finishedAtMs != null && row.revision.spec.restart?.never_on?.includes(exit.code) === true
    if ((after.record?.finalExit === true) !== isFinal) return `its exit is ${isFinal ? "not " : ""}taken for final`
    if (because !== record?.stopping?.because) return `${type} is told because of ${because}`
    const isOom = exit?.oomKilled === true && exit.code === 137
    if ((type === "container_oom") !== isOom) return `${type} is told of a game that was ${isOom ? "" : "not "}killed for its memory`
    if ((details.oom_in_container === true) !== (exit?.oomKilled === true && !isOom)) return "the kill of a child is told wrongly"
    if (details.exit_code !== (exit?.code ?? 0) || (details.exit_code_lost === true) !== (exit?.finishedAtMs == null)) return `${type} is told with code ${details.exit_code}`
  }
  return undefined
}
