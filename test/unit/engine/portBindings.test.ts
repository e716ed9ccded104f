/** Ports in the engine's words: as they are asked for, shown, and refused. The refusals are those of real engines. */
import { assert, describe, it } from "@effect/vitest"
import { publishedPorts, publishing, takenPort } from "../../../src/engine/docker/portBindings.ts"

const failed = "driver failed programming external connectivity on endpoint galaxy-game-g1 (a7f0): "
const failed28 = `failed to set up container networking: ${failed}`

describe("ports of a container", () => {
  const ports = [
    { container: 8080, protocol: "tcp", address: "0.0.0.0", host: 20_000 },
    { container: 8080, protocol: "udp", address: "::1", host: 20_001 }
  ] as const

  it("are shown as they were asked for", () => {
    const { ExposedPorts, PortBindings } = publishing(ports)
    assert.deepStrictEqual(ExposedPorts, { "8080/tcp": {}, "8080/udp": {} })
    assert.deepStrictEqual(publishedPorts(PortBindings), [...ports])
    assert.deepStrictEqual(publishing(undefined), { ExposedPorts: {}, PortBindings: {} })
  })

  it("are none where the engine is to pick one, or nothing is published", () => {
    assert.deepStrictEqual(publishedPorts(null), [])
    assert.deepStrictEqual(publishedPorts(undefined), [])
    assert.deepStrictEqual(publishedPorts({ "80/tcp": [{ HostIp: "", HostPort: "" }], "81/tcp": null, "82/sctp": [{ HostPort: "5" }], "83": [{ HostPort: "7" }] }), [
      { container: 83, protocol: "tcp", address: "0.0.0.0", host: 7 }
    ])
  })

  it.each([
    ["20.10, a container", `${failed}Bind for 0.0.0.0:31001 failed: port is already allocated`, { host: 31_001, protocol: null }],
    ["20.10, a process", `${failed}Error starting userland proxy: listen tcp4 127.0.0.1:31003: bind: address already in use`, { host: 31_003, protocol: "tcp" }],
    ["20.10, a process, udp", `${failed}Error starting userland proxy: listen udp4 0.0.0.0:31004: bind: address already in use`, { host: 31_004, protocol: "udp" }],
    ["20.10, an address of its own", `${failed}Error starting userland proxy: listen tcp4 10.99.99.99:31009: bind: cannot assign requested address`, undefined],
    ["28.5, a container", `${failed28}Bind for 0.0.0.0:31001 failed: port is already allocated`, { host: 31_001, protocol: null }],
    ["28.5, a process", `${failed28}failed to bind host port for 127.0.0.1:31003:10.220.0.3:8080/tcp: address already in use`, { host: 31_003, protocol: "tcp" }],
    ["28.5, a process, udp", `${failed28}failed to bind host port for 0.0.0.0:31004:10.220.0.4:9000/udp: address already in use`, { host: 31_004, protocol: "udp" }],
    ["IPv6", `${failed28}failed to bind host port for [2001:1234::1]:31005:[fd00::2]:9000/udp: address already in use`, { host: 31_005, protocol: "udp" }],
    ["something else", `${failed}Error starting userland proxy: no such device`, undefined],
    ["a port that is none", `${failed}Bind for 0.0.0.0:99999 failed: port is already allocated`, undefined]
  ])("which one is taken is read from the engine's refusal: %s", (_what, message, taken) => {
    assert.deepStrictEqual<unknown>(takenPort(message), taken)
  })
})
