/** The Docker adapter before an engine, or a proxy, that misbehaves: no answer is taken for what it is not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { ContainerTemplate, EngineEvent } from "../../../src/engine/ContainerEngine.ts"
import { notLeader } from "../../../src/engine/Permission.ts"
import type { Answer, Asked } from "../../support/badEngine.ts"
import { until } from "../../support/until.ts"
import { failure, gameLabels, id, inspected, run, useBadEngine, writes } from "../../support/useBadEngine.ts"

const g1 = "g1" as GameId
const template: ContainerTemplate = {
  gameId: g1, imageRef: "a/b:1", generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 1000, spec: {}
}
const listed = (change: Record<string, unknown> = {}) =>
  ({ Id: id("a"), Names: ["/galaxy-game-g1"], ImageID: "sha256:1", State: "running", Created: 1, Labels: gameLabels, ...change })
const networks = JSON.stringify([{ Id: "net1", Name: "n", Created: "2026-01-01T00:00:00Z" }])

const { bad, engineOn } = useBadEngine()

describe("an engine's list", () => {
  it.each([
    ["an answer that is no list", "{}", "Undecodable"],
    ["broken JSON in a 200", "[{\"Id\":", "Undecodable"],
    ["an empty answer", "", "Undecodable"],
    ["a connection that is reset", "reset", "Unavailable"],
    ["no answer at all", "hang", "Timeout"],
    ["a body that stalls", writes((response) => void response.writeHead(200).write("[{")), "Timeout"]
  ] as const)("takes %s for a failed list, never for no containers", async (_name, answer, reason) => {
    const engine = await engineOn({ "GET /containers/json": answer })
    assert.strictEqual((await failure(engine.list())).reason, reason)
  })

  it("answers the good ones beside one that cannot be read, and of that one whose it is", async () => {
    const bad1 = listed({ Id: id("b"), State: "thawing", Created: "yesterday" })
    const engine = await engineOn({
      "GET /containers/json": JSON.stringify([bad1, listed(), { Id: 7 }, "x", null]), "GET /images/": JSON.stringify({ Id: "sha256:1", Config: { Labels: null } })
    })
    const found = await run(engine.list())
    assert.deepStrictEqual(found.map((one) => [one.id, one.gameId, one.state]), [[id("b"), "g1", "unresponsive"], [id("a"), "g1", "running"]])
  })

  it.each([["none", []], ["null", null]])("takes a container whose names are %s, as one is whose removal was cut short", async (_name, names) => {
    const engine = await engineOn({
      "GET /containers/json": JSON.stringify([listed({ Names: names, State: "dead" })]), "GET /images/": JSON.stringify({ Id: "sha256:1", Config: { Labels: null } })
    })
    assert.deepInclude((await run(engine.list()))[0], { id: id("a"), name: "", state: "dead" })
  })

  it.each([
    ["is gone", [404, "{\"message\":\"no such image\"}"]],
    ["cannot be read", [500, "{\"message\":\"layer does not exist\"}"]],
    ["has the label itself", JSON.stringify({ Id: "sha256:1", Config: { Labels: gameLabels } })]
  ] as const)("leaves out a container under another name whose image %s: nobody can tell that its labels are its own", async (_name, image) => {
    const engine = await engineOn({
      "GET /containers/json": JSON.stringify([listed({ Names: ["/x"] }), listed({ Id: id("b") })]), "GET /images/": image
    })
    assert.deepStrictEqual((await run(engine.list())).map((one) => one.id), [id("b")])
  })
})

/** What the image's name means on the host. */
const onHost = "{\"Id\":\"sha256:1\"}"

describe("an engine of another kind", () => {
  it("is refused before anything is asked of it", async () => {
    const engine = await engineOn({ "GET /version": JSON.stringify({ ApiVersion: "1.41", Components: [{ Name: "Podman Engine", Version: "4.3.1" }] }) })
    const error = await failure(engine.identity)
    assert.deepInclude(error, { reason: "Unsupported" })
    assert.include(error.message, "Podman's Docker API is not supported")
    assert.lengthOf(bad.asked, 1)
  })
})

