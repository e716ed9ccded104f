import { assert, describe, it } from "@effect/vitest"
import { asCluster, parseRedisAddress } from "../../../src/domain/RedisAddress.ts"

const hosts = [{ host: "a", port: 1 }, { host: "b", port: 2 }]

describe("an address of Redis", () => {
  it.each([
    ["one server is the client's own form", "redis://u:p@cache:6380/2", { _tag: "Single", url: "redis://u:p@cache:6380/2" }],
    ["sentinels and the name of the master", "redis+sentinel://a:1,b:2/games", { _tag: "Sentinel", hosts, master: "games", db: 0, tls: false }],
    ["sentinels have a port by custom", "redis+sentinel://a/games", { _tag: "Sentinel", hosts: [{ host: "a", port: 26_379 }], master: "games", db: 0, tls: false }],
    ["login, database and the sentinels' own login", "rediss+sentinel://u:p%40@a:1,b:2/games/3?sentinel_password=s",
      { _tag: "Sentinel", hosts, master: "games", db: 3, username: "u", password: "p@", tls: true, sentinelPassword: "s" }],
    ["nodes of a cluster", "redis+cluster://:p@a:1,b:2", { _tag: "Cluster", hosts, password: "p", tls: false }],
    ["an IPv6 host", "redis+cluster://[::1]:7000", { _tag: "Cluster", hosts: [{ host: "::1", port: 7000 }], tls: false }]
  ])("%s", (_because, text, wanted) => assert.deepStrictEqual(parseRedisAddress(text) as unknown, wanted))

  it.each([
    ["another protocol", "http://cache"], ["no host", "redis+cluster://"], ["no master's name", "redis+sentinel://a:1"], ["a port too far", "redis+cluster://a:70000"],
    ["an empty host", "redis+cluster://a:1,,b:2"], ["a cluster has one database", "redis+cluster://a:1/3"], ["a bare % in a password", "redis://u:50%@cache"],
    ["a bare % in a password of several", "redis+cluster://u:50%@a:1"], ["a database in words", "redis+sentinel://a:1/games/one"]
  ])("%s is none", (_because, text) => assert.isUndefined(parseRedisAddress(text)))

  it("of one server can turn out to be a node of a cluster", () => {
    assert.deepStrictEqual(asCluster({ _tag: "Single", url: "rediss://u:p%40@n:7000" }), {
      _tag: "Cluster", hosts: [{ host: "n", port: 7000 }], username: "u", password: "p@", tls: true
    })
  })
})
