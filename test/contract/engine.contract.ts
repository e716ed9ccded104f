/** What every ContainerEngine promises, Docker's and the one in memory: the same tests for both. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { GameId } from "../../src/domain/GameId.ts"
import type { ContainerDetail, ContainerEngine, ContainerTemplate, EngineError } from "../../src/engine/ContainerEngine.ts"
import { until } from "../support/until.ts"

export interface OpenEngine {
  readonly engine: ContainerEngine["Service"]
  /** On the host; runs until it is told to end. */
  readonly image: string
  /** Commands of that image. */
  readonly commands: {
    readonly missing: ReadonlyArray<string>
    readonly notExecutable: ReadonlyArray<string>
    /** Ends by itself with that code, after so long. */
    readonly ends: (code: number, afterMs: number) => ReadonlyArray<string>
  }
  /** A container of somebody else with that name; answers its id. */
  readonly foreign: (name: string) => Promise<string>
  /** A running container made by hand with the contract's labels for that game, `restarts`: with a restart policy; its id. */
  readonly byHand: (gameId: string, options?: { readonly restarts?: boolean }) => Promise<string>
  /** Kills or removes behind the engine's back. */
  readonly killBehind: (id: string) => Promise<void>
  readonly pauseBehind: (id: string) => Promise<void>
  readonly removeBehind: (id: string) => Promise<void>
  /** `docker network rm`, when nothing is on it. */
  readonly removeNetwork: () => Promise<void>
  /** Removes it, and makes another one of its name. */
  readonly remakeNetwork: () => Promise<void>
  /** A port of the host that nobody has. */
  readonly freePort: () => Promise<number>
  /** A process of the host listens on that port; answers what ends it. */
  readonly listen: (port: number, protocol: "tcp" | "udp") => Promise<() => Promise<void>>
  readonly close: () => Promise<void>
}

const assertThere = (seen: ContainerDetail | "gone"): ContainerDetail => {
  if (seen === "gone") throw new Error("it is gone")
  return seen
}

