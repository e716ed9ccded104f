/** Composition root: reads the settings, migrates, waits for the lease, acts. With `migrate` it only migrates. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Clock, Effect, Exit, Layer, Ref, Result, Runtime, type Scope, SubscriptionRef } from "effect"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { type Acting, startActing } from "../controllers/game/acting.ts"
import { type ClockSteps, makeClockSteps } from "../controllers/game/observe/ClockSteps.ts"
import { watchRivals } from "../controllers/game/rivals.ts"
import { type Checks, type Config, readConfig, readSettings } from "./config.ts"
import { lead } from "./controller/Leader.ts"
import { type LeaderState, roleOf } from "./controller/role.ts"
import { monotonicMs } from "./clock/monotonic.ts"
import { defaultBackoff } from "./domain/Timing.ts"
import { notLeader, type Permission } from "./engine/Permission.ts"
import { layer as dockerLayer, makeDockerEngine } from "./engine/docker/DockerEngine.ts"
import { admissionOf, databaseOf, engineOptions, portSettings, redisOptions } from "./options.ts"
import { type Check, makeReadiness } from "./http/Readiness.ts"
import { layer as httpLayer } from "./http/server.ts"
import { type Installation, installationCheck, type InstallationWord, whileSettled } from "./installation.ts"
import { CurrentTerm, type Term } from "./store/Lease.ts"
import { migrateOnce } from "./store/migrateCommand.ts"
import { acquireDatabase, addressProblem, searchedSchemas } from "./store/postgres/client.ts"
import { haltInstance, settleInstance } from "./store/postgres/instance.ts"
import { layer as leaseLayer } from "./store/postgres/PostgresLease.ts"
import { layer as storeLayer } from "./store/postgres/PostgresStore.ts"
import { jobsWord, messagesWord, type Now } from "./streams/flow.ts"
import { layer as redisLayer, makeRedisStreams } from "./streams/redis/RedisStreams.ts"
import { addressProblem as redisAddressProblem } from "./streams/redis/client.ts"
import { layer as loggingLayer } from "./telemetry/logging.ts"
import { schemaCheck, upgraded } from "./upgrading.ts"

/** A change is not begun with less than this left on the lease. */
const leaseMarginMs = 500
/** Running reconciles are given this long when the process is told to stop. */
const drainMs = 700

const permissionOf = ({ lost, remainingMs }: Term): Permission => ({
  lost,
  guard: Effect.flatMap(remainingMs, (leftMs) => leftMs > leaseMarginMs ? Effect.void : Effect.fail(notLeader("change")))
})

/** What this controller does while it holds the lease. */
const act = (
  config: Config, { confirm, id: instance, onRival }: Installation, running: Ref.Ref<Acting | undefined>, clockSteps: ClockSteps["Service"]
) => (term: Term) => {
  const acting = Effect.gen(function*() {
    yield* confirm
    const controller = yield* startActing({
      instance,
      workers: config.workers,
      resyncMs: config.reconcileIntervalMs,
      pullPolicy: config.pullPolicy,
      admission: admissionOf(config),
      ports: portSettings(config),
      timing: { stopGraceMs: config.stopGraceMs, retentionMs: config.retentionMs, backoff: defaultBackoff },
      drainMs,
      clockSteps,
      jobMaxAgeMs: config.jobMaxAgeMs,
      onList: watchRivals(instance, term, (what) => onRival(term.epoch, what))
    })
    yield* Effect.acquireRelease(Ref.set(running, controller), () => Ref.set(running, undefined))
    return yield* Effect.never
  })
  return Effect.scoped(acting).pipe(Effect.provide(
    dockerLayer({ ...engineOptions(config), instance, epoch: term.epoch, permission: permissionOf(term) }).pipe(
      Layer.provideMerge(storeLayer(databaseOf(config))),
      Layer.provideMerge(redisLayer(redisOptions(config))),
      Layer.provide(Layer.succeed(CurrentTerm, term))
    ),
    { local: true }
  ))
}

/** The parts that readiness needs, asked over connections of their own. */
const readinessChecks = Effect.fnUntraced(function*(
  config: Config,
  schema: Ref.Ref<string>,
  installation: Ref.Ref<InstallationWord>,
  state: SubscriptionRef.SubscriptionRef<LeaderState>,
  running: Ref.Ref<Acting | undefined>
): Effect.fn.Return<ReadonlyArray<Check>, never, Scope.Scope> {
  const engine = yield* makeDockerEngine(engineOptions(config))
  const { directUrl, pooled, url } = databaseOf(config)
  const database = yield* acquireDatabase(url, { max: 1, name: "readiness", deadlineMs: 2000, pooled })
  const direct = pooled ? yield* acquireDatabase(directUrl, { max: 1, name: "readiness", deadlineMs: 2000 }) : database
  const streams = yield* makeRedisStreams(redisOptions(config))
  const startedMs = yield* monotonicMs
  const resync = Effect.gen(function*() {
    const controller = yield* Ref.get(running)
    if (controller === undefined) return "standby"
    const nowMs = yield* monotonicMs
    const lastMs = yield* controller.lastResyncMs
    const ageMs = nowMs - Math.max(lastMs, startedMs)
    if (lastMs === 0 || ageMs > 3 * config.reconcileIntervalMs + 5000) {
      return yield* Effect.fail({ message: lastMs === 0 ? "none has ended well yet" : `the last one ended ${Math.round(ageMs / 1000)} s ago` })
    }
    return `${Math.round(ageMs / 1000)} s ago`
  })
  /** As the acting controller's own loops tell; one that stands by takes and sends nothing. */
  const flow = <A>(state: (acting: Acting) => Effect.Effect<A>, word: (state: A, now: Now) => Result.Result<string, { readonly message: string }>) =>
    Effect.gen(function*() {
      const acting = yield* Ref.get(running)
      if (acting === undefined) return "standby"
      const now = { monotonicMs: yield* monotonicMs, wallMs: yield* Clock.currentTimeMillis }
      return yield* Effect.fromResult(word(yield* state(acting), now))
    })
  const changes = Effect.flatMap(Ref.get(running), (controller) => {
    const refusal = controller?.refusal()
    return refusal === undefined ? Effect.succeed(controller === undefined ? "standby" : "accepted") : Effect.fail({ message: refusal })
  })
  return [
    { name: "engine", check: Effect.map(engine.identity, ({ apiVersion, version }) => `Docker ${version}, API ${apiVersion}`) },
    { name: "engine_changes", check: changes },
    { name: "postgres", check: Effect.as(Effect.all([database.ping, direct.ping], { concurrency: 2 }), "reached") },
    { name: "schema", check: Effect.flatMap(Ref.get(schema), schemaCheck) },
    { name: "instance", check: Effect.flatMap(Ref.get(installation), installationCheck) },
    { name: "redis", check: Effect.as(streams.ping, "reached") },
    { name: "role", check: role(state) },
    { name: "resync", check: resync },
    { name: "jobs", check: flow(({ jobs }) => jobs, jobsWord) },
    { name: "messages", check: flow(({ messages }) => messages, messagesWord) }
  ]
})

