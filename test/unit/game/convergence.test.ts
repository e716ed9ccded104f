import { assert, describe, it } from "@effect/vitest"
import { isSettled, key, nextAny, nextWell } from "../../support/planGraph.ts"
import { pass, planWorld, type World } from "../../support/planModel.ts"
import { type Case, space } from "../../support/planSpace.ts"
import { reasons } from "../../../controllers/game/reasons.ts"

/** No path is longer than this when nothing goes wrong. */
const maximumSteps = 16

const describeCase = (one: Pick<Case, "row" | "record" | "actual" | "job" | "pull">): string =>
  `row ${one.row} | record ${one.record} | actual ${one.actual} | ${one.job} | ${one.pull}`

interface Node {
  readonly world: World
  readonly from: string
}

/** Every world of the space and every world reached from it, whatever goes wrong on the way. */
const explore = (): Map<string, Node> => {
  const nodes = new Map<string, Node>()
  const open: Array<Node> = []
  const add = (world: World, from: string) => {
    const id = key(world)
    if (nodes.has(id)) return
    const fresh = { world: { ...world, told: [], results: [] }, from }
    nodes.set(id, fresh)
    open.push(fresh)
  }
  for (const one of space()) add(one.world, describeCase(one))
  for (let node = open.pop(); node; node = open.pop()) {
    for (const next of nextAny(node.world)) add(next, node.from)
  }
  return nodes
}

const nodes = explore()

const settle = (world: World): { readonly world: World; readonly trace: ReadonlyArray<string> } => {
  const trace: Array<string> = []
  let current = world
  while (!isSettled(current)) {
    const { reason, step } = planWorld(current)
    trace.push(`${reason}:${step._tag === "Act" ? step.action._tag : step._tag}`)
    if (trace.length > maximumSteps) break
    current = nextWell(current)
  }
  return { world: current, trace }
}

const runs = (world: World) => world.containers.filter(({ state }) => state === "running" || state === "paused")

/** What the contract promises of a settled game; undefined when all of it holds. */
const broken = (world: World): string | undefined => {
  const { row, record, jobs } = world
  const containers = world.containers.filter(({ state }) => state !== "removing")
  const { reason } = planWorld(world)
  if (reason === "ContainerUnresponsive" || reason === "EngineChanged") return undefined
  if (jobs.length > 0) return "a job has no answer"
  if (row === null) {
    return record === null && containers.some(({ state, imageRef }) => state !== "dead" && imageRef.includes(":")) ? "not adopted" : undefined
  }
  if (record?.status === "removed" && row.state !== "removed") return undefined
  if (containers.filter(({ ours }) => ours).length > 1) return "two containers of ours"
  if (record === null) return "nothing is recorded"
  const main = containers.find(({ id }) => id === record.currentContainerId)
  if (record.currentContainerId !== null && main === undefined) return "the record names a container that is gone"
  if (record.status === "running" && (main === undefined || !runs(world).includes(main))) return "recorded as running, but nothing runs"
  if (record.status !== "running" && main !== undefined && runs(world).includes(main)) return "it runs, but is not recorded as running"
  if (row.state === "removed") {
    return record.status !== "removed" ? "not recorded as removed" : containers.some(({ ours }) => ours) ? "a container is left" : undefined
  }
  if (row.state === "stopped") return record.status === "running" ? "runs though the row says stopped" : undefined
  if (!row.valid) return record.lastErrorCode === "start_config_invalid" ? undefined : "an invalid spec is not told"
  if (record.observedGeneration !== row.generation) return "the row's generation was not carried out"
  if (row.policy === "always" && record.status !== "running") return "policy always, but it does not run"
  if (record.status === "running" && record.lastErrorCode === null && record.specHash !== row.hash) return "runs something else than the row says"
  return undefined
}

describe("plan, over its whole state space", () => {
  it("settles from every state within a fixed number of steps, keeping every promise of the contract", () => {
    const failures = new Map<string, string>()
    for (const { world, from } of nodes.values()) {
      const end = settle(world)
      const problem = end.trace.length > maximumSteps ? "does not settle" : broken(end.world)
      if (problem && !failures.has(problem)) failures.set(problem, `${from}\n    ${end.trace.join(" > ")}`)
    }
    assert.deepStrictEqual([...failures].map(([problem, example]) => `${problem}: ${example}`), [])
  }, 300_000)

  it("stays settled: an hour later there is still nothing to do", () => {
    const moved = [...nodes.values()].filter(({ world }) =>
      isSettled(world) && planWorld(world).reason !== "Retained" &&
      planWorld(pass(world, 3_600_000, "well", false)).step._tag !== "Wait")
    assert.deepStrictEqual(moved.map(({ from }) => from).slice(0, 3), [])
  }, 60_000)

  it("reaches every reason, and gives no reason that is not listed", () => {
    const reached = new Set([...nodes.values()].map(({ world }) => planWorld(world).reason))
    assert.deepStrictEqual([...reached].sort(), Object.keys(reasons).sort())
  })
})
