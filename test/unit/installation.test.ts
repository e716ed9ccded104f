/** What becomes of a process while it is in doubt which installation it acts for. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { TestClock } from "effect/testing"
import { type Installation, type InstallationWord, installationCheck, whileSettled } from "../../src/installation.ts"
import type { Kept, Standing } from "../../src/store/Instance.ts"
import { StoreError } from "../../src/store/StoreError.ts"

const kept: Kept = { id: "prod", systemIdentifier: "71", databaseOid: "1", timeline: 1, halted: null }
const acts = (id = "prod", isPromoted = false): Standing => ({ _tag: "Acts", kept: { ...kept, id }, isPromoted, isToldApart: true })
const halted = (why: string): Standing => ({ _tag: "Halted", why })
const away = new StoreError({ operation: "instance", reason: "Unavailable", message: "the database is away" })

/** A database whose standing the test sets, and a process that acts on it, term after term. */
const process = Effect.fnUntraced(function*(first: Standing | StoreError, asked?: string) {
  const word = yield* Ref.make<InstallationWord>({ id: undefined, why: "not known yet" })
  const seen = { standing: first, asked: [] as Array<string | undefined>, halts: [] as Array<string>, begun: [] as Array<string>, acting: 0 }
  let installation: Installation | undefined
  /** One term, until the process is in doubt. */
  const act = (found: Installation) => Effect.scoped(Effect.gen(function*() {
    installation = found
    yield* found.confirm
    yield* Effect.acquireRelease(Effect.sync(() => void seen.acting++), () => Effect.sync(() => void seen.acting--))
    seen.begun.push(found.id)
    return yield* Effect.never
  }))
  yield* Effect.forkChild(whileSettled({
    asked,
    word,
    settle: (said) => Effect.suspend(() => {
      seen.asked.push(said)
      return seen.standing instanceof StoreError ? Effect.fail(seen.standing) : Effect.succeed(seen.standing)
    }),
    halt: (epoch, why) => Effect.sync(() => {
      seen.halts.push(`${epoch}: ${why}`)
      seen.standing = halted(why)
    })
  }, act))
  yield* TestClock.adjust("1 millis")
  const readiness = Effect.flatMap(Ref.get(word), (now) => Effect.match(installationCheck(now), { onFailure: ({ message }) => `not ready: ${message}`, onSuccess: (text) => text }))
  return { seen, readiness, onRival: (what: string) => Effect.suspend(() => installation!.onRival(5, what)) }
})

describe("a process", () => {
  it.effect("acts for the installation of its database", () => Effect.gen(function*() {
    const { readiness, seen } = yield* process(acts())
    assert.deepStrictEqual(seen.begun, ["prod"])
    assert.strictEqual(yield* readiness, "prod")
  }))

  it.effect("acts on nothing with a copy and says why, until somebody says which it is", () => Effect.gen(function*() {
    const { readiness, seen } = yield* process(halted("a copy"))
    yield* TestClock.adjust("1 hour")
    assert.deepStrictEqual(seen.begun, [])
    assert.strictEqual(yield* readiness, "not ready: a copy")
    seen.standing = acts("staging")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(seen.begun, ["staging"])
    assert.strictEqual(yield* readiness, "staging")
  }))

  it.effect("waits for a database that is away", () => Effect.gen(function*() {
    const { readiness, seen } = yield* process(away)
    assert.strictEqual(yield* readiness, "not ready: the database is away")
    seen.standing = acts()
    yield* TestClock.adjust("1 second")
    assert.strictEqual(seen.acting, 1)
  }))

  it.effect("takes what it was started with for a word about what there was then, and about nothing later", () => Effect.gen(function*() {
    const { onRival, seen } = yield* process(acts("prod", true), "prod")
    yield* onRival("container c")
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(seen.asked[0], "prod")
    assert.deepStrictEqual([...new Set(seen.asked.slice(1))], [undefined])
    assert.strictEqual(seen.acting, 0)
  }))

  it.effect("ends its term when the database is another installation's by now, and acts for that one", () => Effect.gen(function*() {
    const { onRival, readiness, seen } = yield* process(acts())
    seen.standing = acts("blue")
    yield* onRival("container c")
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(seen.begun, ["prod", "blue"])
    assert.deepStrictEqual(seen.halts, [])
    assert.strictEqual(yield* readiness, "blue")
  }))

  it.effect("beside a rival acts on where its database is the one that it was, and says so", () => Effect.gen(function*() {
    const { onRival, readiness, seen } = yield* process(acts())
    yield* onRival("container c")
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(seen.acting, 1)
    assert.deepStrictEqual(seen.halts, [])
    assert.strictEqual(yield* readiness, "prod; a controller acts with a copy of this database: container c")
  }))

  it.effect("beside a rival acts on nothing where its database is a replica that was promoted, and keeps why", () => Effect.gen(function*() {
    const { onRival, readiness, seen } = yield* process(acts("prod", true))
    assert.strictEqual(seen.acting, 1)
    yield* onRival("container c")
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(seen.acting, 0)
    assert.match(seen.halts.join(), /^5: another controller of this installation is alive: container c; say which it is/)
    assert.match(yield* readiness, /^not ready: another controller/)
    seen.standing = acts()
    yield* TestClock.adjust("1 second")
    assert.strictEqual(seen.acting, 1)
  }))
})
