/**
 * Faults planted one at a time by `npm run mutants`: each must make the test that is named beside it fail. One that
 * survives says that a promise is kept by nobody; one whose text is not found, that the code moved on and the mutant did not.
 */
export interface Mutant {
  /** The fault, as one would report it. */
  readonly name: string
  readonly file: string
  /** Occurs once in `file`. */
  readonly from: string
  readonly to: string
  readonly caughtBy: {
    readonly project: "unit" | "simulation"
    readonly file: string
    /** The test's name or a part of it, as it is written in `file`; of a name that a table fills in, vitest shows the first 40 characters. */
    readonly test: string
  }
}

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "another installation's container is taken for one of this one",
    file: "controllers/game/observe/assess.ts",
    from: "const own = found.filter((container) => !isAnothers(container, facts.instance))",
    to: "const own = found",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "ends nothing of another installation" }
  },
  {
    name: "a resync looks at games that only another installation has",
    file: "controllers/game/drift.ts",
    from: "const byGame = Map.groupBy(own, ({ gameId }) => gameId)",
    to: "const byGame = Map.groupBy(containers, ({ gameId }) => gameId)",
    caughtBy: { project: "unit", file: "test/unit/game/drift.test.ts", test: "looks at no container of another installation" }
  },
  {
    name: "a copy of the database on the same server acts",
    file: "src/store/Instance.ts",
    from: "return differs(kept.databaseOid, now.databaseOid)",
    to: "return false",
    caughtBy: { project: "unit", file: "test/unit/store/instance.test.ts", test: "a copy on the same server" }
  },
  {
    name: "what a process was started with settles what came up since",
    file: "src/installation.ts",
    from: "for (let asked = options.asked;; asked = undefined) {",
    to: "for (const asked = options.asked;;) {",
    caughtBy: { project: "unit", file: "test/unit/installation.test.ts", test: "takes what it was started with for a word" }
  },
  {
    name: "a promoted replica acts on beside the controller of its former primary",
    file: "src/installation.ts",
    from: "if (standing?.isPromoted === false)",
    to: "if (standing !== undefined)",
    caughtBy: { project: "unit", file: "test/unit/installation.test.ts", test: "acts on nothing where its database is a replica" }
  },
  {
    name: "games that fell together start together",
    file: "controllers/game/decide/backoff.ts",
    from: "fraction(`${seen.gameId} ${times}`)",
    to: "fraction(`${times}`)",
    caughtBy: { project: "unit", file: "test/unit/game/backoff.test.ts", test: "does not start a thousand games together" }
  },
  {
    name: "the policy restarts on an exit code that its row never restarts on",
    file: "controllers/game/decide/restart.ts",
    from: " && !end.finalExit",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "leaves a game that ended for good" }
  },
  {
    name: "a restart in place is carried out again and again",
    file: "controllers/game/decide/restartInPlace.ts",
    from: "askedMs > (restartObservedAtMs ?? -Infinity) && ",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "does nothing for a restart that was" }
  },
  {
    name: "a game that never restarts by its policy stays down after a restart in place",
    file: "controllers/game/decide/restart.ts",
    from: " || isRestarting(seen))",
    to: ")",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "records the restart that was asked for" }
  },
  {
    name: "a time in the future is waited for",
    file: "controllers/game/decide/rules.ts",
    from: ",\n  ClockSetBack: clockSetBack",
    to: "",
    caughtBy: { project: "simulation", file: "test/simulation/clock.test.ts", test: "waits for no longer than a whole back-off" }
  },
  {
    name: "a grace is over when the clock is set forward",
    file: "controllers/game/observe/ClockSteps.ts",
    from: "return isKnown ? moved(record, offsetMs - first.offsetMs) : record",
    to: "return record",
    caughtBy: { project: "simulation", file: "test/simulation/clock.test.ts", test: "a stop's grace lasts as long as it was to last when the clock is set" }
  },
  {
    name: "a job is acknowledged before it is committed",
    file: "src/streams/JobConsumer.ts",
    from: "  const found = yield* writer.takeJobs(jobs)\n",
    to: "  yield* streams.acknowledge(jobs)\n  const found = yield* writer.takeJobs(jobs)\n",
    caughtBy: { project: "unit", file: "test/unit/streams/jobConsumer.test.ts", test: "gives no job up for an outage, however often it was delivered meanwhile" }
  },
  {
    name: "a message is struck out of the outbox before it is sent",
    file: "src/streams/OutboxRelay.ts",
    from: "  const appended = yield* Effect.forEach(Map.groupBy(",
    to: "  yield* writer.markSent(entries.map(({ id }) => id))\n  const appended = yield* Effect.forEach(Map.groupBy(",
    caughtBy: { project: "unit", file: "test/unit/streams/outboxRelay.test.ts", test: "sends nothing again that was sent when another topic's messages were lost" }
  },
  {
    name: "the lease's validity is counted from the answer to a renewal, not from its sending",
    file: "src/controller/Leader.ts",
    from: "    if (renewed) prolong(sent)",
    to: "    if (renewed) prolong(yield* instant)",
    caughtBy: { project: "unit", file: "test/unit/controller/leader.test.ts", test: "counts its lease from before a renewal was sent, however late the answer comes" }
  },
  {
    name: "the lease's validity is counted from the answer to its acquisition, not from its sending",
    file: "src/controller/Leader.ts",
    from: "      else yield* serve(options, acquired.success.epoch, asked)",
    to: "      else yield* serve(options, acquired.success.epoch, yield* instant)",
    caughtBy: { project: "unit", file: "test/unit/controller/leader.test.ts", test: "counts its lease from before it was asked for, however late the answer comes" }
  },
  {
    name: "what happened to a game while a list was under way is forgotten when the list ends",
    file: "src/engine/KnownContainers.ts",
    from: "    for (const gameId of touched) this.#keep(gameId, fresh)\n",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/engine/knownContainers.test.ts", test: "forgets what was removed, whatever an older list says" }
  },
  {
    name: "what was known of the containers is believed after the events broke off",
    file: "src/engine/KnownContainers.ts",
    from: "    this.#isConnected = false\n    this.#forget()\n",
    to: "    this.#isConnected = false\n",
    caughtBy: { project: "unit", file: "test/unit/engine/knownContainers.test.ts", test: "asks the engine where %s" }
  },
  {
    name: "a 404 is believed though another engine may answer than the one that was asked who it is",
    file: "controllers/game/observe/gather.ts",
    from: `fateOf(record, containers, { engineId: expected, instance }) === "gone" ? (yield* engine.identity).id : expected`,
    to: "expected",
    caughtBy: { project: "simulation", file: "test/simulation/scenes.test.ts", test: "a container is not missed because another engine answers than everybody thinks" }
  },
  {
    name: "what another engine says of a container is believed",
    file: "controllers/game/observe/assess.ts",
    from: `record.engineId === null || record.engineId === engineId ? "gone" : "elsewhere"`,
    to: `"gone"`,
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "believes no 404 of another engine" }
  },
  {
    name: "health events are recorded and never written to the outbox",
    file: "src/store/postgres/documents.ts",
    from: "[...health.map((event) => healthMessage(gameId, event)), ...messages]",
    to: "messages",
    caughtBy: { project: "simulation", file: "test/simulation/stops.test.ts", test: "is told with what it was, at each turn of its life" }
  },
  {
    name: "an end is recorded and not told",
    file: "controllers/game/record/transition.ts",
    from: "    health: [event],\n",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "records a stop by its row" }
  },
  {
    name: "an end that was asked for is told as unexpected, and the other way round",
    file: "controllers/game/record/transition.ts",
    from: "const expected = endIsWanted(seen) || seen.desired === null || before.stopping !== null",
    to: "const expected = !(endIsWanted(seen) || seen.desired === null || before.stopping !== null)",
    caughtBy: { project: "simulation", file: "test/simulation/stops.test.ts", test: "is told with what it was, at each turn of its life" }
  },
  {
    name: "the end of a container that gives way to another is told as unexpected",
    file: "controllers/game/record/transition.ts",
    from: " || seen.desired === null || before.stopping !== null",
    to: " || seen.desired === null",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "logs no stop for a replaced container" }
  },
  {
    name: "a stop is signalled before it is recorded",
    file: "controllers/game/decide/stop.ts",
    from: `if (isRunning(main)) return record(seen, "StopWanted", stoppingBegun(seen, "row"))`,
    to: `if (isRunning(main)) return act("StopWanted", { _tag: "Signal", container: main!, signal: main!.stopSignal })`,
    caughtBy: { project: "simulation", file: "test/simulation/scenes.test.ts", test: "a stop job for a container that nobody has looked at yet stops it" }
  },
  {
    name: "an exchange is signalled before it is recorded",
    file: "controllers/game/decide/run.ts",
    from: `return { ...record(seen, "RowChanged", exchangeBegun(seen)), beginsExchange: true }`,
    to: `return { ...act("RowChanged", { _tag: "Signal", container: main!, signal: main!.stopSignal }), beginsExchange: true }`,
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "writes down that a running game gives" }
  },
  {
    name: "the engine is changed without asking whether the lease is still held",
    file: "src/engine/docker/call.ts",
    from: "Effect.andThen(guard, Effect.raceFirst(send,",
    to: "Effect.andThen(Effect.succeed(guard), Effect.raceFirst(send,",
    caughtBy: { project: "unit", file: "test/unit/engine/badEngine.test.ts", test: "are not sent once the lease is lost while the call waited for its place" }
  },
  {
    name: "a job that a later wish overtook is never answered",
    file: "controllers/game/decide/jobs.ts",
    from: "isOvertaken(seen, desired, job)) return failure(superseded)",
    to: "isOvertaken(seen, desired, job)) return undefined",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "answers superseded to the stop that" }
  },
  {
    name: "a start job is answered by the container that the one it asked for is to replace",
    file: "controllers/game/decide/jobs.ts",
    from: `main.state === "running" && main.runsWanted`,
    to: `main.state === "running"`,
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "answers no job at somebody's start of" }
  },
  {
    name: "an exchange begins though others have all the places",
    file: "controllers/game/act/Exchanges.ts",
    from: "        if (isFull(gameId)) return Effect.as(wait(gameId), false)\n",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/exchanges.test.ts", test: "begin up to the number that may be under way, and no more" }
  },
  {
    name: "an exchange takes its place when it is recorded, not before",
    file: "controllers/game/reconcile.ts",
    from: "if (plan.beginsExchange) return yield* exchanges.begin(gameId)",
    to: "if (plan.beginsExchange) return true",
    caughtBy: { project: "simulation", file: "test/simulation/stops.test.ts", test: "for its changed row comes to two games at a time, and to all in the end" }
  },
  {
    name: "an exchange passes the gate though others have all the places",
    file: "controllers/game/decide/gate.ts",
    from: "found.beginsExchange && seen.exchangesFull ?",
    to: "found.beginsExchange && !seen.exchangesFull ?",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "waits for its turn while others" }
  },
  {
    name: "on_failure leaves a game that was killed for its memory",
    file: "controllers/game/decide/restart.ts",
    from: `on_failure: { "ended well": false, "ended badly": true, oom: true,`,
    to: `on_failure: { "ended well": false, "ended badly": true, oom: false,`,
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "records an OOM kill under" }
  },
  {
    name: "a second running container of ours is not ended",
    file: "controllers/game/decide/removedGame.ts",
    from: "seen.strays.find((container) => container.ours && isReachable(container))",
    to: "seen.strays.find((container) => container.ours && isReachable(container) && !isRunning(container))",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "ends a second container of its own" }
  },
  {
    name: "a second container is removed whoever made it",
    file: "controllers/game/decide/removedGame.ts",
    from: "seen.strays.find((container) => container.ours && isReachable(container))",
    to: "seen.strays.find((container) => isReachable(container))",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "leaves a second container that" }
  },
  {
    name: "an old container gets the new row's grace",
    file: "controllers/game/decide/stop.ts",
    from: "container.runsWanted && desired?.problem === null ? wanted : container.stopGraceMs ?? wanted",
    to: "desired?.problem === null ? wanted : container.stopGraceMs ?? wanted",
    caughtBy: { project: "simulation", file: "test/simulation/stops.test.ts", test: "that is made way for another revision comes as its container was made for, not as the new row says" }
  },
  {
    name: "a game that had ended is over for good when its container is pruned",
    file: "controllers/game/record/gone.ts",
    from: `(seen.record?.status === "running" && (seen.desired === null`,
    to: `(seen.record !== null && (seen.desired === null`,
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "keeps a game that had ended under never" }
  },
  {
    name: "an image that is always asked for is not asked for before a start in place",
    file: "controllers/game/decide/run.ts",
    from: `    if (target.pullPolicy === "always" && pull._tag !== "Pulled") return act("StartWanted", { _tag: "FetchImage", target })\n`,
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "asks for an image that is always asked for before it starts a container again" }
  },
  {
    name: "a child that was killed for its memory is taken for the game",
    file: "controllers/game/record/transition.ts",
    from: "oomKilled && code === 137",
    to: "oomKilled || code === 137",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "takes a game that lost a child for its memory and ended well for one that ended well" }
  },
  {
    name: "new starts take all the places while an urgent one is under way",
    file: "src/controller/Places.ts",
    from: "(this.#urgent === 0 && (dueInMs() ?? Infinity) > soonMs)",
    to: "((dueInMs() ?? Infinity) > soonMs)",
    caughtBy: { project: "unit", file: "test/unit/controller/places.test.ts", test: "are half of them while an urgent start is under way, and all of them after it" }
  },
  {
    name: "urgent starts leave new ones no place",
    file: "src/controller/Places.ts",
    from: "this.#used.Slow - this.#urgent < Math.ceil(slow / 2)",
    to: "this.#used.Slow < Math.ceil(slow / 2)",
    caughtBy: { project: "unit", file: "test/unit/controller/places.test.ts", test: "are half of them at least: one gets its turn however many urgent starts come" }
  },
  {
    name: "what a pull ended with counts for the next attempt too",
    file: "controllers/game/decide/pull.ts",
    from: "${record?.observedHash ?? \"\"} ${record?.failureCount ?? 0} ${afterRun}`",
    to: "${record?.observedHash ?? \"\"} ${afterRun}`",
    caughtBy: { project: "simulation", file: "test/simulation/scenes.test.ts", test: "a failed pull is asked for again by the next try, which is well by then" }
  },
  {
    name: "a row that was made again with something else is taken for carried out, by its number",
    file: "src/domain/RuntimeRecord.ts",
    from: "observedHash !== null && observedHash !== desiredHash",
    to: "observedHash === \"\"",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "starts a finished game again whose row" }
  },
  {
    name: "a row that was made again and says what it said is a new wish",
    file: "src/domain/RuntimeRecord.ts",
    from: "record === null || record.observedGeneration < row.generation || saysOther(record, row)",
    to: "record === null || record.observedGeneration !== row.generation || saysOther(record, row)",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "starts nothing under never for a row" }
  },
  {
    name: "a settled game is never looked at again",
    file: "controllers/game/resync.ts",
    from: "  yield* recheck(options, compare)\n",
    to: "",
    caughtBy: { project: "simulation", file: "test/simulation/scenes.test.ts", test: "is found by a resync, though nothing tells of it" }
  },
  {
    name: "a removed game is woken by an edited row",
    file: "controllers/game/decide/rules.ts",
    from: "  RemovedForGood: removedForGood,\n",
    to: "",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "does not wake a removed game for" }
  },
  {
    name: "a call that the engine never answered is taken for its verdict on the start",
    file: "controllers/game/act/apply.ts",
    from: "if (isTransient(error) || heldByUs) return",
    to: "if (heldByUs) return",
    caughtBy: { project: "simulation", file: "test/simulation/crashPoints.test.ts", test: "a start by row" }
  },
  {
    name: "an engine that is away is taken for one that refuses",
    file: "controllers/game/reconcile.ts",
    from: "run.attempt + 1 >= refusedAfter && isAnswer(error)",
    to: "run.attempt + 1 >= refusedAfter",
    caughtBy: { project: "simulation", file: "test/simulation/stops.test.ts", test: "waits for an engine that cannot be reached, and so does its job" }
  },
  {
    name: "a game is killed before its grace is over",
    file: "controllers/game/decide/stop.ts",
    from: "return leftMs > 0 ?",
    to: "return leftMs > 20_000 ?",
    caughtBy: { project: "unit", file: "test/unit/game/plan.test.ts", test: "gives it its grace" }
  },
  {
    name: "people are told of the same failure at each try",
    file: "controllers/game/record/transition.ts",
    from: `failure: { failure, tell: !again || seen.jobs.some((job) => job.kind === "start") }`,
    to: "failure: { failure, tell: true }",
    caughtBy: { project: "unit", file: "test/unit/game/outcome.test.ts", test: "tells people of the same failure once" }
  },
  {
    name: "a network's name is taken for the beginning of another's",
    file: "src/engine/docker/network.ts",
    from: "found.filter((network) => network.Name === name)",
    to: "found",
    caughtBy: { project: "unit", file: "test/unit/engine/moreNetworks.test.ts", test: "is not made where one is missing, though another's id or name begins like it" }
  },
  {
    name: "a container that a network does not take is left behind",
    file: "src/engine/docker/moreNetworks.ts",
    from: "Effect.tapError(() => Effect.ignore(makeChanges(verbs).remove(containerId)))",
    to: "Effect.asVoid",
    caughtBy: { project: "unit", file: "test/unit/engine/moreNetworks.test.ts", test: "is removed again when nobody knows whether it was connected" }
  },
  {
    name: "what a file holds is a value that the engine's words may repeat",
    file: "src/engine/docker/create.ts",
    from: "message: withoutValues(error.message, { env: contents.env })",
    to: "message: error.message",
    caughtBy: { project: "unit", file: "test/unit/engine/specFiles.test.ts", test: "is taken out of the engine's own words" }
  },
  {
    name: "the ports of a game that runs are given away when another revision of it asks for its own",
    file: "controllers/game/act/apply.ts",
    from: "claimFor(seen, target, ports, { keep: true })",
    to: "claimFor(seen, target, ports)",
    caughtBy: { project: "unit", file: "test/unit/game/ports.test.ts", test: "is taken down for another only when the ports of that one are the game's" }
  },
  {
    name: "a port that turned out to be taken is asked for again",
    file: "controllers/game/act/apply.ts",
    from: "claimed = yield* claimFor(seen, target, settings, { taken })",
    to: "claimed = yield* claimFor(seen, target, settings)",
    caughtBy: { project: "unit", file: "test/unit/game/ports.test.ts", test: "is made anew with others where the engine finds some taken" }
  },
  {
    name: "ports are given back while a container that was made with them is kept",
    file: "controllers/game/decide/ports.ts",
    from: "const used = containers.flatMap(({ ports }) => ports)",
    to: "const used = containers.filter((one) => isRunning(one)).flatMap(({ ports }) => ports)",
    caughtBy: { project: "unit", file: "test/unit/game/ports.test.ts", test: "stay its own while" }
  }
]
