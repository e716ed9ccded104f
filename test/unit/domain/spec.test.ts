/** What a spec may say of its container: tables with a reason for each case. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeSpec, type GameSpec } from "../../../src/domain/GameSpec.ts"
import { type Host, hostProblem } from "../../../src/domain/spec/host.ts"
import { closed, type Reach, reachProblem } from "../../../src/domain/spec/reach.ts"
import { isAbsolutePath } from "../../../src/domain/spec/values.ts"

const limit = { soft: 1, hard: 2 }

describe("a spec", () => {
  it("takes every field, with all that it may say", () => {
    const spec = {
      working_dir: "/srv/game", user: "game:1001", env: { A: "x", B: { from_file: "g1/..data/token" }, C: { value: "x", secret: true }, D: { value: "x" } },
      resources: { shm_size: "128Mi", ulimits: { nofile: limit, core: { soft: 0, hard: 0 }, memlock: { soft: -1, hard: -1 } } },
      init: false, tty: true, stdin: true,
      volumes: [{ name: "maps", target: "/maps", read_only: true }], tmpfs: [{ target: "/tmp" }, { target: "/run", size: "1Mi", mode: "1777" }],
      binds: [{ host_path: "/srv/maps", target: "/srv/maps" }], networks: [{ name: "metrics", aliases: ["red.team"] }, { name: "team-a" }],
      registry_auth: "galaxy.registry", security: { cap_add: ["NET_BIND_SERVICE"], read_only_root: true, seccomp: "strict", apparmor: "game" },
      logging: { driver: "local", max_size: "1Mi", max_files: 1 }
    }
    const decoded = decodeSpec(spec)
    assert.deepStrictEqual(Result.isSuccess(decoded) ? decoded.success as unknown : decoded.failure, spec)
  })

  it.each([
    [{ working_dir: "game" }, "working_dir", "where from?"], [{ working_dir: "/srv/../etc" }, "working_dir", "leads elsewhere"],
    [{ user: "root;" }, "user", "no name"], [{ user: "a:b:c" }, "user", "one group"], [{ user: 0 }, "user", "a number is not text"],
    [{ env: { A: { from_file: "/run/secrets/a" } } }, "env.A.from_file", "below the root, wherever that is"],
    [{ env: { A: { from_file: "../a" } } }, "env.A.from_file", "out of the root"], [{ env: { A: { from_file: "g1/../../a" } } }, "env.A.from_file", "out of it further in"],
    [{ env: { A: { from_file: "g1//a" } } }, "env.A.from_file", "one way to write it"], [{ env: { A: { from_file: "." } } }, "env.A.from_file", "the root itself"],
    [{ env: { A: { from_file: "a\nb" } } }, "env.A.from_file", "would be two lines of a log"], [{ env: { A: { from_file: "" } } }, "env.A.from_file", "no file"], [{ env: { A: { value: 1 } } }, "env.A.value", "values are text"],
    [{ env: { A: { value: "x", from_file: "a" } } }, "env.A.value", "one or the other"], [{ env: { A: { secret: true } } }, "env.A.secret", "of what?"],
    [{ resources: { shm_size: "0" } }, "resources.shm_size", "none is a size of its own to the engine"],
    [{ resources: { ulimits: { rtprio: limit } } }, "resources.ulimits.rtprio", "would push other games aside"],
    [{ resources: { ulimits: { nofile: 5 } } }, "resources.ulimits.nofile", "two numbers"], [{ resources: { ulimits: { nofile: { soft: 1 } } } }, "resources.ulimits.nofile.hard", "both"],
    [{ resources: { ulimits: { nofile: { soft: 3, hard: 2 } } } }, "resources.ulimits.nofile.soft", "the kernel refuses it"],
    [{ resources: { ulimits: { nofile: { soft: -1, hard: 2 } } } }, "resources.ulimits.nofile.soft", "none is more than any"],
    [{ resources: { ulimits: { nofile: { soft: -2, hard: 2 } } } }, "resources.ulimits.nofile.soft", "less than none"],
    [{ init: "yes" }, "init", "yes or no is true or false"],
    [{ volumes: [{ name: "galaxy-game-g2", target: "/x" }] }, "volumes.0.name", "another game's state"], [{ volumes: [{ name: "Galaxy-Game-g2", target: "/x" }] }, "volumes.0.name", "in capitals too"],
    [{ volumes: [{ name: "/etc", target: "/x" }] }, "volumes.0.name", "would be a folder of the host"], [{ volumes: [{ target: "/x" }] }, "volumes.0.name", "which?"],
    [{ volumes: [{ name: "maps", target: "/var/lib/galaxy-game" }] }, "volumes.0.target", "the state is there"],
    ...["maps", "/", "/proc", "/proc/1", "/sys/fs", "/dev", "/dev/shm", "/a/../b", "/a/", "//a", "/a/."].map((target) =>
      [{ tmpfs: [{ target }] }, "tmpfs.0.target", "no place for a mount"] as const),
    [{ tmpfs: [{ target: "/a", mode: "4755" }] }, "tmpfs.0.mode", "whose programs would run as another"], [{ tmpfs: [{ target: "/a", mode: "u+x" }] }, "tmpfs.0.mode", "octal"],
    [{ volumes: [{ name: "maps", target: "/a" }], tmpfs: [{ target: "/a" }] }, "tmpfs.0.target", "two in one place"],
    [{ binds: [{ host_path: "/a", target: "/b" }, { host_path: "/c", target: "/b" }] }, "binds.1.target", "two of a kind"],
    [{ binds: [{ host_path: "/srv/maps/../../etc", target: "/b" }] }, "binds.0.host_path", "leads elsewhere"],
    [{ binds: [{ host_path: "/a", target: "/b", read_only: false }] }, "binds.0.read_only", "only to read"],
    [{ networks: [{ name: "host" }] }, "networks.0.name", "the host's own"], [{ networks: [{ name: "container:abc" }] }, "networks.0.name", "another container's"],
    [{ networks: [{ name: "a" }, { name: "a" }] }, "networks.1.name", "twice"], [{ networks: [{ name: "a", aliases: ["galaxy-game-g2"] }] }, "networks.0.aliases.0", "another game's name"],
    [{ registry_auth: "../a" }, "registry_auth", "a name, no path"], [{ registry_auth: "a/b" }, "registry_auth", "no path"],
    [{ security: { cap_add: ["ALL"] } }, "security.cap_add.0", "each by its name"], [{ security: { cap_add: ["CAP_CHOWN"] } }, "security.cap_add.0", "one way to write it"],
    [{ security: { seccomp: "unconfined" } }, "security.seccomp", "no profile"], [{ security: { apparmor: "Unconfined" } }, "security.apparmor", "no profile"],
    [{ security: { apparmor: "a b" } }, "security.apparmor", "no name"], [{ security: { privileged: true } }, "security.privileged", "never"],
    [{ logging: { driver: "syslog" } }, "logging.driver", "would dial an address"], [{ logging: { driver: "none", max_size: "1Mi" } }, "logging.max_size", "nothing to put aside"],
    [{ logging: { driver: "journald", max_files: 2 } }, "logging.max_files", "not its own files"], [{ logging: { max_size: "101Mi" } }, "logging.max_size", "disks are finite"],
    [{ logging: { max_files: 11 } }, "logging.max_files", "disks are finite"]
  ] as const)("refuses %j at %s: %s", (spec, path, _because) => {
    const decoded = decodeSpec(spec)
    assert.strictEqual(Result.isFailure(decoded) ? decoded.failure.path : "taken", path)
  })
})

describe("a path", () => {
  it.each(["/", "/a", "/a/b.c", "/..data", "/a b"])("%s leads where it says", (path) => assert.isTrue(isAbsolutePath(path)))
  it.each(["", "a", "/a/", "//", "/..", "/a/../b", "/./a", "/a\0", "/a\nb", `/${"x".repeat(4096)}`])("%j does not", (path) => assert.isFalse(isAbsolutePath(path)))
})

describe("what a game reaches of its host", () => {
  const open: Reach = {
    roots: { RTM_SECRETS_ROOT: "/s", RTM_REGISTRY_AUTH_ROOT: "/r", RTM_SECCOMP_ROOT: "/c" }, binds: ["/srv/maps"], volumes: ["maps", "shared-*"], networks: ["*"],
    apparmor: ["game"], capabilities: ["NET_RAW"], logDrivers: ["journald"]
  }
  const opened: ReadonlyArray<readonly [spec: GameSpec, path: string, setting: string]> = [
    [{ env: { A: "x", B: { from_file: "b" } } }, "spec.env.B.from_file", "RTM_SECRETS_ROOT"],
    [{ registry_auth: "galaxy" }, "spec.registry_auth", "RTM_REGISTRY_AUTH_ROOT"],
    [{ security: { seccomp: "strict" } }, "spec.security.seccomp", "RTM_SECCOMP_ROOT"],
    [{ security: { apparmor: "game" } }, "spec.security.apparmor", "RTM_APPARMOR_ALLOW"],
    [{ security: { cap_add: ["CHOWN", "NET_RAW"] } }, "spec.security.cap_add.1", "RTM_CAPS_ALLOW"],
    [{ binds: [{ host_path: "/srv/maps/de", target: "/a" }] }, "spec.binds.0.host_path", "RTM_BIND_ROOTS"],
    [{ volumes: [{ name: "shared-1", target: "/a" }] }, "spec.volumes.0.name", "RTM_VOLUMES_ALLOW"],
    [{ networks: [{ name: "metrics" }] }, "spec.networks.0.name", "RTM_NETWORKS_ALLOW"],
    [{ logging: { driver: "journald" } }, "spec.logging.driver", "RTM_LOG_DRIVERS_ALLOW"]
  ]
  it.each(opened)("%j is closed at %s until %s opens it", (spec, path, setting) => {
    assert.strictEqual(reachProblem(spec, closed)?.path, path)
    assert.include(reachProblem(spec, closed)?.message, setting)
    assert.isUndefined(reachProblem(spec, open))
  })
  it.each([
    [{ env: { A: { value: "x", secret: true } } }, "what the row itself says"], [{ security: { cap_add: ["CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"] } }, "the harmless ones"],
    [{ logging: { driver: "local" } }, "files of its own"], [{ tmpfs: [{ target: "/tmp" }] }, "memory of its own"], [{ security: { read_only_root: true } }, "less, not more"]
  ] as const)("%j reaches nothing: %s", (spec, _because) => assert.isUndefined(reachProblem(spec, closed)))
  it.each([
    [{ binds: [{ host_path: "/srv/maps2", target: "/a" }] }, "spec.binds.0.host_path", "only begins alike"], [{ binds: [{ host_path: "/srv", target: "/a" }] }, "spec.binds.0.host_path", "above the root"],
    [{ volumes: [{ name: "maps2", target: "/a" }] }, "spec.volumes.0.name", "a whole name"], [{ security: { cap_add: ["SYS_ADMIN"] } }, "spec.security.cap_add.0", "not the one that is open"]
  ] as const)("%j is closed still at %s: %s", (spec, path, _because) => assert.strictEqual(reachProblem(spec, open)?.path, path))
})

describe("a host", () => {
  const host: Host = { cpus: 2, memoryBytes: 4 * 2 ** 30, security: ["seccomp"] }
  it.each([
    [{ resources: { memory: "4Gi", cpus: 2 } }, host, undefined, "all that there is"], [{ resources: { memory: "5Ti", cpus: 99 } }, {}, undefined, "an engine that does not say"],
    [{ resources: { memory: "4097Mi" } }, host, "spec.resources.memory: asks for 4296015872 bytes of memory, and the host has 4294967296", "more memory"],
    [{ resources: { cpus: 2.5 } }, host, "spec.resources.cpus: asks for 2.5 CPUs, and the host has 2", "more CPUs"],
    [{ security: { seccomp: "a" } }, host, undefined, "a mechanism that it has"],
    [{ security: { apparmor: "a" } }, host, "spec.security.apparmor: names a profile, and the engine's host does not confine by apparmor", "the engine would pass over it"]
  ] as const)("asked for %j: %#", (spec, on, wanted, _because) => {
    const problem = hostProblem(spec, on)
    assert.strictEqual(problem && `${problem.path}: ${problem.message}`, wanted)
  })
})
