/**
 * Faults for any service, decided call by call: slow, refused, answer lost after the call was carried out, carried out long
 * after the caller gave up, or the controller dies at that very call.
 *
 * A `Life` is one life of a controller's process: when it dies, nothing that it had under way reaches the world any more,
 * finalizers included, as with `kill -9`.
 */
import { Deferred, Effect, type Random, Stream } from "effect"
import { type ContainerEngine, EngineError } from "../../../src/engine/ContainerEngine.ts"
import type { GameReader } from "../../../src/store/GameReader.ts"
import type { GameWriter } from "../../../src/store/GameWriter.ts"
import type { Lease } from "../../../src/store/Lease.ts"
import { StoreError } from "../../../src/store/StoreError.ts"
import { type Streams, StreamsError } from "../../../src/streams/Streams.ts"
import { between } from "./Surroundings.ts"

export type Fault =
  /** Answers, later. */
  | { readonly _tag: "Slow"; readonly beforeMs: number; readonly afterMs: number }
  /** Never carried out. */
  | { readonly _tag: "Refused"; readonly afterMs: number; readonly reason: "Unavailable" | "Timeout" }
  /** Carried out; the answer is lost. */
  | { readonly _tag: "Lost"; readonly beforeMs: number; readonly afterMs: number; readonly reason: "Unavailable" | "Timeout" }
  /** The caller hears of a failure, and then it is carried out. */
  | { readonly _tag: "Late"; readonly afterMs: number; readonly lateMs: number; readonly reason: "Unavailable" | "Timeout" }
  /** The process dies. */
  | { readonly _tag: "Crash"; readonly when: "before" | "after" }

export interface Call {
  readonly service: "engine" | "store" | "streams" | "lease"
  readonly operation: string
  readonly mutates: boolean
  /** What it is about, for the trace. */
  readonly about: string
}

/** Decides what happens to a call; undefined: nothing. */
export type FaultPlan = (call: Call) => Fault | undefined

export interface Life {
  readonly plan: FaultPlan
  /** Completes when it dies. */
  readonly died: Deferred.Deferred<void>
  dead: boolean
  /** Services that cannot be reached from this process, though they are well. */
  readonly cutOff: Set<Call["service"]>
}

export const makeLife = (plan: FaultPlan): Life => ({ plan, died: Deferred.makeUnsafe(), dead: false, cutOff: new Set() })

/** Ends a life at once. */
export const kill = (life: Life): void => {
  life.dead = true
  Deferred.doneUnsafe(life.died, Effect.void)
}

export interface FaultRates {
  /** Each the part of calls, 0 to 1. */
  readonly slow: number
  readonly refused: number
  readonly lost: number
  readonly late: number
  readonly crash: number
  readonly maxDelayMs: number
}

export const randomFaults = (random: Random.Random, rates: FaultRates): FaultPlan => {
  const delay = () => between(random, 1, rates.maxDelayMs)
  const reason = () => random.nextDoubleUnsafe() < 0.7 ? "Unavailable" as const : "Timeout" as const
  return ({ mutates }) => {
    let dice = random.nextDoubleUnsafe()
    const hit = (rate: number) => (dice -= rate) < 0
    if (hit(rates.refused)) return { _tag: "Refused", afterMs: delay(), reason: reason() }
    if (hit(rates.slow)) return { _tag: "Slow", beforeMs: delay(), afterMs: delay() }
    if (!mutates) return undefined
    if (hit(rates.lost)) return { _tag: "Lost", beforeMs: delay(), afterMs: delay(), reason: reason() }
    if (hit(rates.late)) return { _tag: "Late", afterMs: delay(), lateMs: between(random, 1, 10 * rates.maxDelayMs), reason: reason() }
    return hit(rates.crash) ? { _tag: "Crash", when: random.nextDoubleUnsafe() < 0.5 ? "before" : "after" } : undefined
  }
}

/** `fault` at the `index`-th of the calls that `counts` counts, from 0 on; nothing at any other. */
export const faultAt = (index: number, counts: (call: Call) => boolean, fault: Fault): FaultPlan => {
  let seen = 0
  return (call) => counts(call) && seen++ === index ? fault : undefined
}

type Error<E> = (operation: string, reason: "Unavailable" | "Timeout") => E

const through = <E>(life: Life, service: Call["service"], error: Error<E>) =>
<A>(operation: string, mutates: boolean, about: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    if (life.dead) return Effect.interrupt
    if (life.cutOff.has(service)) return Effect.andThen(Effect.sleep(1), Effect.fail(error(operation, "Unavailable")))
    const fault = life.plan({ service, operation, mutates, about })
    const alive = Effect.suspend(() => life.dead ? Effect.interrupt : call)
    switch (fault?._tag) {
      case undefined:
        return alive
      case "Slow":
        return Effect.sleep(fault.beforeMs).pipe(Effect.andThen(alive), Effect.tap(Effect.sleep(fault.afterMs)))
      case "Refused":
        return Effect.andThen(Effect.sleep(fault.afterMs), Effect.fail(error(operation, fault.reason)))
      case "Lost":
        return Effect.sleep(fault.beforeMs).pipe(
          Effect.andThen(Effect.exit(alive)), Effect.andThen(Effect.sleep(fault.afterMs)), Effect.andThen(Effect.fail(error(operation, fault.reason)))
        )
      case "Late":
        return Effect.sleep(fault.afterMs + fault.lateMs).pipe(
          Effect.andThen(call), Effect.exit, Effect.forkDetach,
          Effect.andThen(Effect.sleep(fault.afterMs)), Effect.andThen(Effect.fail(error(operation, fault.reason)))
        )
      case "Crash":
        return Effect.andThen(fault.when === "before" ? Effect.void : Effect.exit(alive), die(life))
    }
  })

