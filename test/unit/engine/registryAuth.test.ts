import { afterAll, assert, describe, it } from "@effect/vitest"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { registryAuth } from "../../../src/engine/docker/registryAuth.ts"

const folder = mkdtempSync(join(tmpdir(), "rtm-auth-"))
const path = process.env.PATH
afterAll(() => {
  process.env.PATH = path
  rmSync(folder, { recursive: true })
})

const found = async (config: unknown, imageRef = "registry.example:5000/a/b:1"): Promise<unknown> => {
  writeFileSync(join(folder, "config.json"), typeof config === "string" ? config : JSON.stringify(config))
  const header = await registryAuth(folder, imageRef)
  if (header === undefined) return undefined
  // As the engine reads it: URL-safe, and padded to a multiple of four.
  assert.match(header, /^[A-Za-z0-9_-]*={0,2}$/)
  assert.strictEqual(header.length % 4, 0, header)
  return JSON.parse(Buffer.from(header, "base64url").toString())
}
const basic = (text: string) => ({ auth: Buffer.from(text).toString("base64") })
const registry = "registry.example:5000"
const hub = "https://index.docker.io/v1/"

const helper = (name: string, script: string): void => {
  const file = join(folder, `docker-credential-${name}`)
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  process.env.PATH = `${folder}:${path}`
}

describe("registry credentials", () => {
  it.each([
    ["auth", "what docker login writes", { auths: { [registry]: basic("me:pass:word") } }, { username: "me", password: "pass:word" }],
    ["a text that encodes to each padding", "a byte more", { auths: { [registry]: basic("me:pass:word1") } }, { username: "me", password: "pass:word1" }],
    ["another", "two bytes more", { auths: { [registry]: basic("me:pass:word12") } }, { username: "me", password: "pass:word12" }],
    ["username and password", "what some tools write", { auths: { [registry]: { username: "me", password: "p" } } }, { username: "me", password: "p" }],
    ["an identity token", "an OAuth registry", { auths: { [registry]: { ...basic("me:"), identitytoken: "t" } } }, { identitytoken: "t" }],
    ["a registry token", "a bearer token as it is", { auths: { [registry]: { registrytoken: "t" } } }, { registrytoken: "t" }],
    ["a key with scheme and path", "the CLI compares hosts", { auths: { [`https://${registry}/v2/`]: basic("me:p") } }, { username: "me", password: "p" }]
  ] as const)("are read from %s (%s)", async (_name, _because, config, credentials) => {
    assert.deepStrictEqual(await found(config), { ...credentials, serveraddress: registry })
  })

  it("of Docker Hub stand under its old address", async () => {
    assert.deepStrictEqual(await found({ auths: { [hub]: basic("me:p") } }, "redis:8"), { username: "me", password: "p", serveraddress: hub })
  })

  it.each([
    ["another registry's", { auths: { "other.example": basic("me:p") } }],
    ["none", {}],
    ["broken JSON", "{"],
    ["an entry that is a number", { auths: { [registry]: { auth: 123 } } }],
    ["an entry without a colon", { auths: { [registry]: basic("me") } }],
    ["no object", "null"],
    ["auths that are a list", { auths: [] }]
  ])("are nobody's where the file has %s", async (_name, config) => {
    assert.isUndefined(await found(config))
  })

  it.each([
    ["credsStore", { credsStore: "test-store", auths: { [registry]: {} } }],
    ["credHelpers", { credHelpers: { [registry]: "test-store" }, auths: { [registry]: basic("not:this") } }]
  ])("are asked of the helper that %s names", async (_name, config) => {
    helper("test-store", `read server; printf '{"ServerURL":"%s","Username":"of-%s","Secret":"s"}' "$server" "$server"`)
    assert.deepStrictEqual(await found(config), { username: `of-${registry}`, password: "s", serveraddress: registry })
  })

  it("of a helper whose user is <token> are an identity token", async () => {
    helper("test-token.exe", "cat >/dev/null; echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'")
    assert.deepStrictEqual(await found({ credsStore: "test-token.exe" }), { identitytoken: "t", serveraddress: registry })
  })

  it("fall back to the file when the helper fails, is missing or talks nonsense", async () => {
    helper("test-none", "echo 'credentials not found'; exit 1")
    helper("test-nonsense", "cat >/dev/null; echo '{\"Username\":7}'")
    for (const credsStore of ["test-none", "test-nonsense", "test-missing", "../../bin/sh"]) {
      assert.deepStrictEqual(await found({ credsStore, auths: { [registry]: basic("me:p") } }), { username: "me", password: "p", serveraddress: registry })
    }
  })
})
