/** What happens in a simulation, drawn from its seed: what people, programs and fate do to games, engine and services. */
import { Effect, Exit, type Random, type Scope } from "effect"
import type { GameRow } from "../support/fakes/database.ts"
import type { Availability } from "../support/fakes/Availability.ts"
import { alive, type FakeContainer, labelNames } from "../support/fakes/container.ts"
import { between } from "../support/fakes/Surroundings.ts"
import { jobStreams } from "../support/fakes/StreamsWorld.ts"
import { type Simulation, startController } from "./world.ts"

export interface Happening {
  /** After the one before it. */
  readonly afterMs: number
  readonly text: string
  readonly happen: (simulation: Simulation) => Effect.Effect<void, never, Scope.Scope>
}

type Drawn = Omit<Happening, "afterMs">
type Kind = readonly [weight: number, draw: (random: Random.Random) => Drawn]

export const images = { present: "galaxy/engine:1.4.2", pullable: "galaxy/engine:1.4.3", slow: "galaxy/engine:2.0.0", missing: "galaxy/missing:1.0.0" }
/** More than one game may ask for it. */
export const namedPort = 7777
const games = ["g1", "g2", "g3", "g4", "g5"]
const specs: ReadonlyArray<Readonly<Record<string, unknown>>> = [
  {}, {}, {}, { env: { MODE: "b" } }, { stop_grace: "1s" }, { stop_signal: "SIGINT", stop_grace: "8s", args: ["stop=4000"] }, { stop_signal: "SIGFOO" }, { args: ["stop=500"] }, { args: ["stop=never"] },
  { args: ["exit=1", "after=700", "times=2"] }, { args: ["exit=0", "after=1500", "times=1"] }, { args: ["oom", "after=900", "times=1"] },
  { ports: [{ container: 8080 }] }, { ports: [{ container: 8080 }, { container: 9000, protocol: "udp", count: 3 }] }, { ports: [{ container: 8080 }], env: { MODE: "c" } },
  { ports: [{ container: 8080, host: namedPort }] }, { ports: [{ container: 8080, host: namedPort }, { container: 9000 }], args: ["exit=1", "after=700", "times=2"] },
  { args: ["exit=64", "after=700", "times=2"], restart: { base: "200ms", never_on: [64] } },
  { args: ["unstartable"] }, { args: ["missing"] }, { pull_policy: "always" }, { pull_policy: "never" }, { bogus: 1 }, { resources: { memory: "1Ki" } }
]

const pick = <A>(random: Random.Random, items: ReadonlyArray<A>): A => items[between(random, 0, items.length - 1)]!
const image = (random: Random.Random): string =>
  pick(random, [images.present, images.present, images.present, images.pullable, images.pullable, images.slow, images.missing])
const policy = (random: Random.Random): GameRow["restart_policy"] => pick(random, ["always", "always", "on_failure", "never"])

/** Something that is done at once; what the database or the engine refuses is noted. */
const act = (text: string, body: (simulation: Simulation) => void): Drawn => ({
  text,
  happen: (simulation) => Effect.map(Effect.exit(Effect.try({ try: () => body(simulation), catch: String })), (exit) => {
    if (Exit.isFailure(exit)) simulation.note(`  refused: ${String(exit.cause)}`)
  })
})

/** Something that begins, and ends after a while. */
const spell = (text: string, ms: number, begin: (simulation: Simulation) => () => void): Drawn => ({
  text: `${text} for ${ms} ms`,
  happen: (simulation) => Effect.suspend(() => {
    const end = begin(simulation)
    return Effect.asVoid(Effect.forkScoped(Effect.andThen(Effect.sleep(ms), Effect.sync(() => {
      simulation.note(`${text}: over`)
      end()
    }))))
  })
})

/** On one of the game's containers, if it has any. */
const onContainer = (what: string, body: (simulation: Simulation, container: FakeContainer) => void) => (random: Random.Random): Drawn => {
  const game = pick(random, games)
  const nth = between(random, 0, 9)
  return act(`${what} of ${game}`, (simulation) => {
    const found = simulation.engine.of(game)
    if (found.length > 0) body(simulation, found[nth % found.length]!)
  })
}

const away = (what: string, of: (simulation: Simulation) => Availability) => (random: Random.Random): Drawn => {
  const silent = random.nextDoubleUnsafe() < 0.5
  return spell(`${what} ${silent ? "silent" : "down"}`, between(random, 100, 25_000), (simulation) => {
    if (silent) of(simulation).silence()
    else of(simulation).down()
    return () => of(simulation).up()
  })
}

