import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { readConfig, readSettings } from "../../../src/config.ts"
import { admissionOf, engineOptions } from "../../../src/options.ts"
import { addressProblem } from "../../../src/store/postgres/client.ts"
import { addressProblem as redisAddressProblem } from "../../../src/streams/redis/client.ts"

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
    ["RTM_LEASE", "1s", "too short to be renewed in time"], ["DOCKER_TLS_VERIFY", "1", "without the folder of its files"],
    ["RTM_REGISTRIES", "https://registry.example", "a host, no address"], ["RTM_LABELS_ALLOW", ",", "none"], ["RTM_LABELS_ALLOW", "traefik.*", "a prefix, no pattern"],
    ["RTM_MAX_MEMORY", "1Mi", "less than an engine takes"], ["RTM_DEFAULT_CPUS", "0", "none"], ["RTM_MAX_PIDS", "0", "none"],
    ["RTM_SECRETS_ROOT", "secrets", "where from?"], ["RTM_BIND_ROOTS", "/", "all of the host"], ["RTM_BIND_ROOTS", "/srv/../etc", "leads elsewhere"],
    ["RTM_BIND_ROOTS", "srv", "where from?"], ["RTM_VOLUMES_ALLOW", "a*b", "* ends a name"], ["RTM_NETWORKS_ALLOW", "a/b", "no name"],
    ["RTM_CAPS_ALLOW", "ALL", "each by its name"], ["RTM_CAPS_ALLOW", "CAP_SYS_NICE", "as a spec names it"], ["RTM_LOG_DRIVERS_ALLOW", "syslog", "none that there is"]
  ])("refuse %s=%s, naming what is wrong: %s", (variable, value, _because) => {
    const [problem] = problems({ [variable]: value })
    assert.match(problem ?? "", /; (?:with DOCKER_TLS_VERIFY )?it takes /)
  })

  it("take lists with spaces, and no default above its maximum", () => {
    assert.deepStrictEqual(Result.getOrThrow(readConfig({ ...needed, RTM_REGISTRIES: "docker.io, registry.example:5000 ," })).registries, ["docker.io", "registry.example:5000"])
    assert.deepStrictEqual(problems({ RTM_DEFAULT_MEMORY: "2Gi", RTM_MAX_MEMORY: "1024Mi" }), ["RTM_DEFAULT_MEMORY is more than RTM_MAX_MEMORY; it takes that at most"])
    assert.deepStrictEqual(problems({ RTM_DEFAULT_MEMORY: "1Gi", RTM_MAX_MEMORY: "1024Mi" }), [])
  })

  it("open nothing of the host by themselves, and folders that are apart from what games must not read", () => {
    assert.deepStrictEqual(admissionOf(Result.getOrThrow(readConfig(needed))).reach, {
      roots: { RTM_SECRETS_ROOT: undefined, RTM_REGISTRY_AUTH_ROOT: undefined, RTM_SECCOMP_ROOT: undefined },
      binds: [], volumes: [], networks: [], apparmor: [], capabilities: [], logDrivers: []
    })
    const opened = { RTM_BIND_ROOTS: "/srv/maps, /srv/music", RTM_STATE_ROOT: "/srv/games", RTM_CAPS_ALLOW: "NET_RAW", RTM_VOLUMES_ALLOW: "maps,shared-*" }
    assert.deepInclude(admissionOf(Result.getOrThrow(readConfig({ ...needed, ...opened }))).reach,
      { binds: ["/srv/maps", "/srv/music"], capabilities: ["NET_RAW"], volumes: ["maps", "shared-*"] })
    for (const root of ["/srv", "/srv/games", "/srv/games/galaxy-game-g1"]) {
      assert.deepStrictEqual(problems({ ...opened, RTM_BIND_ROOTS: root }), ["RTM_BIND_ROOTS overlaps RTM_STATE_ROOT; it takes folders apart from it"])
    }
  })

  it("limit a game whose spec says nothing to the largest that one may ask for", () => {
    const limits = (env: Record<string, string>) => engineOptions(Result.getOrThrow(readConfig({ ...needed, ...env }))).defaults
    assert.deepStrictEqual(limits({}), { pids: 512 })
    assert.deepStrictEqual(limits({ RTM_MAX_MEMORY: "1Gi", RTM_MAX_CPUS: "2", RTM_MAX_PIDS: "100" }), { pids: 100, memory: "1Gi", cpus: 2 })
    assert.deepStrictEqual(limits({ RTM_MAX_MEMORY: "1Gi", RTM_DEFAULT_MEMORY: "64Mi", RTM_MAX_PIDS: "1000" }), { pids: 512, memory: "64Mi" })
  })

  it("never show a secret", () => {
    const [problem] = problems({ DATABASE_URL: "mysql://root:hunter2@db" })
    assert.match(problem ?? "", /^DATABASE_URL is a value that is not shown/)
    assert.notInclude(problem ?? "", "hunter2")
  })
})