describe("an engine's answers to changes", () => {
  const onNetwork = { "GET /networks?": networks, "GET /images/": JSON.stringify({ Id: "sha256:1" }) }

  it("are typed by call and status", async () => {
    const cases = [
      [404, "ImageMissing", "404 on create names the image"],
      [400, "Invalid", "the request as it stands is refused"],
      [500, "StartFailed", "no space, a broken layer: a verdict on the attempt"]
    ] as const
    for (const [status, reason, because] of cases) {
      const engine = await engineOn({ ...onNetwork, "POST /containers/create": [status, "{\"message\":\"no\"}"], "GET /images/": [404, "{}"] })
      assert.deepInclude(await failure(engine.create(template)), { reason, message: "no" }, because)
    }
  })

  it.each([403, 429, 502, 503])("keep status %d and the engine's own words where no reason fits", async (status) => {
    const engine = await engineOn({ "POST /containers/": [status, "{\"message\":\"the engine's own words\"}"] })
    assert.deepInclude(await failure(engine.kill(id("a"), "SIGTERM")), { reason: "Internal", status, message: "the engine's own words" })
  })

  it("take a name that is reserved, and held by nobody that a list shows, for a create still at work", async () => {
    const engine = await engineOn({
      ...onNetwork, "POST /containers/create": [409, "{\"message\":\"name in use\"}"],
      "GET /containers/json": JSON.stringify([listed({ Names: ["/galaxy-game-g1-manual"] }), listed({ Names: ["/galaxy-game-g12"] })])
    })
    assert.strictEqual((await failure(engine.create(template))).reason, "Conflict")
  })

  it("take a removal that is under way for pending, and one of nothing for done", async () => {
    const underWay = await engineOn({ "DELETE /containers/": [409, "{\"message\":\"removal is already in progress\"}"] })
    assert.strictEqual((await failure(underWay.remove(id("a")))).reason, "Conflict")
    const gone = await engineOn({ "DELETE /containers/": [404, "{\"message\":\"No such container\"}"] })
    await run(gone.remove(id("a")))
  })

  it("take a thaw of what is not frozen for done, and a refused one of what is frozen for a failure", async () => {
    const refused = { "POST /containers/": [500, "{\"message\":\"not paused\"}"] as const }
    await run((await engineOn({ ...refused, "GET /containers/": inspected("running") })).unpause(id("a")))
    assert.strictEqual((await failure((await engineOn({ ...refused, "GET /containers/": inspected("paused") })).unpause(id("a")))).reason, "Conflict")
  })

  it("tell a network that is gone from a container that is gone", async () => {
    const refused = { "POST /containers/": [404, "{\"message\":\"network x not found\"}"] as const }
    assert.strictEqual((await failure((await engineOn({ ...refused, "GET /containers/": inspected("created") })).start(id("a")))).reason, "NetworkMissing")
    assert.strictEqual((await failure((await engineOn({ ...refused, "GET /containers/": [404, "{}"] })).start(id("a")))).reason, "NotFound")
  })

  it("take a 404 on create for the image only when the image is not there", async () => {
    const engine = await engineOn({
      ...onNetwork, "POST /containers/create": [404, "{\"message\":\"create v: plugin \\\"x\\\" not found\"}"], "GET /images/": onHost
    })
    assert.deepInclude(await failure(engine.create(template)), { reason: "StartFailed", message: "create v: plugin \"x\" not found" })
  })

  it("tell what the engine warned of when it made the container, whoever asks for it", async () => {
    const Warnings = ["Your kernel does not support memory limit capabilities. Limitation discarded."]
    const engine = await engineOn({
      ...onNetwork, "POST /containers/create": [201, JSON.stringify({ Id: id("a"), Warnings })], "GET /containers/": inspected("created")
    })
    await run(engine.create(template))
    assert.deepInclude(await run(engine.inspect(id("a"))), { warnings: Warnings })
  })

  it("find the network anew when the one that is remembered is gone, and make the container on it at once", async () => {
    let network = "net1"
    const engine = await engineOn({
      "GET /networks?": () => JSON.stringify([{ Id: network, Name: "n", Created: "2026-01-01T00:00:00Z" }]),
      "GET /images/": onHost,
      "POST /containers/create": ({ body }) => body.includes(network)
        ? [201, JSON.stringify({ Id: id("a") })]
        : [404, "{\"message\":\"network net1 not found\"}"]
    })
    assert.strictEqual(await run(engine.create(template)), id("a"))
    network = "net2"
    assert.strictEqual(await run(engine.create(template)), id("a"))
    assert.lengthOf(bad.of("/containers/create"), 3)
  })

  it("take an image's name to mean for a second what it meant, and ask again when the engine has no such image any more", async () => {
    let isThere = true
    const engine = await engineOn({
      ...onNetwork, "GET /images/": () => isThere ? onHost : [404, "{\"message\":\"No such image\"}"],
      "POST /containers/create": () => isThere ? [201, JSON.stringify({ Id: id("a") })] : [404, "{\"message\":\"No such image\"}"]
    })
    assert.isTrue(await run(engine.hasImage(template.imageRef)))
    await run(engine.create(template))
    await run(engine.create(template))
    assert.lengthOf(bad.of("/images/"), 1)
    isThere = false
    assert.strictEqual((await failure(engine.create(template))).reason, "ImageMissing")
    assert.isFalse(await run(engine.hasImage(template.imageRef)))
  })

  it("try a network that stays gone once more only", async () => {
    const engine = await engineOn({ ...onNetwork, "POST /containers/create": [404, "{\"message\":\"network net1 not found\"}"] })
    assert.strictEqual((await failure(engine.create(template))).reason, "NetworkMissing")
    assert.lengthOf(bad.of("/containers/create"), 2)
  })

  it.each(["too new. Maximum supported API version is 1.41", "too old. Minimum supported API version is 1.44"])(
    "are sent again in the engine's own version when it refuses the one that was agreed on as %s", async (words) => {
      let version = "1.51"
      const spoken = ({ url }: { readonly url: string }) => url.startsWith(`/v${version}/`)
      const refused = [400, JSON.stringify({ message: `client version 1.51 is ${words}` })] as const
      const engine = await engineOn({
        "GET /version": () => JSON.stringify({ ApiVersion: version }),
        "GET /networks/none": "{\"Id\":\"w\"}",
        "GET /info": JSON.stringify({ ID: "e", DockerRootDir: "/d", ServerVersion: "1" }),
        "GET /containers/": (asked) => spoken(asked) ? inspected("exited") : refused,
        "POST /containers/": (asked) => spoken(asked) ? [204, ""] : refused,
        "POST /images/create": (asked) => spoken(asked) ? "{\"status\":\"done\"}" : refused,
        "GET /images/": onHost
      })
      await run(engine.identity)
      version = "1.44"
      await run(engine.kill(id("a"), "SIGTERM"))
      version = "1.45"
      assert.strictEqual(await run(engine.pull("a:1")), "sha256:1")
      version = "1.46"
      assert.notStrictEqual(await run(engine.inspect(id("a"))), "gone")
    })

  it("are never asked for with a part of an id", async () => {
    const engine = await engineOn({})
    assert.strictEqual((await failure(engine.remove("3f"))).reason, "Invalid")
    assert.lengthOf(bad.asked, 0)
  })

  it("make containers on the oldest of several networks of one name, by its id", async () => {
    const engine = await engineOn({
      "GET /networks?": JSON.stringify([
        { Id: "younger", Name: "n", Created: "2026-01-02T00:00:00Z" }, { Id: "part", Name: "n-x", Created: "2025-01-01T00:00:00Z" },
        { Id: "oldest", Name: "n", Created: "2026-01-01T00:00:00Z" }
      ]),
      "GET /images/": [404, "{}"], "POST /containers/create": [201, JSON.stringify({ Id: id("a") })]
    })
    await run(engine.create({ ...template, spec: { env: { SECRET: "canary" } } }))
    const [create] = bad.of("/containers/create")
    assert.strictEqual((JSON.parse(create!.body) as { HostConfig: { NetworkMode: string } }).HostConfig.NetworkMode, "oldest")
    assert.include(create!.body, "canary")
    assert.notInclude(create!.url, "canary")
  })

  it("are not sent once the lease is lost while the call waited for its place", async () => {
    let leads = true
    const engine = await engineOn({ "GET /containers/": "hang" }, {
      maxInFlight: 1, permission: { guard: Effect.suspend(() => leads ? Effect.void : Effect.fail(notLeader("remove"))), lost: Effect.never }
    })
    const inspecting = Effect.runFork(Effect.exit(engine.inspect(id("b"))))
    await until("the inspect is under way", () => bad.asked.length === 1)
    const removing = Effect.runFork(Effect.flip(engine.remove(id("a"))))
    leads = false
    assert.strictEqual((await Effect.runPromise(Fiber.join(removing))).reason, "NotLeader")
    await Effect.runPromise(Fiber.join(inspecting))
    assert.lengthOf(bad.asked.filter(({ method }) => method === "DELETE"), 0)
  })

  it("end at their deadline, and the connection with them", async () => {
    const engine = await engineOn({ "GET /containers/": "hang" })
    assert.strictEqual((await failure(engine.inspect(id("a")))).reason, "Timeout")
    await bad.asked[0]!.left
  })
})

