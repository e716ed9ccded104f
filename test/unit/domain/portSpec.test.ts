/** Ports of a spec: what it may say, what is admitted of it, and the words for what cannot be had. A reason for each case. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { admissionProblem, noLimits } from "../../../src/domain/Admission.ts"
import { decodeSpec } from "../../../src/domain/GameSpec.ts"
import { named, type PortSpec, wantsOf } from "../../../src/domain/portSpec.ts"
import { addressesOverlap, canonicalAddress, noPortFreeText, type PortWant } from "../../../src/domain/ports.ts"
import { specHash } from "../../../src/domain/specHash.ts"

const image = "galaxy/engine:1.4.2"
const problem = (ports: unknown) => {
  const decoded = decodeSpec({ ports })
  return Result.isFailure(decoded) ? decoded.failure : undefined
}

describe("ports of a spec", () => {
  it.each([
    [[], "none"], [[{ container: 8080 }], "the least"],
    [[{ name: "game", container: 8080, protocol: "udp", host: 7777, count: 4, address: "203.0.113.7" }], "the most"],
    [[{ container: 9000 }, { container: 9000, protocol: "udp" }], "the same number of another protocol"],
    [[{ container: 1, host: 7777, address: "10.0.0.1" }, { container: 2, host: 7777, address: "10.0.0.2" }], "the same port of another address"],
    [[{ container: 65_535, host: 65_535 }], "the last ones"], [[{ container: 8080, address: "::1" }], "IPv6"]
  ])("may be %j: %s", (ports, _because) => {
    assert.isUndefined(problem(ports))
  })

  it.each([
    [[{}], "ports.0.container", "no port of the container"], [[{ container: 0 }], "ports.0.container", "the engine would pick one"],
    [[{ container: 8080, host: 0 }], "ports.0.host", "the engine would pick one"], [[{ container: 65_536 }], "ports.0.container", "no such port"],
    [[{ container: "8080" }], "ports.0.container", "text"], [[{ container: 8080, protocol: "sctp" }], "ports.0.protocol", "not carried on"],
    [[{ container: 8080, count: 65 }], "ports.0.count", "too many"], [[{ container: 65_535, count: 2 }], "ports.0.count", "beyond the last port"],
    [[{ container: 1, host: 65_535, count: 2 }], "ports.0.count", "beyond the last port of the host"],
    [[{ container: 8080, address: "host.example" }], "ports.0.address", "a name"], [[{ container: 8080, address: "::ffff:10.0.0.1" }], "ports.0.address", "in disguise"],
    [[{ container: 8080, address: "fe80::1%eth0" }], "ports.0.address", "with a zone"], [[{ container: 8080, name: "Game" }], "ports.0.name", "capitals"],
    [[{ container: 8080, ip: "x" }], "ports.0.ip", "unknown keys are refused"],
    [[{ container: 8080, count: 3 }, { container: 8082 }], "ports.1.container", "in the block before it"],
    [[{ container: 1, host: 7777, count: 2 }, { container: 9, host: 7778 }], "ports.1.host", "in the block before it"],
    [[{ container: 1, host: 7777, address: "10.0.0.1" }, { container: 9, host: 7777, address: "0.0.0.0" }], "ports.1.host", "all addresses have that one"],
    [[{ container: 1, host: 7777, address: "::1" }, { container: 9, host: 7777, address: "0:0::1" }], "ports.1.host", "the same address, written otherwise"],
    [[{ container: 1, name: "a" }, { container: 2, name: "a" }], "ports.1.name", "twice"],
    [Array.from({ length: 65 }, (_, index) => ({ container: index + 1 })), "ports", "too many entries"]
  ])("may not be %j, which is wrong at %s: %s", (ports, path, _because) => {
    assert.strictEqual(problem(ports)?.path, path)
  })

  it("are part of what runs, and specs without them hash as ever", () => {
    assert.notStrictEqual(specHash(image, { ports: [{ container: 8080 }] }), specHash(image, {}))
    assert.notStrictEqual(specHash(image, { ports: [{ container: 8080 }] }), specHash(image, { ports: [{ container: 8080, host: 1 }] }))
  })

  it("are asked for with the installation's address where they name none, and told with their names", () => {
    const specs: ReadonlyArray<PortSpec> = [{ name: "game", container: 9000, protocol: "udp", count: 2 }, { container: 9000, host: 7777, address: "0:0::1" }]
    assert.deepStrictEqual(wantsOf(specs, { address: "10.0.0.1" }), [
      { container: 9000, protocol: "udp", address: "10.0.0.1", host: null, count: 2 }, { container: 9000, protocol: "tcp", address: "::1", host: 7777, count: 1 }
    ])
    const port = { container: 9001, protocol: "udp", address: "10.0.0.1", host: 20_001 } as const
    assert.deepStrictEqual(named([port, { ...port, container: 9002 }], specs), [{ name: "game", ...port }, { ...port, container: 9002 }])
  })

  const ports = { range: { from: 20_000, to: 20_001 }, fixed: [{ from: 7000, to: 7999 }, { from: 27_015, to: 27_015 }] }
  it.each([
    [[{ container: 1, count: 2 }], ports, "as many as the range has"], [[{ container: 1, host: 7998, count: 2 }], ports, "within"],
    [[{ container: 1, host: 27_015 }], ports, "one alone"], [[{ container: 1, host: 1 }, { container: 2 }], undefined, "any, where none are named"]
  ])("%j are admitted: %#", (asked, admission, _because) => {
    assert.isUndefined(admissionProblem(image, { ports: asked }, admission ? { ...noLimits, ports: admission } : noLimits))
  })

  it.each([
    [[{ container: 1 }], { ...ports, range: undefined }, "spec.ports.0", /RTM_PORT_RANGE/, "there is no range"],
    [[{ container: 1, host: 7000 }, { container: 5, count: 3 }], ports, "spec.ports.1.count", /at most 2 here/, "the range has no such block"],
    [[{ container: 1, host: 22 }], ports, "spec.ports.0.host", /RTM_HOST_PORTS takes 7000-7999, 27015/, "the host's own"],
    [[{ container: 1, host: 7999, count: 2 }], ports, "spec.ports.0.host", /RTM_HOST_PORTS/, "its end is without"]
  ])("%j are refused at %3$s: %#", (asked, admission, path, words, _because) => {
    const found = admissionProblem(image, { ports: asked }, { ...noLimits, ports: admission })
    assert.strictEqual(found?.path, path)
    assert.match(found?.message ?? "", words)
  })
})

describe("an address", () => {
  it("is on a wildcard, and not on another", () => {
    assert.isTrue(addressesOverlap("0.0.0.0", "10.0.0.1") && addressesOverlap("::1", "::") && addressesOverlap("10.0.0.1", "10.0.0.1"))
    assert.isFalse(addressesOverlap("10.0.0.1", "10.0.0.2"))
    assert.strictEqual(canonicalAddress("2001:DB8:0:0::1"), "2001:db8::1")
  })
})

describe("what cannot be had", () => {
  const want: PortWant = { container: 1, protocol: "udp", address: "0.0.0.0", host: null, count: 1 }
  const text = (change: Partial<PortWant>, holder: string | null = null) => noPortFreeText({ _tag: "NoPortFree", want: { ...want, ...change }, holder }, { from: 1, to: 9 })
  it("is told with the range, or with who has it", () => {
    assert.strictEqual(text({}), "no port (udp) free in RTM_PORT_RANGE 1-9")
    assert.strictEqual(text({ count: 3 }), "no 3 ports in a row (udp) free in RTM_PORT_RANGE 1-9")
    assert.strictEqual(text({ host: 5 }, "game g2"), "port 5 (udp) of the host is held by game g2")
    assert.strictEqual(text({ host: 5, count: 2 }, "a process of the host"), "one of the ports 5-6 (udp) of the host is held by a process of the host")
  })
})
