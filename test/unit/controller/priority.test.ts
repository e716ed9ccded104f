import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { classes, Priority } from "../../../src/controller/Priority.ts"
import { type Free, makeWorkQueue, type WorkQueue } from "../../../src/controller/WorkQueue.ts"
import { dice } from "../../support/dice.ts"

const { Begun, Event, Wish, Resync } = Priority
const priorities = Object.values(Priority)
const names = Object.keys(Priority)

const take = (queue: WorkQueue<string>) => Effect.map(queue.get, (taken) => taken?.key)
/** Takes a key that there is room for, if one waits. */
const takeFor = Effect.fnUntraced(function*<K>(queue: WorkQueue<K>, free: Free) {
  const fiber = yield* Effect.forkChild(queue.getFor({ free: () => free, take: (taken) => taken }), { startImmediately: true })
  const taken = fiber.pollUnsafe()
  if (taken === undefined) yield* Fiber.interrupt(fiber)
  return taken === undefined ? undefined : yield* taken
})

/** The classes of the keys handed out over so many turns, while a new key of each of `fresh` comes before every turn. */
const turnsOf = Effect.fnUntraced(function*(turns: number, fresh: ReadonlyArray<Priority>, crowds: ReadonlyArray<Priority>) {
  const queue = yield* makeWorkQueue<string>({ name: "t" })
  for (const priority of crowds) for (let index = 0; index < 200; index++) yield* queue.add(`old ${priority} ${index}`, { priority })
  const seen: Array<string> = []
  for (let turn = 0; turn < turns; turn++) {
    for (const priority of fresh) yield* queue.add(`new ${priority} ${turn}`, { priority })
    seen.push(names[(yield* queue.get)!.priority]!)
  }
  return seen.join(" ")
})

