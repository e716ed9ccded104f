import { assert, describe, it } from "@effect/vitest"
import { isSettled, key, nextAny, nextWell } from "../../support/planGraph.ts"
import { pass, planWorld, step, takeAway, timing, type World } from "../../support/planModel.ts"
import { broken, isOut, mistold, trespass, untrue } from "../../support/planPromises.ts"
import { type Case, space } from "../../support/planSpace.ts"
import { reasons } from "../../../controllers/game/decide/reasons.ts"
import type { Row } from "../../../src/domain/Row.ts"

/** It runs beside the other tests, with what of the processors they leave. */
const longMs = 1_800_000
/** No path is longer than this when nothing goes wrong. */
const maximumSteps = 16

const describeCase = (one: Pick<Case, "row" | "record" | "actual" | "job" | "pull" | "claims">): string =>
  `row ${one.row} | record ${one.record} | actual ${one.actual} | ${one.job} | ${one.pull} | ${one.claims}`

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
    const fresh = { world: { ...world, told: [], log: [], results: [] }, from }
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

/** Where a world settles that somebody changed. */
const settledAfter = (world: World, change: Partial<World>) => settle({ ...world, told: [], log: [], results: [], ...change }).world

/** A settled world whose row somebody writes to. */
const afterWrite = (world: World, change: Partial<Row>) =>
  settledAfter(world, { pull: { _tag: "None" }, row: { ...world.row!, ...change, generation: world.row!.generation + 1, desiredHash: `${world.row!.desiredHash}+` } })

const settledNodes = [...nodes.values()].filter(({ world }) =>
  isSettled(world) && world.record?.status !== "removed" && !isOut(world) && world.containers.every(({ state }) => state !== "unresponsive"))
const worldsOf = (state: Row["state"]) => settledNodes.filter(({ world }) => world.row?.state === state && world.row.problem === null)

/** The first examples, by what they are examples of. */
const examples = (found: Iterable<readonly [problem: string | undefined, from: string]>): ReadonlyArray<string> => {
  const first = new Map<string, string>()
  for (const [problem, from] of found) if (problem !== undefined && !first.has(problem)) first.set(problem, from)
  return [...first].map(([problem, from]) => `${problem}: ${from}`)
}

describe("plan, over its whole state space", () => {
  it("settles from every state within a fixed number of steps, keeping every promise of the contract", () => {
    const problems = [...nodes.values()].map(({ world, from }) => {
      const end = settle(world)
      const problem = end.trace.length > maximumSteps ? "does not settle" : broken(end.world)
      return [problem, `${from}\n    ${problem && end.trace.join(" > ")}`] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("touches nothing that it must leave alone, answers no job with what is not so, and tells each end as what it was", () => {
    const problems = [...nodes.values()].flatMap(({ world, from }) => [
      [trespass(world), from] as const,
      ...(["ok", "refused"] as const).flatMap((luck) => {
        const after = step(world, luck)
        return [[untrue(world, after), from], [mistold(world, after), from]] as const
      })
    ])
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("restarts what runs in place when that is asked for: once, as expected, under the same id, and whatever its policy", () => {
    const problems = worldsOf("running").flatMap(({ world, from }) => {
      // An image that is always asked for may mean another one by now, and the container is made anew.
      if (world.row?.revision.spec.pull_policy === "always") return []
      if (world.record?.status !== "running" || world.record.lastErrorCode !== null || world.containers.some((one) => one.stopSignal === "SIGFOO")) return []
      const asked = { pull: { _tag: "None" as const }, row: { ...world.row!, restartRequestedAtMs: world.nowMs } }
      const { log, record, told } = settledAfter(world, asked)
      const ends = told.map(({ containerId, details, type }) => `${type} ${containerId === world.record?.currentContainerId} ${details.because ?? ""} ${details.expected ?? ""}`)
      const isRight = log.join() === "restart desired_state" && record?.restartCount === 0 &&
        ends.join() === "container_exited true restart true,container_started true  "
      return [[isRight ? undefined : `${log.join()} | ${ends.join()}`, from] as const]
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("tells of every container that somebody takes away from a settled game", () => {
    const problems = settledNodes.map(({ world, from }) => {
      const { currentContainerId: id = null, engineId } = world.record ?? {}
      const isToBeTold = id !== null && engineId === world.engineId
      const told = isToBeTold && step(takeAway(world, id), "ok").told.some(({ containerId, type }) => type === "container_disappeared" && containerId === id)
      return [isToBeTold && !told ? "not told" : undefined, from] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("takes a game for removed only when its row says so, or when it was taken away while it ran under never", () => {
    const problems = settledNodes.map(({ world, from }) => {
      const { currentContainerId: id = null, engineId, status } = world.record ?? {}
      if (id === null || engineId !== world.engineId || world.row === null) return [undefined, from] as const
      const over = step(takeAway(world, id), "ok").record?.status === "removed"
      const { restartPolicy, state } = world.row
      const isRight = over === (state === "removed" || (status === "running" && state === "running" && restartPolicy === "never"))
      return [isRight ? undefined : `${status} ${state} ${restartPolicy}: ${over ? "removed" : "kept"}`, from] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("logs the end of the retention, whatever went before", () => {
    const problems = settledNodes.map(({ world, from }) => {
      if (planWorld(world).reason !== "Retained") return [undefined, from] as const
      const { log } = settledAfter(world, { nowMs: world.record!.stoppedAtMs! + timing.retentionMs })
      return [log.includes("cleanup_container auto_ttl") ? undefined : `logs ${log.join()}`, from] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("logs the next start of a stopped game as a start, and nothing of what went before counts", () => {
    const problems = worldsOf("stopped").map(({ world, from }) => {
      const { log, record } = afterWrite(world, { state: "running" })
      return [log.join() === "start desired_state" && record?.restartCount === 0 ? undefined : `logs ${log.join()}`, from] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("runs a changed row, and counts no restart for it", () => {
    const problems = worldsOf("running").map(({ world, from }) => {
      const { record } = afterWrite(world, { revision: { ...world.row!.revision, specHash: "x:third" } })
      return [record?.status === "running" && record.restartCount === 0 ? undefined : `${record?.status} ${record?.restartCount}`, from] as const
    })
    assert.deepStrictEqual(examples(problems), [])
  }, longMs)

  it("stays settled: an hour later there is still nothing to do", () => {
    const moved = [...nodes.values()].filter(({ world }) =>
      isSettled(world) && planWorld(world).reason !== "Retained" &&
      planWorld(pass(world, 3_600_000, "well", false)).step._tag !== "Wait")
    assert.deepStrictEqual(moved.map(({ from }) => from).slice(0, 3), [])
  }, longMs)

  it("reaches every reason, and gives no reason that is not listed", () => {
    const reached = new Set([...nodes.values()].map(({ world }) => planWorld(world).reason))
    assert.deepStrictEqual([...reached].sort(), Object.keys(reasons).sort())
  }, longMs)
})
