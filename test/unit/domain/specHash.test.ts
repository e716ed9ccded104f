import { assert, describe, it } from "@effect/vitest"
import type { GameSpec } from "../../../src/domain/GameSpec.ts"
import { specFields } from "../../../src/domain/spec/fields.ts"
import { matchesSpec, specHash } from "../../../src/domain/specHash.ts"
import golden from "./specHash.golden.json" with { type: "json" }

const image = "galaxy/engine:1.4.2"

describe("the hash of what runs", () => {
  it.each(golden)("is for ever what it was when it was released: $because", ({ hash, image: imageRef, spec }) => {
    assert.isTrue(matchesSpec(hash, imageRef, spec as never))
  })

  it("is the newest version's for a new container", () => {
    for (const { hash, image: imageRef, spec } of golden) assert.strictEqual(specHash(imageRef, spec as never), hash)
  })

  it("does not care for the order of keys", () => {
    assert.strictEqual(specHash(image, { env: { A: "1", B: "2" } }), specHash(image, { env: { B: "2", A: "1" } }))
  })

  it.each([
    ["another image", "galaxy/engine:1.4.3", {}],
    ["an argument", image, { args: ["--x"] }],
    ["an environment variable", image, { env: { A: "1" } }],
    ["a limit", image, { resources: { pids: 5 } }],
    ["a label", image, { labels: { team: "a" } }],
    ["the stop signal", image, { stop_signal: "SIGINT" }]
  ])("changes with %s", (_because, imageRef, spec) => {
    assert.notStrictEqual(specHash(imageRef, spec), specHash(image, {}))
  })

  /** Something that each field may say. */
  const said: { readonly [K in keyof GameSpec]-?: GameSpec[K] & {} } = {
    command: ["/e"], args: ["a"], working_dir: "/w", user: "7", env: { A: { from_file: "a" } }, resources: { pids: 5 }, init: false, tty: true, stdin: true,
    volumes: [{ name: "v", target: "/v" }], tmpfs: [{ target: "/t" }], binds: [{ host_path: "/b", target: "/b" }], networks: [{ name: "n" }], ports: [{ container: 7777 }],
    labels: { team: "a" }, stop_signal: "INT", stop_grace: "1s", pull_policy: "always", restart: { base: "2s" }, registry_auth: "r", security: { read_only_root: true },
    logging: { driver: "none" }
  }
  it.each(Object.entries(specFields))("has %s in it as the reference says: %s", (field, change) => {
    const spec = { [field]: said[field as keyof GameSpec] }
    assert.strictEqual(specHash(image, spec) === specHash(image, {}), change === "live")
  })

  it.each(["volumes", "tmpfs", "binds", "networks", "ports", "security", "logging"] as const)("does not change with %s that say nothing", (field) => {
    for (const nothing of [[], {}]) assert.strictEqual(specHash(image, { [field]: nothing } as GameSpec), specHash(image, {}))
  })

  it("does not change with what needs no new container", () => {
    assert.strictEqual(specHash(image, { stop_grace: "5s", pull_policy: "always", restart: { base: "5s", never_on: [64] } }), specHash(image, {}))
  })

  it.each(["", "v1", "v1:", "v0:aaaa", "constructor:x", "__proto__:x"])("of an unknown version, %j, matches nothing", (hash) => {
    assert.isFalse(matchesSpec(hash, image, {}))
  })
})
