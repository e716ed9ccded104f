/** Files that specs name: what is read, and what is refused without a word of what is in it. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { GameId } from "../../../src/domain/GameId.ts"
import { contentsOf } from "../../../src/engine/docker/specFiles.ts"
import { failure, useBadEngine } from "../../support/useBadEngine.ts"

const { engineOn } = useBadEngine()
const folder = mkdtempSync(join(tmpdir(), "rtm-files-"))
const root = join(folder, "root")
const secret = "hunter2-Sw0rdfish"

mkdirSync(join(root, "g1"), { recursive: true })
mkdirSync(join(root, "..2026"))
const write = (file: string, content: string | Uint8Array) => writeFileSync(join(root, file), content)
write("g1/token", `${secret}\n`)
write("g1/two", `${secret}\n\n`)
write("g1/windows", `${secret}\r\n`)
write("g1/empty", "")
write("..2026/token", secret)
write("g1/nul", `${secret}\0`)
write("g1/bytes", new Uint8Array([0xff, 0xfe, 0x41]))
write("g1/large", secret.padEnd(131_073, "x"))
write("strict.json", "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }")
write("broken.json", `{ ${secret}`)
writeFileSync(join(folder, "outside"), secret)
mkdirSync(join(folder, "root2"))
writeFileSync(join(folder, "root2/token"), secret)
symlinkSync("..2026", join(root, "..data"))
symlinkSync("..data/token", join(root, "linked"))
symlinkSync("../outside", join(root, "escaped"))
symlinkSync("../root2", join(root, "beside"))
symlinkSync("circle", join(root, "circle"))
symlinkSync(root, join(folder, "mounted"))
afterAll(() => rmSync(folder, { recursive: true }))

const read = (from_file: string, secretsRoot: string | undefined = root) =>
  Effect.map(contentsOf({ env: { TOKEN: { from_file } } }, { secretsRoot }), ({ env }) => env.TOKEN)

describe("a file that env names", () => {
  it.each([
    ["g1/token", secret, "without the newline that editors leave"], ["g1/two", `${secret}\n`, "one of them"], ["g1/windows", secret, "of either kind"],
    ["g1/empty", "", "nothing is a value"], ["linked", secret, "links within the folder are how secrets are mounted"]
  ])("%s is read: %j, %s", async (file, wanted, _because) => assert.strictEqual(await Effect.runPromise(read(file)), wanted))

  it("is read below a root that is a link itself", async () => {
    assert.strictEqual(await Effect.runPromise(read("g1/token", join(folder, "mounted"))), secret)
  })

  it("is read anew each time", async () => {
    write("g1/changed", "one")
    assert.strictEqual(await Effect.runPromise(read("g1/changed")), "one")
    write("g1/changed", "two")
    assert.strictEqual(await Effect.runPromise(read("g1/changed")), "two")
  })

  it.each([
    ["g1/nosuch", /is not there$/, "nobody made it"], ["g1/token/x", /is not there$/, "a file is no folder"], ["g1", /is no file$/, "a folder"],
    ["escaped", /leads out of RTM_SECRETS_ROOT$/, "a link out of it"], ["beside/token", /leads out of RTM_SECRETS_ROOT$/, "a folder that begins alike"],
    ["circle", /leads in a circle$/, "no end"], ["g1/nul", /no UTF-8 text without NUL bytes$/, "would end the variable"],
    ["g1/bytes", /no UTF-8 text/, "is no text"], ["g1/large", /has 131073 bytes; it takes at most 131072$/, "more than a variable has"]
  ] as const)("%s is refused: %s, %s", async (file, message, _because) => {
    const error = await Effect.runPromise(Effect.flip(read(file)))
    assert.deepInclude(error, { operation: "create", reason: "Unmet" })
    assert.match(error.message, /^spec\.env\.TOKEN\.from_file: /)
    assert.match(error.message, message)
    assert.include(error.message, file)
    assert.notInclude(error.message, secret)
  })

  it("is taken out of the engine's own words", async () => {
    const engine = await engineOn({
      "GET /networks?": "[{\"Name\":\"n\",\"Id\":\"own\",\"Created\":\"2026-01-01T00:00:00Z\"}]",
      "GET /images/": "{\"Id\":\"sha256:1\"}",
      "POST /containers/create": ({ body }) => [400, JSON.stringify({ message: `invalid environment: ${(JSON.parse(body) as { Env: ReadonlyArray<string> }).Env.at(-1)}` })]
    }, { secretsRoot: root })
    const { message } = await failure(engine.create({
      gameId: "g1" as GameId, imageRef: "a/b:1", generation: 1, specHash: "v1:x", createdAtMs: 1, stopGraceMs: 1, spec: { env: { TOKEN: { from_file: "g1/token" } } }
    }))
    assert.strictEqual(message, "invalid environment: TOKEN=<env.TOKEN>")
  })

  it("is refused where there is no root, or none any more", async () => {
    assert.match((await Effect.runPromise(Effect.flip(Effect.map(contentsOf({ env: { A: { from_file: "a" } } }, {}), String)))).message, /needs RTM_SECRETS_ROOT/)
    assert.match((await Effect.runPromise(Effect.flip(read("a", join(folder, "gone"))))).message, /is not there$/)
  })
})

describe("a profile", () => {
  const profile = (seccomp: string) => contentsOf({ security: { seccomp } }, { seccompRoot: root })
  it("is the JSON of its file, in one line", async () => {
    assert.strictEqual((await Effect.runPromise(profile("strict"))).seccomp, "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}")
  })
  it("that is no JSON is refused by its name", async () => {
    const { message } = await Effect.runPromise(Effect.flip(profile("broken")))
    assert.strictEqual(message, "spec.security.seccomp: the file broken.json in RTM_SECCOMP_ROOT is no JSON")
  })
})

it("what a spec says itself is as it says", async () => {
  const { env, seccomp } = await Effect.runPromise(contentsOf({ env: { A: "x", B: { value: "y", secret: true } } }, {}))
  assert.deepStrictEqual([env, seccomp], [{ A: "x", B: "y" }, undefined])
})