describe("an address of PostgreSQL", () => {
  it.each([
    ["postgres://u:p@db/rt", "the plain one"], ["postgresql://db", "user and database by their defaults"],
    ["postgres://u:p%25%40@db:6000/rt", "escapes in the password"], ["postgres://u:p@h1,h2:6000/rt?target_session_attrs=read-write", "several hosts"],
    ["postgres://u:p@[::1]:5432/rt", "IPv6"], ["postgres://u:p@h1,[fe80::1]/rt?sslmode=verify-full", "and among several"],
    ["postgres://u:p@db/games%20of%20old", "a database with spaces"], ["postgres://u:p@db/rt?application_name=x", "a setting of the server"]
  ])("may be %s: %s", (url, _because) => {
    assert.isUndefined(addressProblem(url))
  })

  it.each([
    ["postgres://u:hunter%2@db/rt", /a % that begins no escape/, "cannot be decoded"], ["postgres://u:p@db/hunter2%", /a % that begins no escape/, "nor here"],
    ["postgres://u:hunter2/x@db/rt", /takes hosts|is no address/, "a slash in the password"], ["postgres://u:hunter2#x@db/rt", /is no address/, "a hash in the password"],
    ["postgres://u:p@db:99999/rt", /takes hosts/, "no such port"], ["postgres://u:p@h1:x,h2/rt", /takes hosts/, "no port"],
    ["postgres://u:p@%2Ftmp/rt", /takes hosts/, "a socket's folder, which the client would look up as a name"],
    ["postgres://u:p@db/rt?channel_binding=require", /has channel_binding, .*sslmode=verify-full/, "the client binds no channel"],
    ["postgres://u:p@db/rt?sslrootcert=/ca.pem", /has sslrootcert/, "the client reads no such file, and would send its name to the server"],
    ["postgres://u:p@db/rt?host=/tmp", /has host/, "the client would send it to the server"],
    ["postgres://u:p@db/rt?sslmode=yes", /sslmode/, "would be taken for verify-full"],
    ["postgres://u:p@db/rt?target_session_attrs=standby", /target_session_attrs/, "takes no writes"]
  ] as const)("is not %s", (url, problem, _because) => {
    const said = addressProblem(url) ?? ""
    assert.match(said, problem)
    assert.notInclude(said, "hunter2")
  })

  it("that will not do is refused by its variable, with all else that is wrong", () => {
    const config = readConfig({ DATABASE_URL: "postgres://u:hunter2%@db", REDIS_URL: "redis://:hunter2%@cache", RTM_WORKERS: "0" }, { databaseUrl: addressProblem, redisUrl: redisAddressProblem })
    const said = Result.isFailure(config) ? config.failure : []
    assert.deepStrictEqual(said.map((problem) => problem.split(" ")[0]!), ["DATABASE_URL", "REDIS_URL", "RTM_WORKERS"])
    assert.notInclude(said.join(), "hunter2")
  })

  it("is all that a command for the database needs", () => {
    assert.isTrue(Result.isSuccess(readSettings({ DATABASE_URL: needed.DATABASE_URL }, ["databaseUrl", "databaseDirectUrl"])))
  })
})

describe("an address of Redis", () => {
  it.each(["redis://cache", "rediss://u:p%25@cache:6380/3", "redis://[::1]:6379", "redis://cache/"])("may be %s", (url) => {
    assert.isUndefined(redisAddressProblem(url))
  })
  it.each([
    ["redis://:hunter2%@cache", /a % that begins no escape/], ["redis://:hunter2/x@cache", /is no address/], ["redis://cache/hunter2", /no number/]
  ] as const)("is not %s", (url, problem) => {
    const said = redisAddressProblem(url) ?? ""
    assert.match(said, problem)
    assert.notInclude(said, "hunter2")
  })
})