const people: ReadonlyArray<Kind> = [
  [14, (random) => {
    const row = { game_id: pick(random, games), image_ref: image(random), restart_policy: policy(random), spec: pick(random, specs) }
    return act(`insert ${JSON.stringify(row)}`, ({ store }) => store.insert(row))
  }],
  [12, (random) => {
    const game = pick(random, games)
    const change = pick<Partial<GameRow>>(random, [
      { image_ref: image(random) }, { spec: pick(random, specs) }, { restart_policy: policy(random) }, { state: "stopped" }, { state: "running" },
      { state: "running", image_ref: image(random) }
    ])
    return act(`update ${game} ${JSON.stringify(change)}`, ({ store }) => store.update(game, change))
  }],
  [2, (random) => {
    const row = {
      game_id: pick(random, games), image_ref: image(random), restart_policy: policy(random), spec: pick(random, specs),
      state: pick(random, ["running", "running", "stopped"] as const), generation: between(random, 1, 3)
    }
    return act(`made without triggers: ${JSON.stringify(row)}`, ({ store }) => store.restore(row))
  }],
  [5, (random) => {
    const game = pick(random, games)
    const inMs = pick(random, [0, 0, 0, 3000, -60_000])
    return act(`restart ${game} asked for in ${inMs} ms`, ({ store }) =>
      store.update(game, { restart_requested_at: new Date(store.nowMs + inMs).toISOString() }))
  }],
  [3, (random) => {
    const game = pick(random, games)
    return act(`delete ${game}`, ({ store }) => store.delete(game))
  }],
  [10, (random) => {
    const spec = random.nextDoubleUnsafe() < 0.4 ? { spec: JSON.stringify(pick(random, specs)) } : {}
    const restart = random.nextDoubleUnsafe() < 0.5 ? { restart_policy: policy(random) } : {}
    const fields = { game_id: pick(random, games), image_ref: image(random), ...restart, ...spec }
    return act(`start job ${JSON.stringify(fields)}`, ({ streams }) => void streams.startJob(fields))
  }],
  [7, (random) => {
    const game = pick(random, games)
    return act(`stop job ${game}`, ({ streams }) => void streams.stopJob({ game_id: game, reason: "finished" }))
  }],
  [2, (random) => {
    const fields = pick<Readonly<Record<string, string>>>(random, [{}, { game_id: "../x" }, { game_id: "g1" }, { game_id: "g2", image_ref: "a b", spec: "{" }])
    return act(`garbage job ${JSON.stringify(fields)}`, ({ streams }) => void streams.startJob(fields))
  }],
  [4, onContainer("docker rm -f", ({ engine }, { id }) => engine.removeByForce(id))],
  [4, onContainer("docker stop", ({ engine }, { id }) => engine.stop(id, 2000))],
  [4, onContainer("docker kill", ({ engine }, { id }) => engine.kill(id, "SIGKILL"))],
  [4, onContainer("exit 3", ({ engine }, { id }) => engine.exit(id, 3))],
  [3, onContainer("exit 0", ({ engine }, { id }) => engine.exit(id, 0))],
  [2, onContainer("oom", ({ engine }, { id }) => engine.exit(id, 137, true))],
  [1, onContainer("exit 0 after the oom of a child", ({ engine }, { id }) => engine.exit(id, 0, true))],
  [2, onContainer("docker pause", ({ engine }, { id }) => engine.pause(id))],
  [2, onContainer("docker update --restart always", ({ armedAtMs, engine }, container) => {
    container.restartsByItself = true
    armedAtMs.set(container.id, engine.steadyMs)
  })],
  [2, onContainer("docker rename", ({ engine }, { id, name }) => engine.rename(id, `${name}-renamed`))],
  [4, onContainer("docker start", ({ engine }, { id }) => engine.start(id))],
  [2, onContainer("docker restart", ({ engine }, container) => {
    if (alive(container)) engine.kill(container.id, "SIGKILL")
    engine.start(container.id)
  })],
  [2, onContainer("docker rm", ({ engine }, { id }) => engine.remove(id))],
  [1, onContainer("removal broken off", ({ engine }, { id }) => engine.leaveDead(id))],
  [5, (random) => {
    const game = pick(random, games)
    return act(`docker run by hand for ${game}`, ({ engine }) => void engine.run(engine.byHand(game, images.present)))
  }],
  [1, (random) => {
    const game = pick(random, games)
    return act(`docker run by hand for ${game}, whose image names a signal that no engine knows`, ({ engine }) =>
      void engine.run(engine.byHand(game, images.present, { stopSignal: "SIGFOO" })))
  }],
  [2, (random) => {
    const game = pick(random, games)
    return act(`docker run --restart always by hand for ${game}`, ({ engine }) =>
      void engine.run(engine.byHand(game, images.present, { restartsByItself: true })))
  }],
  [3, (random) => {
    const game = pick(random, games)
    const suffix = pick(random, ["", "", "-blue"])
    const generation = String(between(random, 1, 3))
    return act(`another installation has game ${game} too, named galaxy-game-${game}${suffix}`, ({ engine }) => {
      const { labels, ...request } = engine.byHand(game, images.present)
      const made = { [labelNames.instance]: "blue", [labelNames.specHash]: "v1:blue", [labelNames.generation]: generation }
      engine.run({ ...request, name: `galaxy-game-${game}${suffix}`, labels: { ...labels, ...made } })
    })
  }],
  [1, onContainer("a copy, labels and all,", ({ engine }, { image, labels, name }) => void engine.run({ name: `${name}-copy`, image, labels }))],
  [2, (random) => {
    const game = pick(random, games)
    return act(`somebody else takes the name of ${game}`, ({ engine }) => void engine.run({ name: `galaxy-game-${game}`, image: images.present }))
  }]
]

