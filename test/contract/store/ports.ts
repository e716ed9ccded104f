/** The ledger of ports: whose each port of a host is, was, and whom nobody knows. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HostPort, PortWant } from "../../../src/domain/ports.ts"
import type { PortClaim } from "../../../src/store/GameWriter.ts"
import { commitOf, g1, game, image, type Open, type OpenStore, reason, recordOf, type Run, surveyAll, withStore } from "./OpenStore.ts"

const want = (change: Partial<PortWant> = {}): PortWant => ({ container: 8080, protocol: "tcp", address: "0.0.0.0", host: null, count: 1, ...change })
const host = (port: number, change: Partial<HostPort> = {}): HostPort => ({ protocol: "tcp", address: "0.0.0.0", host: port, ...change })

const claiming = ({ writer }: Pick<OpenStore, "writer">, run: Run) =>
  async (gameId: string, wants: ReadonlyArray<PortWant>, more: Partial<PortClaim> = {}): Promise<string> => {
    const claimed = await run(writer.claimPorts({
      gameId: game(gameId), engineId: "e1", wants, range: { from: 20_000, to: 20_019 }, keep: false, taken: [], ...more
    }))
    return claimed._tag === "Claimed"
      ? claimed.ports.map((port) => `${port.host}>${port.container}`).join(" ")
      : `none for ${claimed.want.host ?? claimed.want.container}: ${claimed.holder?.replace(/ \d+ s ago/, " some time ago") ?? "the range"}`
  }

const freeing = ({ writer }: Pick<OpenStore, "writer">, run: Run) => (gameId: string, ports: ReadonlyArray<HostPort>, engineId = "e1") =>
  run(writer.commit(commitOf({ gameId: game(gameId), freed: { engineId, ports } })))

export const portTests = (open: Open): void => {
  const on = withStore(open)

  it("gives each game the lowest ports that are free, and the same ones each time it asks", on(async (opened, run) => {
    const claim = claiming(opened, run)
    assert.strictEqual(await claim("g1", [want()]), "20000>8080")
    assert.strictEqual(await claim("g2", [want(), want({ container: 9000, count: 3 })]), "20001>8080 20002>9000 20003>9001 20004>9002")
    assert.strictEqual(await claim("g1", [want()]), "20000>8080")
    assert.strictEqual(await claim("g3", [want({ protocol: "udp" })]), "20000>8080")
    assert.strictEqual(await claim("g4", [want()], { engineId: "e2" }), "20000>8080")
    assert.strictEqual(await claim("g2", [want({ container: 9000, count: 3 }), want()]), "20002>9000 20003>9001 20004>9002 20001>8080")
    const { claims } = await run(opened.reader.load(g1))
    assert.deepStrictEqual(claims, [{ engineId: "e1", ...host(20_000) }])
    await opened.insert("g1", image)
    assert.deepStrictEqual((await surveyAll(opened)).map((row) => row.claims), [claims])
  }))

  it("gives a block as a whole or not at all, and what could not be had changes nothing", on(async (opened, run) => {
    const claim = claiming(opened, run)
    assert.strictEqual(await claim("g1", [want({ count: 8 })]), Array.from({ length: 8 }, (_, n) => `${20_000 + n}>${8080 + n}`).join(" "))
    assert.strictEqual(await claim("g2", [want({ host: 20_010 })]), "20010>8080")
    assert.include(await claim("g3", [want({ count: 9 })]), "20011>8080")
    assert.strictEqual(await claim("g4", [want(), want({ container: 9000, count: 2 })]), "none for 9000: the range")
    assert.deepStrictEqual((await run(opened.reader.load(game("g4")))).claims, [])
    assert.strictEqual(await claim("g4", [want()]), "20008>8080")
    assert.strictEqual(await claim("g4", [want(), want({ container: 9000, count: 3 })]), "none for 9000: the range")
    assert.deepStrictEqual((await run(opened.reader.load(game("g4")))).claims, [{ engineId: "e1", ...host(20_008) }])
    assert.strictEqual(await claim("g4", [want()], { range: undefined }), "20008>8080", "what it has it keeps")
    assert.strictEqual(await claim("g5", [want()], { range: undefined }), "none for 8080: the range")
  }))

  it("gives a named port to one game, whatever the address where one of them is all addresses", on(async (opened, run) => {
    const claim = claiming(opened, run)
    assert.strictEqual(await claim("g1", [want({ host: 7777, address: "127.0.0.1" })]), "7777>8080")
    assert.strictEqual(await claim("g2", [want({ host: 7777, address: "127.0.0.2" })]), "7777>8080")
    assert.strictEqual(await claim("g3", [want({ host: 7776, count: 2 })]), "none for 7776: game g1")
    assert.strictEqual(await claim("g3", [want({ host: 7777, protocol: "udp" })]), "7777>8080")
    assert.strictEqual(await claim("g4", [want({ host: 7777, protocol: "udp", address: "::1" })]), "none for 7777: game g3")
  }))

  it("lets nobody have what was given back for half a minute, but the game that gave it back", on(async (opened, run) => {
    const [claim, free] = [claiming(opened, run), freeing(opened, run)]
    await claim("g1", [want(), want({ host: 7777, container: 9000 })])
    await free("g1", [host(20_000)], "e2")
    assert.lengthOf((await run(opened.reader.load(g1))).claims, 2, "of another engine nothing was seen")
    await free("g2", [host(20_000)])
    assert.lengthOf((await run(opened.reader.load(g1))).claims, 2, "it is another game's")
    await free("g1", [host(20_000), host(7777)])
    assert.deepStrictEqual((await run(opened.reader.load(g1))).claims, [])
    assert.strictEqual(await claim("g2", [want()]), "20001>8080")
    assert.strictEqual(await claim("g3", [want({ host: 7777 })]), "none for 7777: game g1, which gave it back some time ago: it cools down for 30 s")
    assert.strictEqual(await claim("g1", [want()]), "20000>8080")
    await free("g1", [host(20_000)])
    await opened.agePorts(30_000)
    assert.strictEqual(await claim("g3", [want({ host: 7777 }), want()]), "7777>8080 20000>8080")
  }))

  it("keeps what a game has where it asks for more beside it, and gives the rest back where it does not", on(async (opened, run) => {
    const claim = claiming(opened, run)
    const held = async () => (await run(opened.reader.load(g1))).claims.map((one) => one.host)
    await claim("g1", [want(), want({ host: 7777, container: 9000 })])
    assert.strictEqual(await claim("g1", [want(), want({ host: 7778, container: 9000 })], { keep: true }), "20000>8080 7778>9000")
    assert.deepStrictEqual(await held(), [7777, 7778, 20_000])
    assert.strictEqual(await claim("g2", [want({ host: 7777 })]), "none for 7777: game g1")
    assert.strictEqual(await claim("g1", [want({ host: 7777 }), want({ host: 7778, container: 9000 })], { keep: true }), "7777>8080 7778>9000")
    assert.deepStrictEqual(await held(), [7777, 7778, 20_000])
    assert.strictEqual(await claim("g1", [want(), want({ host: 7778, container: 9000 })]), "7777>8080 7778>9000")
    assert.deepStrictEqual(await held(), [7777, 7778])
    await claim("g1", [])
    assert.deepStrictEqual(await held(), [])
  }))

  it("gives what the engine found taken to nobody from the range for a while, and names who has it where it is asked for", on(async (opened, run) => {
    const claim = claiming(opened, run)
    const taken = (port: number) => ({ taken: [{ ...host(port), holder: "container web" }] })
    await claim("g1", [want()])
    assert.strictEqual(await claim("g1", [want()], taken(20_000)), "20001>8080")
    assert.strictEqual(await claim("g2", [want({ address: "127.0.0.1" })]), "20002>8080")
    await claim("g3", [want({ host: 7777 })])
    assert.strictEqual(await claim("g3", [want({ host: 7777 })], taken(7777)), "none for 7777: container web")
    assert.deepStrictEqual((await run(opened.reader.load(game("g3")))).claims, [])
    assert.strictEqual(await claim("g3", [want({ host: 7777 })]), "7777>8080", "the engine is asked again each time")
    assert.strictEqual(await claim("g4", [want({ count: 2 })], taken(20_004)), "20005>8080 20006>8081", "a block with one that is taken is had elsewhere")
    await opened.agePorts(300_000)
    assert.strictEqual(await claim("g5", [want()]), "20000>8080")
  }))

  it("gives the last ports to as many games at once as there are ports, and none twice", on(async (opened, run) => {
    const claim = claiming(opened, run)
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => claim(`g${index}`, [want()])))
    const had = answers.filter((answer) => answer.endsWith(">8080")).sort()
    assert.deepStrictEqual(had, Array.from({ length: 20 }, (_, n) => `${20_000 + n}>8080`))
    assert.lengthOf(answers.filter((answer) => answer === "none for 8080: the range"), 20)
  }))

  it("surveys a game that was removed for as long as it has ports", on(async (opened, run) => {
    const claim = claiming(opened, run)
    await opened.insert("g1", image)
    await claim("g1", [want()])
    await opened.remove("g1")
    await run(opened.writer.commit(commitOf({ record: recordOf() })))
    await run(opened.writer.commit(commitOf({ record: recordOf({ status: "removed" }), expectedVersion: 1 })))
    assert.deepStrictEqual((await surveyAll(opened)).map(({ claims, gameId }) => [gameId, claims.length]), [[g1, 1]])
    await freeing(opened, run)("g1", [host(20_000)])
    assert.deepStrictEqual(await surveyAll(opened), [])
  }))

  it("surveys a game that the database has lost when its ports are missed, until they are given back", on(async (opened, run) => {
    const claim = claiming(opened, run)
    await claim("g1", [want({ count: 20 })])
    assert.deepStrictEqual(await surveyAll(opened), [])
    await opened.insert("g2", image)
    assert.strictEqual(await claim("g2", [want()]), "none for 8080: the range")
    assert.deepStrictEqual((await surveyAll(opened)).map(({ claims, game: row, gameId, record }) => [gameId, row?.state, record, claims.length]), [[g1, undefined, null, 20], [game("g2"), "running", null, 0]])
    await freeing(opened, run)("g1", Array.from({ length: 20 }, (_, n) => host(20_000 + n)))
    assert.deepStrictEqual((await surveyAll(opened)).map(({ gameId }) => gameId), [game("g2")])
  }))

  it("gives nothing to a controller whose term is over", on(async (opened) => {
    const next = await opened.takeOver()
    const claim = { gameId: g1, engineId: "e1", wants: [want({ host: 7777 })], range: undefined, keep: false, taken: [] }
    assert.strictEqual(await reason(opened.writer.claimPorts(claim)), "Fenced")
    assert.strictEqual((await Effect.runPromise(next.claimPorts(claim)))._tag, "Claimed")
  }))
}