describe("an engine's identity", () => {
  const info = JSON.stringify({ ID: "E1", DockerRootDir: "/d", ServerVersion: "29.0" })

  it("is asked in a version that any engine speaks, when another engine answers than before", async () => {
    let version = "1.41"
    const engine = await engineOn({
      // An engine refuses the calls of a version that it does not speak, that for its version among them.
      "GET /": ({ path, url }: Asked): Answer => {
        if (path !== url && !url.startsWith(`/v${version}/`)) return [400, "{\"message\":\"client version is too old\"}"]
        if (path.startsWith("/version")) return JSON.stringify({ ApiVersion: version })
        return path.startsWith("/info") ? info : "{\"Id\":\"n1\"}"
      }
    })
    assert.strictEqual((await run(engine.identity)).apiVersion, "1.41")
    version = "1.44"
    await failure(engine.identity)
    assert.strictEqual((await run(engine.identity)).apiVersion, "1.44")
  })

  it("is not known while the version is no version", async () => {
    const engine = await engineOn({ "GET /version": "<html>" })
    assert.strictEqual((await failure(engine.identity)).reason, "Undecodable")
  })
})

describe("an engine's events", () => {
  const version = { "GET /version": "{\"ApiVersion\":\"1.41\"}" }
  const event = (action: string, more: Record<string, unknown> = {}) =>
    JSON.stringify({ Type: "container", Action: action, Actor: { ID: id("a"), Attributes: { ...gameLabels, exitCode: "0" } }, ...more })

  const heard = async (chunks: ReadonlyArray<string | Uint8Array>): Promise<ReadonlyArray<EngineEvent>> => {
    let opened = 0
    const engine = await engineOn({
      ...version,
      "GET /events": writes((response) => {
        response.writeHead(200)
        if (opened++ > 0) return void response.write(" ")
        const send = (index: number): void => {
          if (index === chunks.length) return void response.destroy()
          response.write(chunks[index], () => setImmediate(send, index + 1))
        }
        send(0)
      })
    })
    const seen: Array<EngineEvent> = []
    const fiber = Effect.runFork(Stream.runForEach(engine.events, (one) => Effect.sync(() => seen.push(one))))
    await until("it is opened anew", () => seen.filter(({ _tag }) => _tag === "Opened").length === 2)
    await Effect.runPromise(Fiber.interrupt(fiber))
    return seen
  }
  const actions = (seen: ReadonlyArray<EngineEvent>) => seen.map((one) => one._tag === "Opened" ? "Opened" : `${one.gameId} ${one.action}`)

  it("are read by Action and Actor, as new engines send them, and by status and id, as old ones did", async () => {
    const old = JSON.stringify({ status: "die", id: id("a"), Actor: { Attributes: gameLabels } })
    assert.deepStrictEqual(actions(await heard([event("start"), old])), ["Opened", "g1 start", "g1 die", "Opened"])
  })

  it("are told by their word alone: free text may follow it, and labels may say anything", async () => {
    assert.deepStrictEqual(actions(await heard([
      event("exec_create: /bin/sh -c start"), event("health_status: healthy"), event("kill"), event("die"), "{\"Action\":17}", "{}"
    ])), ["Opened", "g1 die", "Opened"])
  })

  it("survive any cut between chunks, inside a character too", async () => {
    const bytes = Buffer.from(`${event("start", { text: "}{\"ü€𝄞\\" })}${event("die")}`)
    const chunks = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
    assert.deepStrictEqual(actions(await heard(chunks)), ["Opened", "g1 start", "g1 die", "Opened"])
  })

  it("are opened anew when the line breaks in the middle of one", async () => {
    assert.deepStrictEqual(actions(await heard([event("die"), event("start").slice(0, 40)])), ["Opened", "g1 die", "Opened"])
  })
})