const fate: ReadonlyArray<Kind> = [
  [4, away("engine", ({ engine }) => engine.answers)],
  [3, (random) => {
    const how = pick(random, ["asked", "killed"] as const)
    return spell(`engine ${how} to end`, between(random, 100, 8000), ({ engine }) => {
      engine.goDown(how)
      return () => engine.answers.up()
    })
  }],
  [4, away("database", ({ store }) => store.answers)],
  [3, away("redis", ({ streams }) => streams.answers)],
  [3, (random) => {
    const mode = pick(random, ["silent", "refused"] as const)
    return spell(`engine events ${mode}`, between(random, 1000, 30_000), ({ engine }) => {
      engine.events.line.mode = mode
      if (mode === "refused") engine.events.cut()
      return () => void (engine.events.line.mode = "on")
    })
  }],
  [3, (random) => spell("events and notifications are lossy and late", between(random, 1000, 30_000), ({ engine, store }) => {
    for (const { line } of [engine.events, store.changes]) Object.assign(line, { loss: 0.5, maxDelayMs: 3000 })
    return () => [engine.events, store.changes].forEach(({ line }) => void Object.assign(line, { loss: 0, maxDelayMs: 0 }))
  })],
  [2, (random) => spell("lists are empty", between(random, 1000, 15_000), ({ engine }) => {
    engine.quirks.emptyList = true
    return () => void (engine.quirks.emptyList = false)
  })],
  [2, (random) => spell("lists lag and removals are slow", between(random, 1000, 30_000), ({ engine }) => {
    Object.assign(engine.quirks, { listLagMs: 1500, removalMs: 2500 })
    return () => void Object.assign(engine.quirks, { listLagMs: 0, removalMs: 0 })
  })],
  [2, (random) => {
    const game = pick(random, games)
    const ms = between(random, 1000, 40_000)
    return spell(`containers of ${game} are stuck`, ms, ({ engine }) => {
      const stuck = engine.of(game)
      stuck.forEach(({ answers }) => answers.silence())
      return () => stuck.forEach(({ answers }) => answers.up())
    })
  }],
  [3, (random) => {
    const host = pick(random, [namedPort, 20_000, 20_001, 20_003])
    const protocol = pick(random, ["tcp", "udp"] as const)
    return spell(`a process listens on ${protocol} ${host}`, between(random, 500, 20_000), ({ engine }) => {
      const process = { protocol, address: "0.0.0.0", host }
      engine.processes.push(process)
      return () => void engine.processes.splice(engine.processes.indexOf(process) >>> 0, 1)
    })
  }],
  [2, (random) => {
    const host = pick(random, [namedPort, 20_000, 20_002])
    return act(`docker run -p ${host} by somebody else`, ({ engine }) =>
      void engine.run({ name: `web-${host}`, image: images.present, ports: [{ container: 80, protocol: "tcp", address: "0.0.0.0", host }] }))
  }],
  [2, (random) => spell("the engine refuses every change", between(random, 1000, 30_000), ({ engine }) => {
    engine.quirks.refusesChanges = true
    return () => void (engine.quirks.refusesChanges = false)
  })],
  [2, (random) => spell("registry hangs", between(random, 1000, 30_000), ({ engine }) => {
    for (const ref of [images.pullable, images.slow]) engine.image(ref, { registry: "hung" })
    return () => [images.pullable, images.slow].forEach((ref) => void engine.image(ref, { registry: "there" }))
  })],
  [1, (random) => {
    const ref = pick(random, [images.present, images.pullable])
    const registryId = `sha256:${between(random, 0, 1_000_000)}`
    return act(`docker push ${ref}`, ({ engine }) => void engine.image(ref, { registryId }))
  }],
  [1, (random) => {
    const ref = pick(random, [images.present, images.pullable])
    return act(`docker rmi ${ref}`, ({ engine }) => void engine.image(ref, { onHost: false }))
  }],
  [1, (random) => {
    const trims = random.nextDoubleUnsafe() < 0.5
    return act(trims ? "the job streams are trimmed" : "redis is wiped", (simulation) => {
      const { store, streams } = simulation
      const taken = new Set([...store.jobs.values()].map(({ entry_id }) => entry_id))
      for (const { id } of streams.log) if (!taken.has(id)) simulation.lostJobs.add(id)
      if (trims) Object.values(jobStreams).forEach((stream) => streams.trim(stream, 0))
      else streams.wipe()
    })
  }],
  [1, (random) => spell("another engine answers", between(random, 500, 20_000), (simulation) => {
    simulation.engineWasChanged = true
    simulation.engine.switchTo("another-engine")
    return () => simulation.engine.switchTo(simulation.homeEngine)
  })],
  [1, () => act("the lease's row is deleted", ({ store }) => void Object.assign(store.lease, { isGone: true }))],
  [2, (random) => {
    const ms = pick(random, [-3_600_000, 3_600_000, -90_000, 20_000])
    return act(`the wall clock is set by ${ms} ms`, ({ wall }) => void (wall.offsetMs += ms))
  }],
  [1, () => act("docker network rm", ({ engine }) => engine.removeNetwork())],
  [6, (random) => controllerEnds("killed", between(random, 50, 9000))],
  [2, (random) => controllerEnds("stopped", between(random, 50, 3000))],
  [2, (random) => {
    const service = pick(random, ["store", "engine", "lease", "streams"] as const)
    return spell(`the first controller loses its way to the ${service}`, between(random, 500, 20_000), ({ processes }) => {
      const life = processes[0]?.life
      life?.cutOff.add(service)
      return () => void life?.cutOff.delete(service)
    })
  }],
  [2, () => ({
    text: "a second controller",
    happen: (simulation) => simulation.processes.length > 1 ? Effect.void : Effect.asVoid(startController(simulation, `c${simulation.trace.length}`))
  })]
]

