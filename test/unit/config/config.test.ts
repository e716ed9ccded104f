import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { readConfig } from "../../../src/config.ts"

const needed = { DATABASE_URL: "postgres://u:secret@db/rt", REDIS_URL: "redis://cache" }
const problems = (env: Record<string, string>): ReadonlyArray<string> => {
  const config = readConfig({ ...needed, ...env })
  return Result.isFailure(config) ? config.failure : []
}

describe("the settings", () => {
  it("need two addresses, and have a default for all else", () => {
    const config = Result.getOrThrow(readConfig(needed))
    assert.strictEqual(Redacted.value(config.databaseUrl), needed.DATABASE_URL)
    assert.strictEqual(config.reconcileIntervalMs, 30_000)
    assert.strictEqual(config.dockerHost, "unix:///var/run/docker.sock")
  })

  it("are all told at once when they are wrong", () => {
    const config = readConfig({ RTM_WORKERS: "many", RTM_LEASE: "soon" })
    assert.isTrue(Result.isFailure(config))
    if (Result.isFailure(config)) {
      assert.sameMembers(config.failure.map((problem) => problem.split(" ")[0]!), ["DATABASE_URL", "REDIS_URL", "RTM_WORKERS", "RTM_LEASE"])
    }
  })

  it("take an empty value for none", () => {
    assert.deepStrictEqual(problems({ RTM_WORKERS: "" }), [])
  })

  it.each([
    ["RTM_WORKERS", "0", "nobody would work"], ["RTM_WORKERS", "1e3", "plain digits only"], ["RTM_WORKERS", " 4", "no spaces"],
    ["RTM_RECONCILE_INTERVAL", "30", "a unit is needed"], ["RTM_RECONCILE_INTERVAL", "0", "a resync without pause"],
    ["RTM_IMAGE_PULL_POLICY", "Always", "small letters"], ["RTM_HTTP_ADDR", "8096", "host and port"], ["RTM_HTTP_ADDR", ":99999", "no such port"],
    ["DOCKER_HOST", "/var/run/docker.sock", "an address, not a path"], ["DOCKER_HOST", "ssh://host", "not spoken here"],
    ["RTM_LEASE", "1s", "too short to be renewed in time"], ["DOCKER_TLS_VERIFY", "1", "without the folder of its files"]
  ])("refuse %s=%s, naming what is wrong: %s", (variable, value, _because) => {
    const [problem] = problems({ [variable]: value })
    assert.match(problem ?? "", /; (?:with DOCKER_TLS_VERIFY )?it takes /)
  })

  it("never show a secret", () => {
    const [problem] = problems({ DATABASE_URL: "mysql://root:hunter2@db" })
    assert.match(problem ?? "", /^DATABASE_URL is a value that is not shown/)
    assert.notInclude(problem ?? "", "hunter2")
  })
})