describe("an engine's pulls", () => {
  it("answer the image's id on the host, and fail when it is gone again", async () => {
    const engine = await engineOn({ "POST /images/create": "{\"status\":\"done\"}", "GET /images/a:1/": onHost, "GET /images/a:2/": [404, "{\"message\":\"no\"}"] })
    assert.strictEqual(await run(engine.pull("a:1")), "sha256:1")
    assert.deepInclude(await failure(engine.pull("a:2")), { reason: "PullFailed", message: "image a:2 was pulled but is not on the host" })
  })

  it("of a registry that answers nobody hold up neither those of another one nor the events", async () => {
    const isHealthy = ({ url }: { readonly url: string }) => url.includes("healthy")
    const engine = await engineOn({
      "POST /images/create": (asked) => isHealthy(asked) ? "{}" : "hang", "GET /images/": onHost, "GET /events": writes((response) => void response.writeHead(200).flushHeaders()),
      "GET /version": "{\"ApiVersion\":\"1.41\"}"
    }, { pullStallMs: 60_000 })
    const hanging = Array.from({ length: 300 }, (_, index) => Effect.runFork(Effect.exit(engine.pull(`hanging.example:5000/a/b:${index}`))))
    await until("as many as may hang", () => bad.of("/images/create").length === 16)
    await run(engine.pull("healthy.example:5000/a/b:1"))
    const opened = await Effect.runPromise(Stream.runCollect(Stream.take(engine.events, 1)))
    assert.deepStrictEqual([...opened].map(({ _tag }) => _tag), ["Opened"])
    assert.lengthOf(bad.of("/images/create").filter((asked) => !isHealthy(asked)), 16)
    await Effect.runPromise(Effect.forEach(hanging, (fiber) => Fiber.interrupt(fiber), { concurrency: "unbounded" }))
  })

  const line = (status: string, layer: string, current = 0) => `${JSON.stringify({ status, id: layer, progressDetail: { current } })}\r\n`

  it("fail with an error inside a 200 answer", async () => {
    const engine = await engineOn({ "POST /images/create": "{\"status\":\"Pulling\"}{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}" })
    assert.deepInclude(await failure(engine.pull("a/b:1")), { reason: "PullFailed", message: "manifest unknown" })
  })

  it.each([404, 403, 429, 500, 503])("fail with status %d: the engine has spoken", async (status) => {
    const engine = await engineOn({ "POST /images/create": [status, "{\"message\":\"no\"}"] })
    assert.strictEqual((await failure(engine.pull("a/b:1"))).reason, "PullFailed")
  })

  it.each([
    ["says nothing", "hang"],
    ["says the same of two layers in turns", writes((response) => {
      response.writeHead(200)
      let turn = 0
      const timer = setInterval(() => response.write(line("Downloading", turn++ % 2 === 0 ? "a" : "b")), 20)
      response.on("close", () => clearInterval(timer))
    })],
    ["retries and retries", writes((response) => {
      response.writeHead(200)
      let seconds = 99
      const timer = setInterval(() => response.write(line(`Retrying in ${seconds--} seconds`, "a")), 20)
      response.on("close", () => clearInterval(timer))
    })]
  ] as const)("are given up when the engine %s for the stall time", async (_name, answer) => {
    const engine = await engineOn({ "POST /images/create": answer })
    assert.strictEqual((await failure(engine.pull("a/b:1"))).reason, "PullStalled")
    await bad.asked[0]!.left
  })

  it("go on for as long as there is progress, however long that is", async () => {
    const engine = await engineOn({
      "GET /images/": onHost,
      "POST /images/create": writes((response) => {
        response.writeHead(200)
        let current = 0
        const timer = setInterval(() => {
          if (++current === 12) response.end(line("Pull complete", "a"))
          else response.write(line("Downloading", "a", current))
        }, 60)
        response.on("close", () => clearInterval(timer))
      })
    })
    await run(engine.pull("a/b:1"))
  })

  it.each([
    ["a:1", "a", "1"], ["h:5000/a:1", "h:5000/a", "1"], ["h/a/b@sha256:" + "0".repeat(64), "h/a/b", "sha256:" + "0".repeat(64)],
    ["a:1@sha256:" + "0".repeat(64), "a", "sha256:" + "0".repeat(64)]
  ])("of %s ask for one tag or digest: without one the engine would pull them all", async (imageRef, name, tag) => {
    const engine = await engineOn({ "POST /images/create": "{\"status\":\"done\"}", "GET /images/": onHost })
    await run(engine.pull(imageRef))
    const query = new URL(bad.asked[0]!.url, "http://x").searchParams
    assert.deepStrictEqual([query.get("fromImage"), query.get("tag")], [name, tag])
  })

  it("are one for all who wait for the image, and end with the last of them", async () => {
    const engine = await engineOn({ "POST /images/create": "hang" }, { pullStallMs: 60_000 })
    const first = Effect.runFork(Effect.exit(engine.pull("a/b:1")))
    const second = Effect.runFork(Effect.exit(engine.pull("a/b:1")))
    await until("it is asked for", () => bad.asked.length > 0)
    await Effect.runPromise(Fiber.interrupt(first))
    assert.lengthOf(bad.asked, 1)
    let isGone = false
    void bad.asked[0]!.left.then(() => { isGone = true })
    assert.isFalse(isGone)
    await Effect.runPromise(Fiber.interrupt(second))
    await bad.asked[0]!.left
  })
})