/** One controller ends and another one starts later. */
const controllerEnds = (how: "killed" | "stopped", ms: number): Drawn => ({
  text: `a controller is ${how}; the next starts ${ms} ms later`,
  happen: (simulation) => Effect.gen(function*() {
    const controller = simulation.processes[0]
    if (controller) yield* Effect.forkScoped(how === "killed" ? controller.kill : controller.stop)
    yield* Effect.forkScoped(Effect.andThen(Effect.sleep(ms), Effect.suspend(() => startController(simulation, `c${simulation.trace.length}`))))
  })
})

const draw = (random: Random.Random, kinds: ReadonlyArray<Kind>): Drawn => {
  let dice = random.nextDoubleUnsafe() * kinds.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, make] of kinds) if ((dice -= weight) < 0) return make(random)
  return kinds.at(-1)![1](random)
}

/** 20 to 60 happenings; pauses from nothing to half a minute, short ones mostly. */
export const drawScript = (random: Random.Random): ReadonlyArray<Happening> =>
  Array.from({ length: between(random, 20, 60) }, (): Happening => {
    const dice = random.nextDoubleUnsafe()
    const afterMs = dice < 0.25 ? 0 : dice < 0.6 ? between(random, 1, 400) : dice < 0.9 ? between(random, 400, 4000) : between(random, 4000, 30_000)
    return { afterMs, ...draw(random, random.nextDoubleUnsafe() < 0.75 ? people : fate) }
  })

/** Fate is over: everything answers, images can be had, names are free, and a controller runs. */
export const calm = (simulation: Simulation): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { engine, processes, store, streams } = simulation
    simulation.note("calm")
    simulation.calmSinceMs = engine.steadyMs
    simulation.faults = () => undefined
    if (engine.engineId !== simulation.homeEngine) engine.switchTo(simulation.homeEngine)
    for (const { answers } of [engine, store, streams]) answers.up()
    Object.assign(engine.quirks, { emptyList: false, listLagMs: 0, removalMs: 0, refusesChanges: false })
    for (const { line } of [engine.events, store.changes]) Object.assign(line, { mode: "on", loss: 0, maxDelayMs: 0 })
    for (const ref of [images.present, images.pullable, images.slow]) engine.image(ref, { registry: "there" })
    engine.processes.length = 0
    for (const container of engine.containers) {
      container.answers.up()
      // Names are free again.
      if (Object.keys(container.labels).length === 0 || container.labels[labelNames.instance] === "blue") engine.removeByForce(container.id)
    }
    for (const { life } of processes) life.cutOff.clear()
    if (processes.length === 0) yield* startController(simulation, `c${simulation.trace.length}`)
  })
