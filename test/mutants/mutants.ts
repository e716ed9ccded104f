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
    /** The test's name or a part of it, as it is written in `file`. */
    readonly test: string
  }
}

export const mutants: ReadonlyArray<Mutant> = [
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
    from: "  const exits = yield* Effect.forEach(Map.groupBy(",
    to: "  yield* writer.markSent(entries.map(({ id }) => id))\n  const exits = yield* Effect.forEach(Map.groupBy(",
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
    from: "      else yield* serve(options, epoch, asked)",
    to: "      else yield* serve(options, epoch, yield* instant)",
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
  }
]
