/** Further networks: the Docker adapter before an engine that answers as the tests say. */
import { assert, describe, it } from "@effect/vitest"
import type { GameId } from "../../../src/domain/GameId.ts"
import { failure, gameLabels, id, inspected, run, useBadEngine } from "../../support/useBadEngine.ts"

const { bad, engineOn } = useBadEngine()

const network = (Name: string, Id: string) => ({ Name, Id, Created: "2026-01-01T00:00:00Z" })
const template = {
  gameId: "g1" as GameId, imageRef: "a/b:1", generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 1, spec: { networks: [{ name: "arena", aliases: ["red"] }] }
}
const engine = {
  "GET /networks?": JSON.stringify([network("n", "own"), network("arena", "ab12"), network("arena-2", "cd34")]),
  "GET /images/": "{\"Id\":\"sha256:1\"}",
  "POST /containers/create": [201, JSON.stringify({ Id: id("a"), Warnings: [] })] as const,
  "DELETE /containers/": [204, ""] as const
}
const calls = () => bad.asked.map(({ method, path }) => `${method} ${path.replace(/\?.*/, "")}`).filter((call) => !call.startsWith("GET"))

describe("a container for further networks", () => {
  it("is connected to each by its id, with its names there", async () => {
    assert.strictEqual(await run((await engineOn({ ...engine, "POST /networks/": [200, ""] })).create(template)), id("a"))
    assert.deepStrictEqual(calls(), ["POST /containers/create", "POST /networks/ab12/connect"])
    assert.deepInclude(JSON.parse(bad.of("/networks/ab12")[0]!.body), { Container: id("a"), EndpointConfig: { Aliases: ["red"] } })
  })

  it.each([
    [[404, "{\"message\":\"network ab12 not found\"}"], "it went meanwhile"], [[403, "{\"message\":\"not permitted\"}"], "it takes nobody"],
    [[500, "{\"message\":\"no address\"}"], "it is full"]
  ] as const)("is removed again when one answers %j: %s", async (answer, _because) => {
    const { message, reason } = await failure((await engineOn({ ...engine, "POST /networks/": answer })).create(template))
    assert.strictEqual(reason, "Unmet")
    assert.match(message, /^spec\.networks\.0\.name: the network arena does not take the container: /)
    assert.deepStrictEqual(calls().at(-1), `DELETE /containers/${id("a")}`)
  })

  it("is removed again when nobody knows whether it was connected", async () => {
    const { reason } = await failure((await engineOn({ ...engine, "POST /networks/": "reset" })).create(template))
    assert.strictEqual(reason, "Unavailable")
    assert.deepStrictEqual(calls().at(-1), `DELETE /containers/${id("a")}`)
  })

  it("is not made where one is missing, though another's id or name begins like it", async () => {
    for (const name of ["ab", "aren"]) {
      const error = await failure((await engineOn(engine)).create({ ...template, spec: { networks: [{ name }] } }))
      assert.deepInclude(error, { reason: "Unmet", message: `spec.networks.0.name: there is no network ${name}` })
      assert.deepStrictEqual(calls(), [])
    }
  })

  const shown = (status: string, Networks: object) => {
    const seen = JSON.parse(inspected(status)) as { Config: object }
    return JSON.stringify({ ...seen, Config: { ...seen.Config, Labels: { ...gameLabels, "com.galaxy.networks": "arena,team" } }, NetworkSettings: { Networks } })
  }
  it.each([
    ["created", { n: {}, arena: {} }, "it was made, and not connected to the network team", "it must not be started"],
    ["created", { n: {}, arena: {}, team: {} }, "", "it is whole"],
    ["running", { n: {} }, "", "somebody took it off"]
  ] as const)("that is %s on %j is told as %j: %s", async (status, networks, startError, _because) => {
    const seen = await run((await engineOn({ "GET /containers/": shown(status, networks) })).inspect(id("a")))
    assert.strictEqual(seen === "gone" ? seen : seen.startError, startError)
  })
})