export const engineContract = (name: string, open: () => Promise<OpenEngine>): void => {
  describe(`ContainerEngine: ${name}`, () => {
    let opened: OpenEngine
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened.close())
    const run = <A>(effect: (engine: ContainerEngine["Service"]) => Effect.Effect<A, EngineError>) => Effect.runPromise(effect(opened.engine))
    const reason = (effect: (engine: ContainerEngine["Service"]) => Effect.Effect<unknown, EngineError>) =>
      Effect.runPromise(Effect.map(Effect.flip(effect(opened.engine)), (error) => error.reason))
    const template = (gameId: string, more: Partial<ContainerTemplate> = {}): ContainerTemplate => ({
      gameId: gameId as GameId, imageRef: opened.image, generation: 3, specHash: "v1:x", createdAtMs: 5, stopGraceMs: 7000, spec: {}, ...more
    })
    const state = async (id: string) => {
      const seen = await run((engine) => engine.inspect(id))
      return seen === "gone" ? seen : seen.state
    }

    const look = async (id: string) => assertThere(await run((engine) => engine.inspect(id)))

    it("makes, starts, ends and removes a container, each call safe to repeat", async () => {
      const id = await run((engine) => engine.create(template("life1")))
      assert.match(id, /^[0-9a-f]{64}$/)
      assert.strictEqual(await state(id), "created")
      await run((engine) => engine.start(id))
      await run((engine) => engine.start(id))
      const seen = await run((engine) => engine.inspect(id))
      assert.deepInclude(seen, { state: "running", gameId: "life1" as GameId, specHash: "v1:x", generation: 3, exit: null, endpoint: "http://galaxy-game-life1:8080" })
      assert.strictEqual(await reason((engine) => engine.remove(id)), "Conflict")
      await run((engine) => engine.kill(id, "SIGTERM"))
      await until("it ends", async () => (await state(id)) === "exited")
      await run((engine) => engine.kill(id, "SIGTERM"))
      const ended = await run((engine) => engine.inspect(id))
      assert.isTrue(ended !== "gone" && ended.exit !== null && ended.exit.finishedAtMs !== null)
      await run((engine) => engine.start(id))
      assert.strictEqual(await state(id), "running")
      await run((engine) => engine.kill(id, "SIGKILL"))
      await until("it ends", async () => (await state(id)) === "exited")
      await run((engine) => engine.remove(id))
      await run((engine) => engine.remove(id))
      assert.strictEqual(await state(id), "gone")
      assert.strictEqual(await reason((engine) => engine.start(id)), "NotFound")
    })

    it("says what ends a container, as it was made, and refuses a signal that it does not know", async () => {
      const id = await run((engine) => engine.create(template("end1", { spec: { stop_signal: "INT" } })))
      await run((engine) => engine.start(id))
      assert.deepInclude(await run((engine) => engine.inspect(id)), { stopSignal: "INT", stopGraceMs: 7000 })
      assert.strictEqual(await reason((engine) => engine.kill(id, "SIGFOO")), "Invalid")
      assert.strictEqual(await state(id), "running")
      await opened.removeBehind(id)
      const manual = await opened.byHand("end2")
      assert.deepInclude(await run((engine) => engine.inspect(manual)), { stopSignal: "SIGTERM", stopGraceMs: null })
      await opened.removeBehind(manual)
    })

    it("makes a container on the network that is there, also when the one it knew was removed, and when somebody made another", async () => {
      for (const [index, change] of [() => {}, opened.removeNetwork, opened.remakeNetwork].entries()) {
        await change()
        const id = await run((engine) => engine.create(template(`net${index}`))).then(async (made) => {
          const started = await Effect.runPromise(Effect.result(opened.engine.start(made)))
          if (started._tag === "Success") return made
          // An engine that takes the create and finds out at the start: then the next one is right.
          assert.strictEqual(started.failure.reason, "NetworkMissing")
          await run((engine) => engine.remove(made))
          const again = await run((engine) => engine.create(template(`net${index}`)))
          await run((engine) => engine.start(again))
          return again
        })
        assert.strictEqual(await state(id), "running")
        await opened.removeBehind(id)
      }
    })

    const published = (host: number, protocol: "tcp" | "udp" = "tcp") => ({ container: 8080, protocol, address: "0.0.0.0", host })

    it("publishes the ports that a container is made with, and shows them whether it runs or not", async () => {
      const ports = [published(await opened.freePort()), published(await opened.freePort(), "udp")]
      const id = await run((engine) => engine.create(template("port1", { ports })))
      assert.deepStrictEqual((await look(id)).ports, ports)
      assert.deepStrictEqual((await run((engine) => engine.start(id))).ports, ports)
      await opened.killBehind(id)
      await until("it ends", async () => (await state(id)) === "exited")
      assert.deepStrictEqual((await look(id)).ports, ports)
      await run((engine) => engine.remove(id))
    })

    it("says which port of a start is taken, and by which container or that it is a process", async () => {
      const port = await opened.freePort()
      const holder = await run((engine) => engine.create(template("port2", { ports: [published(port)] })))
      await run((engine) => engine.start(holder))
      const failing = async (gameId: string, ports: ContainerTemplate["ports"] & {}) => {
        const id = await run((engine) => engine.create(template(gameId, { ports })))
        const error = await Effect.runPromise(Effect.flip(opened.engine.start(id)))
        assert.strictEqual(await state(id), "created")
        await run((engine) => engine.remove(id))
        return error
      }
      const byContainer = await failing("port3", [published(await opened.freePort(), "udp"), published(port)])
      assert.deepInclude(byContainer, { reason: "PortTaken", operation: "start" })
      assert.strictEqual(byContainer.taken?.host, port)
      assert.deepInclude(byContainer.holder, { id: holder, gameId: "port2", description: `container galaxy-game-port2 (${holder.slice(0, 12)})` })
      await opened.removeBehind(holder)
      for (const protocol of ["tcp", "udp"] as const) {
        const listened = await opened.freePort()
        const close = await opened.listen(listened, protocol)
        const byProcess = await failing("port4", [published(listened, protocol)])
        assert.deepInclude(byProcess, { reason: "PortTaken", taken: { host: listened, protocol } })
        assert.deepInclude(byProcess.holder, { id: "", gameId: null, description: "a process of the host" })
        await close()
      }
    })

    it("lists the containers of one game or of all, in any state", async () => {
      const a = await run((engine) => engine.create(template("list1")))
      const b = await run((engine) => engine.create(template("list2")))
      assert.deepStrictEqual((await run((engine) => engine.list("list1" as GameId))).map(({ id }) => id), [a])
      assert.includeMembers((await run((engine) => engine.list())).map(({ id }) => id), [a, b])
      for (const id of [a, b]) await run((engine) => engine.remove(id))
    })

    it("says who holds a name, ours or somebody else's", async () => {
      const own = await run((engine) => engine.create(template("name1")))
      const taken = await Effect.runPromise(Effect.flip(opened.engine.create(template("name1"))))
      assert.deepInclude(taken, { reason: "NameTaken" })
      assert.deepInclude(taken.holder, { id: own, gameId: "name1" })
      const other = await opened.foreign("galaxy-game-name2")
      const foreign = await Effect.runPromise(Effect.flip(opened.engine.create(template("name2"))))
      assert.deepInclude(foreign.holder, { id: other, gameId: null })
      await run((engine) => engine.remove(own))
      await opened.removeBehind(other)
    })

    it("knows an image that is not on the host, and one that nobody has", async () => {
      const missing = opened.image.replace(/:[^:]*$/, ":none")
      assert.isTrue(await run((engine) => engine.hasImage(opened.image)))
      assert.isFalse(await run((engine) => engine.hasImage(missing)))
      assert.strictEqual(await reason((engine) => engine.create(template("image1", { imageRef: missing }))), "ImageMissing")
      assert.strictEqual(await reason((engine) => engine.pull(missing)), "PullFailed")
      assert.deepStrictEqual(await run((engine) => engine.list("image1" as GameId)), [])
    })

    it.each([
      ["more memory than the host has", { resources: { memory: "900Ti" } }, /^spec\.resources\.memory: asks for 989560464998400 bytes of memory, and the host has \d+$/],
      ["more CPUs than the host has", { resources: { cpus: 1024 } }, /^spec\.resources\.cpus: asks for 1024 CPUs, and the host has \d+$/],
      ["a network that is not there", { networks: [{ name: "nosuch" }] }, /^spec\.networks\.0\.name: there is no network nosuch$/],
      ["a file that is not there", { env: { TOKEN: { from_file: "g1/nosuch" } } }, /^spec\.env\.TOKEN\.from_file: the file g1\/nosuch in RTM_SECRETS_ROOT is not there$/]
    ] as const)("makes nothing of a spec that asks for %s", async (_what, spec, message) => {
      const error = await Effect.runPromise(Effect.flip(opened.engine.create(template("unmet1", { spec }))))
      assert.strictEqual(error.reason, "Unmet")
      assert.match(error.message, message)
      assert.deepStrictEqual(await run((engine) => engine.list("unmet1" as GameId)), [])
    })

    it("pulls with no login that nobody has made", async () => {
      const error = await Effect.runPromise(Effect.flip(opened.engine.pull(opened.image, "nosuch")))
      assert.deepInclude(error, { reason: "PullFailed", message: "spec.registry_auth: there is no login nosuch in RTM_REGISTRY_AUTH_ROOT" })
    })

    it("sees what happened behind its back", async () => {
      const id = await run((engine) => engine.create(template("behind1")))
      await run((engine) => engine.start(id))
      await opened.killBehind(id)
      await until("it ended", async () => (await state(id)) === "exited")
      const ended = await run((engine) => engine.inspect(id))
      assert.strictEqual(ended === "gone" ? undefined : ended.exit?.code, 137)
      await opened.removeBehind(id)
      await until("it is gone", async () => (await state(id)) === "gone")
    })

    it("knows a game's containers without asking, from the first list on, and knows when it does not", async () => {
      const g = "known1" as GameId
      const { engine } = opened
      const listening = Effect.runFork(Stream.runDrain(engine.events))
      await until("it knows", async () => {
        await run(() => engine.list())
        return engine.known(g) !== undefined
      })
      assert.deepStrictEqual(engine.known(g), [])
      const own = await run(() => engine.create(template("known1")))
      assert.deepStrictEqual(engine.known(g), [own])
      await run(() => engine.remove(own))
      await until("it knows that it is gone", () => engine.known(g)?.length === 0)
      const manual = await opened.byHand("known1")
      await until("it doubts", () => engine.known(g) === undefined)
      // An event that comes while a list is under way leaves the doubt: the list may be older.
      await until("a list tells", async () => {
        await run(() => engine.list(g))
        return engine.known(g)?.join() === manual
      })
      await opened.removeBehind(manual)
      await until("it knows that it is gone", () => engine.known(g)?.length === 0)
      await Effect.runPromise(Fiber.interrupt(listening))
      assert.isUndefined(engine.known(g))
    })

    it("thaws a frozen container, and takes one that is not frozen for thawed", async () => {
      const id = await run((engine) => engine.create(template("thaw1")))
      await run((engine) => engine.start(id))
      await opened.pauseBehind(id)
      assert.strictEqual(await state(id), "paused")
      await run((engine) => engine.unpause(id))
      await run((engine) => engine.unpause(id))
      assert.strictEqual(await state(id), "running")
      await opened.removeBehind(id)
    })

    it("has the engine restart nothing by itself any more", async () => {
      const id = await opened.byHand("armed1", { restarts: true })
      const armed = async () => {
        const seen = await run((engine) => engine.inspect(id))
        return seen !== "gone" && seen.restartsByItself
      }
      assert.isTrue(await armed())
      await run((engine) => engine.disarm(id))
      await run((engine) => engine.disarm(id))
      assert.isFalse(await armed())
      assert.strictEqual(await state(id), "running")
      await opened.removeBehind(id)
    })

    const made = (gameId: string, command: ReadonlyArray<string>) => run((engine) => engine.create(template(gameId, { spec: { command } })))

    it("answers how a container is after its start, at once when it ran already", async () => {
      const id = await run((engine) => engine.create(template("start1")))
      const started = await run((engine) => engine.start(id))
      assert.deepInclude(started, { id, state: "running", gameId: "start1" as GameId, exit: null, startError: "" })
      assert.deepStrictEqual(await run((engine) => engine.start(id)), started)
      await opened.removeBehind(id)
    })

    it.each([
      ["missing", 127], ["notExecutable", 126]
    ] as const)("fails the start of a program that is %s, and whoever looks later sees that it failed", async (which, code) => {
      const id = await made("start2", opened.commands[which])
      for (const _ of [1, 2]) {
        const error = await Effect.runPromise(Effect.flip(opened.engine.start(id)))
        assert.deepInclude(error, { operation: "start", reason: "StartFailed" })
        assert.include(error.message, `could not be executed (exit code ${code}`)
        const later = await look(id)
        assert.deepInclude(later, { state: "exited", startError: error.message })
        assert.strictEqual(later.exit?.code, code)
      }
      await run((engine) => engine.remove(id))
    })

    it.each([0, 3])("takes a program that ends with %d at once for one that was started", async (code) => {
      const id = await made("start3", opened.commands.ends(code, 0))
      const started = await run((engine) => engine.start(id))
      assert.strictEqual(started.startError, "")
      await until("it ended", async () => (await state(id)) === "exited")
      const ended = await look(id)
      assert.deepStrictEqual([ended.exit?.code, ended.startError], [code, ""])
      assert.isTrue(code === 0 || ended.exit?.finishedAtMs !== null)
      await run((engine) => engine.remove(id))
    })

    it("takes a program that ran and ended with 127 for one that ended", async () => {
      const id = await made("start4", opened.commands.ends(127, 2000))
      assert.deepInclude(await run((engine) => engine.start(id)), { state: "running" })
      await until("it ended", async () => (await state(id)) === "exited")
      const ended = await look(id)
      assert.deepStrictEqual([ended.exit?.code, ended.startError], [127, ""])
      await run((engine) => engine.remove(id))
    })

    it("tells the same identity each time", async () => {
      const first = await run((engine) => engine.identity)
      assert.deepStrictEqual(await run((engine) => engine.identity), first)
      assert.notStrictEqual(first.id, "")
    })
  })
}