const role = Effect.fnUntraced(function*(state: SubscriptionRef.SubscriptionRef<LeaderState>) {
  const { message, ok } = roleOf(yield* SubscriptionRef.get(state), yield* monotonicMs)
  return ok ? message : yield* Effect.fail({ message })
})

/** Behind a pooler the search path is the role's own setting. */
const warnOfSearchPath = Effect.fnUntraced(function*(config: Config) {
  const { pooled, url } = databaseOf(config)
  if (!pooled) return
  const schemas = yield* searchedSchemas(yield* acquireDatabase(url, { max: 1, name: "search path", deadlineMs: 5000, pooled }))
  if (schemas.length > 0) yield* Effect.logWarning("functions of others may be called in this role's name: ALTER ROLE ... SET search_path = pg_catalog, pg_temp", { schemas })
}, Effect.scoped, Effect.catch((error) => Effect.logWarning("the search path of DATABASE_URL cannot be looked at", error)))

/** What is wrong was said. */
const endedBadly = Effect.sync(() => process.exit(1))

const program = (config: Config) =>
  Effect.gen(function*() {
    const state = yield* SubscriptionRef.make<LeaderState>({ role: "standby", epoch: 0 })
    const running = yield* Ref.make<Acting | undefined>(undefined)
    const schema = yield* Ref.make("not migrated yet")
    const installation = yield* Ref.make<InstallationWord>({ id: undefined, why: "not known yet" })
    const readiness = makeReadiness(yield* readinessChecks(config, schema, installation, state, running))
    yield* Layer.build(httpLayer({ ...config.http, readiness }))
    yield* Effect.logInfo("listening", { http: `${config.http.host}:${config.http.port}` })
    const { directUrl, directVariable } = databaseOf(config)
    yield* upgraded({ directUrl, directVariable, schema }).pipe(Effect.catch(() => endedBadly))
    yield* warnOfSearchPath(config)
    const database = yield* acquireDatabase(directUrl, { max: 1, name: "instance", deadlineMs: 5000 })
    const holder = `${hostname()}-${process.pid}-${randomUUID()}`
    const clockSteps = makeClockSteps()
    yield* whileSettled({
      asked: config.instance,
      word: installation,
      settle: (asked) => settleInstance(database, asked),
      halt: (epoch, why) => haltInstance(database, epoch, why)
    }, (settled) => lead({ holder, ttlMs: config.leaseMs, state, act: act(config, settled, running, clockSteps) }).pipe(
      Effect.provide(leaseLayer(directUrl))
    ))
  }).pipe(Effect.scoped)

/** An interruption by a signal is an orderly end. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)

const addressChecks: Checks = { databaseUrl: addressProblem, databaseDirectUrl: addressProblem, redisUrl: redisAddressProblem }

/** The settings, or an end that says what is wrong with them. */
const orEnd = <A>(config: Result.Result<A, ReadonlyArray<string>>): A => {
  if (Result.isSuccess(config)) return config.success
  for (const problem of config.failure) console.error(problem)
  return process.exit(1)
}

const runMigrate = async (): Promise<never> => {
  const { directUrl, directVariable } = databaseOf(orEnd(readSettings(process.env, ["databaseUrl", "databaseDirectUrl"], addressChecks)))
  const { line, ok } = await migrateOnce(directUrl, directVariable)
  console[ok ? "log" : "error"](line)
  return process.exit(ok ? 0 : 1)
}

const runController = (): void => {
  const config = orEnd(readConfig(process.env, addressChecks))
  const logging = loggingLayer({ format: config.logFormat ?? (process.stdout.isTTY ? "pretty" : "json"), level: config.logLevel })
  program(config).pipe(Effect.provide(logging), NodeRuntime.runMain({ teardown, disableErrorReporting: false }))
}

const [command] = process.argv.slice(2)
if (command === undefined) runController()
else if (command === "migrate") await runMigrate()
else {
  console.error(`there is no command ${command}: none runs the controller, "migrate" brings the database up to date`)
  process.exit(1)
}