const die = (life: Life): Effect.Effect<never> =>
  Effect.suspend(() => {
    kill(life)
    return Effect.never
  })

/** Carries nothing to a process that is dead. */
const whileAlive = <A>(life: Life, stream: Stream.Stream<A>): Stream.Stream<A> => Stream.filter(stream, () => !life.dead)

export const faultyEngine = (life: Life, engine: ContainerEngine["Service"]): ContainerEngine["Service"] => {
  const on = through(life, "engine", (operation, reason) => new EngineError({ operation, reason, message: "injected" }))
  return {
    identity: on("identity", false, "", engine.identity),
    known: engine.known,
    list: (gameId) => on("list", false, gameId ?? "all", engine.list(gameId)),
    inspect: (id) => on("inspect", false, id.slice(0, 12), engine.inspect(id)),
    create: (template) => on("create", true, template.gameId, engine.create(template)),
    start: (id, onStarted) => on("start", true, id.slice(0, 12), engine.start(id, onStarted)),
    kill: (id, signal) => on("kill", true, `${id.slice(0, 12)} ${signal}`, engine.kill(id, signal)),
    disarm: (id) => on("update", true, id.slice(0, 12), engine.disarm(id)),
    unpause: (id) => on("unpause", true, id.slice(0, 12), engine.unpause(id)),
    remove: (id) => on("remove", true, id.slice(0, 12), engine.remove(id)),
    hasImage: (imageRef) => on("hasImage", false, imageRef, engine.hasImage(imageRef)),
    pull: (imageRef, login) => on("pull", false, imageRef, engine.pull(imageRef, login)),
    events: whileAlive(life, engine.events)
  }
}

const storeFaults = (life: Life) => through(life, "store", (operation, reason) => new StoreError({ operation, reason, message: "injected" }))

export const faultyReader = (life: Life, reader: GameReader["Service"]): GameReader["Service"] => {
  const on = storeFaults(life)
  return {
    load: (gameId) => on("load", false, gameId, reader.load(gameId)),
    survey: (part, after) => on("survey", false, "", reader.survey(part, after)),
    changes: whileAlive(life, reader.changes),
    changesSince: (cursor, limit) => on("changesSince", false, cursor, reader.changesSince(cursor, limit)),
    ping: on("ping", false, "", reader.ping)
  }
}

export const faultyWriter = (life: Life, writer: GameWriter["Service"]): GameWriter["Service"] => {
  const on = storeFaults(life)
  return {
    commit: (commit) => on("commit", true, commit.gameId, writer.commit(commit)),
    takeJobs: (jobs, again) => on("takeJobs", true, jobs.map(({ entryId }) => entryId).join(" "), writer.takeJobs(jobs, again)),
    claimPorts: (claim) => on("claimPorts", true, claim.gameId, writer.claimPorts(claim)),
    settle: (games) => on("settle", true, games.map(({ gameId }) => gameId).join(" "), writer.settle(games)),
    noteHistory: writer.noteHistory,
    sameHistory: writer.sameHistory,
    unsent: (limit, options) => on("unsent", true, options?.sent?.join(" ") ?? "", writer.unsent(limit, options)),
    markSent: (ids) => on("markSent", true, ids.join(" "), writer.markSent(ids)),
    outboxSignal: writer.outboxSignal
  }
}

export const faultyStreams = (life: Life, streams: Streams["Service"]): Streams["Service"] => {
  const on = through(life, "streams", (operation, reason) => new StreamsError({ operation, reason, message: "injected" }))
  return {
    read: (count) => on("read", true, "", streams.read(count)),
    rewind: streams.rewind,
    reclaim: (minIdleMs, count) => on("reclaim", true, "", streams.reclaim(minIdleMs, count)),
    recent: (sinceMs, count, after) => on("recent", false, "", streams.recent(sinceMs, count, after)),
    acknowledge: (entries) => on("acknowledge", true, entries.map(({ entryId }) => entryId).join(" "), streams.acknowledge(entries)),
    // One by one: a connection that breaks leaves the first few behind.
    append: (messages) =>
      Effect.forEach(messages, (message) => on("append", true, String(message.id), streams.append([message])), { discard: true }),
    ping: on("ping", false, "", streams.ping),
    generation: streams.generation,
    state: streams.state
  }
}

export const faultyLease = (life: Life, lease: Lease["Service"]): Lease["Service"] => {
  const on = through(life, "lease", (operation, reason) => new StoreError({ operation, reason, message: "injected" }))
  return {
    acquire: (holder, ttlMs) => on("acquire", true, holder, lease.acquire(holder, ttlMs)),
    renew: (holder, epoch, ttlMs) => on("renew", true, holder, lease.renew(holder, epoch, ttlMs)),
    release: (holder, epoch) => on("release", true, holder, lease.release(holder, epoch))
  }
}