describe("the order of keys", () => {
  it("gives no class more turns than there are, and time enough to serve every other first", () => {
    assert.isAtMost(classes.reduce((sum, { every }) => sum + 1 / every, 0), 1)
    for (const { every } of classes) assert.isAtLeast(every, classes.length)
  })

  it.effect("is by class: begun, event, wish, resync; a key that is added again is raised, never lowered", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.add("resync", { priority: Resync })
    yield* queue.add("wish", { priority: Wish })
    yield* queue.add("raised", { priority: Resync })
    yield* queue.add("event", { priority: Event })
    yield* queue.add("begun", { priority: Begun })
    yield* queue.add("raised", { priority: Event })
    yield* queue.add("begun", { priority: Resync })
    const order = yield* Effect.all(Array.from({ length: 5 }, () => take(queue)))
    assert.deepStrictEqual(order, ["begun", "event", "raised", "wish", "resync"])
    assert.strictEqual(yield* queue.length, 0)
  }))

  const floods: ReadonlyArray<{ fresh: ReadonlyArray<Priority>; crowds: ReadonlyArray<Priority>; turns: string; because: string }> = [
    { fresh: [Event], crowds: [Wish], turns: "Event Event Event Wish Event Event Event Wish", because: "wishes older than events get every fourth turn" },
    { fresh: [Wish], crowds: [Event], turns: "Event Event Event Wish Event Event Event Wish", because: "and so do wishes younger than events" },
    { fresh: [Begun], crowds: [Event], turns: "Begun Begun Begun Event Begun Begun Begun Event", because: "an event is told however much was begun" },
    { fresh: [Begun], crowds: [Event, Wish], turns: "Begun Begun Event Wish Begun Begun Event Wish", because: "two classes whose time comes at once are both in time" },
    { fresh: [Wish], crowds: [], turns: "Wish Wish Wish Wish", because: "who is alone has every turn" },
    { fresh: [Event], crowds: [Resync], turns: `${"Event ".repeat(15)}Resync ${"Event ".repeat(15)}Resync`, because: "the resync gets every sixteenth" }
  ]
  it.effect.each(floods)("$because", Effect.fn(function*({ fresh, crowds, turns }) {
    assert.strictEqual(yield* turnsOf(turns.split(" ").length, fresh, crowds), turns)
  }))

  it.effect("keeps the place of a slow key that becomes quick, and lets it pass the slow ones where there is room for quick keys alone", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    for (const key of ["a", "b", "c"]) yield* queue.add(key, { priority: Wish })
    for (const key of ["a", "c"]) yield* queue.add(key, { priority: Wish, slow: false })
    assert.strictEqual((yield* takeFor(queue, "Any"))?.key, "a")
    const quick = yield* takeFor(queue, "Quick")
    assert.deepStrictEqual([quick?.key, quick?.priority, quick?.slow], ["c", Wish, false])
    assert.isUndefined(yield* takeFor(queue, "Quick"))
    yield* queue.add("b", { priority: Wish })
    assert.isUndefined(yield* takeFor(queue, "Quick"))
    const slow = yield* takeFor(queue, "Any")
    assert.deepStrictEqual([slow?.key, slow?.slow], ["b", true])
  }))

  it.effect("is as it was for a key that waits for a slow place when the resync comes by, but any news is looked at", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    for (const key of ["a", "b"]) yield* queue.add(key, { priority: Wish })
    for (const key of ["a", "b"]) yield* queue.add(key, { priority: Resync })
    assert.isUndefined(yield* takeFor(queue, "Quick"))
    yield* queue.add("b", { priority: Event })
    assert.strictEqual((yield* takeFor(queue, "Quick"))?.key, "b")
    assert.strictEqual((yield* takeFor(queue, "Any"))?.key, "a")
  }))

  it.effect("has a key quick when a quick add and a slow add come while the key is worked on, in either order", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    for (const [first, second] of [[true, false], [false, true]] as const) {
      yield* queue.add("a")
      yield* queue.get
      yield* queue.add("a", { slow: first })
      yield* queue.add("a", { slow: second })
      yield* queue.done("a")
      assert.isFalse((yield* queue.get)!.slow)
      yield* queue.done("a")
    }
  }))

  it.effect("hands a key to a taker that waited without room for it, once its room has grown or the key has become quick", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    let free: Free = "Quick"
    const waits = Effect.forkChild(queue.getFor({ free: () => free, take: ({ key }) => key }), { startImmediately: true })
    const first = yield* waits
    yield* queue.add("a", { slow: true })
    yield* queue.roomGrown
    assert.isUndefined(first.pollUnsafe())
    free = "Any"
    yield* queue.roomGrown
    assert.strictEqual(yield* Fiber.join(first), "a")
    free = "Quick"
    const second = yield* waits
    yield* queue.add("b", { slow: true })
    yield* queue.add("b", { slow: false })
    assert.strictEqual(yield* Fiber.join(second), "b")
    free = "None"
    const third = yield* waits
    yield* queue.add("c")
    assert.isUndefined(third.pollUnsafe())
    yield* queue.shutDown
    assert.isUndefined(third.pollUnsafe())
    assert.strictEqual(yield* take(queue), "c")
    yield* queue.done("c")
    assert.isUndefined(yield* Fiber.join(third))
  }))

  it.effect("a key delayed twice comes at the earlier time with the higher class", Effect.fn(function*() {
    const queue = yield* makeWorkQueue<string>({ name: "t" })
    yield* queue.addAfter("a", 300, { priority: Event, trigger: "timer" })
    yield* queue.addAfter("a", 2000, { priority: Resync, trigger: "resync" })
    yield* queue.addAfter("b", 300, { priority: Resync, trigger: "resync" })
    yield* queue.addAfter("b", 200, { priority: Wish, trigger: "row" })
    yield* TestClock.adjust(300)
    const seen = [yield* queue.get, yield* queue.get].map((taken) => [taken!.key, taken!.priority, taken!.slow, taken!.trigger])
    assert.deepStrictEqual(seen, [["a", Event, false, "timer"], ["b", Wish, false, "row"]])
  }))

  /**
   * The model: where each waiting key stands, in its class and among the keys of each kind in it, and how many turns of either kind
   * it has seen since. A key at position p must be taken within p times `every` turns.
   */
  interface Standing { readonly priority: Priority; readonly slow: boolean; readonly turns: Record<Kind, number> }
  type Kind = Exclude<Free, "None">
  const isOf: Readonly<Record<Kind, (each: Pick<Standing, "priority" | "slow">) => boolean>> = {
    Any: () => true, Quick: ({ slow }) => !slow, Urgent: ({ priority, slow }) => !slow || priority === Begun || priority === Event
  }
  it.effect.each(Array.from({ length: 100 }, (_, seed) => seed))("starves no class, whatever comes when (seed %d)", Effect.fn(function*(seed) {
    const roll = dice(seed)
    const queue = yield* makeWorkQueue<number>({ name: "t" })
    const waiting = new Map<number, Standing>()
    let added = 0
    const add = (priority: Priority) => {
      const slow = roll(2) === 0
      const before = [...waiting.values()].filter((each) => each.priority === priority)
      const { every } = classes[priority]
      const turns = (kind: Kind) => (before.filter(isOf[kind]).length + 1) * every
      waiting.set(++added, { priority, slow, turns: { Any: turns("Any"), Urgent: turns("Urgent"), Quick: turns("Quick") } })
      return queue.add(added, { priority, slow })
    }
    // Some begin with a crowd, and each has another mixture of what comes and of what there is room for.
    const crowd = roll(4) * 20
    const likely = priorities.flatMap((priority) => Array.from({ length: roll(5) }, () => priority))
    const quickOf = 1 + roll(4)
    for (let index = 0; index < crowd; index++) yield* add(priorities[roll(4)]!)
    for (let turn = 0; turn < 400; turn++) {
      for (let count = roll(3); count > 0 && likely.length > 0; count--) yield* add(likely[roll(likely.length)]!)
      const free = roll(quickOf + 1) === 0 ? "Any" : roll(2) === 0 ? "Urgent" : "Quick"
      const candidates = [...waiting].filter(([, each]) => isOf[free](each))
      const taken = yield* takeFor(queue, free)
      if (candidates.length === 0) {
        assert.isUndefined(taken)
        continue
      }
      const { key, priority } = taken!
      assert.strictEqual(key, candidates.find(([, each]) => each.priority === priority)?.[0], "not the first of its class")
      waiting.delete(key)
      yield* queue.done(key)
      for (const [left, standing] of waiting) {
        if (!isOf[free](standing)) continue
        assert.isAtLeast(--standing.turns[free], 1, `${left} of class ${names[standing.priority]} was to be taken by now`)
      }
    }
    while (waiting.size > 0) assert.isTrue(waiting.delete((yield* queue.get)!.key))
    assert.strictEqual(yield* queue.length, 0)
  }))
})
