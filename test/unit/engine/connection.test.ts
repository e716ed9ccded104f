import { assert, describe, it } from "@effect/vitest"
import { agreedApi } from "../../../src/engine/docker/connection.ts"

describe("the API version", () => {
  it.each([
    ["1.41", "1.41", "an older engine speaks no newer one"],
    ["1.44", "1.44", "the oldest that engine 29 still speaks is below ours"],
    ["1.51", "1.51", "the one that was written for"],
    ["1.52", "1.51", "a newer engine still speaks ours"],
    ["2.0", "1.51", "a next major, as long as it takes ours"]
  ])("of an engine with %s is %s", (engines, agreed, because) => {
    assert.strictEqual(agreedApi(engines), agreed, because)
  })
})
