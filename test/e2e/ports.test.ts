/** Ports of the host that games have: from a range or by name, in blocks, taken by others, and never twice. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { createSocket } from "node:dgram"
import { environment } from "../support/environment.ts"
import { listen } from "../support/listen.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const [first] = environment.engines
const newest = environment.engines.at(-1)!

interface Port {
  readonly name?: string
  readonly container: number
  readonly protocol: string
  readonly address: string
  readonly host: number
}


const send = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = createSocket("udp4")
    socket.on("error", () => {}).send("x", port, "127.0.0.1", (error) => {
      socket.close()
      if (error) reject(error)
      else resolve()
    })
  })

const reach = (port: number) => fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) }).then(({ status }) => status, () => 0)

describe.each(environment.engines)("ports of games on $name", (engine) => {
  const world = new World(engine.host)
  const from = engine === first ? 31_000 : 31_100
  const ports = async (gameId: string): Promise<ReadonlyArray<Port>> => (await world.record(gameId))?.ports ?? []
  const bindings = async (id: string) => (await world.docker.getContainer(id).inspect()).HostConfig.PortBindings as Record<string, Array<{ HostIp: string; HostPort: string }>>
  /** How many came in that nobody listens for. */
  const datagrams = async (id: string): Promise<number> => {
    const exec = await world.docker.getContainer(id).exec({ Cmd: ["cat", "/proc/net/snmp"], AttachStdout: true, Tty: true })
    let text = ""
    for await (const chunk of await exec.start({ Tty: true })) text += chunk
    const [names, values] = text.split(/\r?\n/).filter((line) => line.startsWith("Udp:")).map((line) => line.split(" "))
    return Number(values![names!.indexOf("NoPorts")])
  }
  const claims = async (gameId: string): Promise<ReadonlyArray<number>> =>
    (await world.sql`SELECT port FROM rtmanager.port_claims WHERE game_id = ${gameId} AND freed_at IS NULL ORDER BY port`).map(({ port }) => port as number)
  let controller: ControllerProcess
  beforeAll(async () => {
    await world.open()
    controller = await world.start({ RTM_PORT_RANGE: `${from}-${from + 49}`, RTM_HOST_PORTS: `${from}-${from + 99}` })
  })
  afterAll(() => world.close())
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-60).join("\n"))
  })

  it("are reached on the host, told in the record and to the job, kept through an exchange, and given back with the game", async () => {
    const spec = { ports: [{ name: "game", container: 8080 }] }
    const told = await world.result(await world.startJob("p1", environment.images.game, { spec: JSON.stringify(spec), restart_policy: "always" }))
    const [port] = JSON.parse(told.ports!) as ReadonlyArray<Port>
    assert.deepStrictEqual(port, { name: "game", container: 8080, protocol: "tcp", address: "0.0.0.0", host: from })
    assert.strictEqual(await reach(from), 200)
    const { current_container_id: first } = await world.status("p1", "running")
    assert.deepStrictEqual(await ports("p1"), [port!])

    await world.sql`UPDATE rtmanager.games SET spec = spec || '{"env":{"A":"1"},"stop_grace":"1s"}' WHERE game_id = 'p1'`
    const second = await until("it is exchanged", async () => {
      const record = await world.record("p1")
      return record?.status === "running" && record.current_container_id !== first ? record : undefined
    })
    assert.deepStrictEqual(second.ports, [port!])
    await world.docker.getContainer(second.current_container_id).kill()
    await until("it runs again", async () => {
      const record = await world.record("p1")
      return record?.status === "running" && record.restart_count === 1
    })
    assert.deepStrictEqual([await reach(from), await claims("p1")], [200, [from]])

    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'p1'`
    await world.status("p1", "removed")
    await until("its port is free", async () => (await claims("p1")).length === 0)
    await world.insertGame("p2", { spec })
    await world.status("p2", "running")
    assert.deepStrictEqual((await ports("p2")).map(({ host }) => host), [from + 1], "what was given back cools down")
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'p2'`
  })

  it("come in blocks, of both protocols, and all of them lead to the container", async () => {
    await world.insertGame("b1", { spec: { command: ["/bin/sh", "-c", "httpd -p 9000 -h /; httpd -p 9001 -h /; sleep 600"], ports: [{ container: 9000, protocol: "udp", count: 3 }, { container: 9000, host: from + 60, count: 2 }] } })
    const { current_container_id: id } = await world.status("b1", "running")
    const had = await ports("b1")
    const udp = had.filter(({ protocol }) => protocol === "udp").map(({ container, host }) => [container, host])
    const base = udp[0]![1]!
    assert.deepStrictEqual(udp, [[9000, base], [9001, base + 1], [9002, base + 2]])
    assert.deepStrictEqual(had.filter(({ protocol }) => protocol === "tcp").map(({ container, host }) => [container, host]), [[9000, from + 60], [9001, from + 61]])
    assert.deepStrictEqual(Object.keys(await bindings(id)).sort(), ["9000/tcp", "9000/udp", "9001/tcp", "9001/udp", "9002/udp"])
    const { Ports: shown } = await world.docker.getContainer(id).inspect().then(({ NetworkSettings }) => NetworkSettings)
    assert.strictEqual(shown["9002/udp"]?.[0]?.HostPort, String(base + 2))
    for (const port of [from + 60, from + 61]) await until(`port ${port} answers`, async () => (await reach(port)) > 0)
    const before = await datagrams(id)
    for (const [, port] of udp) await send(port!)
    await until("they came in", async () => (await datagrams(id)) >= before + udp.length)
  })

  it("that a process or another container has are passed over in the range, with who has them noted", async () => {
    const free = Math.max(...(await world.sql`SELECT port FROM rtmanager.port_claims WHERE protocol = 'tcp' AND port < ${from + 50}`).map(({ port }) => port as number)) + 1
    const close = await listen(free)
    const other = await world.docker.createContainer({
      name: `${world.name}-web`, Image: environment.images.game, ExposedPorts: { "8080/tcp": {} },
      HostConfig: { NetworkMode: world.network, PortBindings: { "8080/tcp": [{ HostIp: "0.0.0.0", HostPort: String(free + 1) }] } }
    })
    try {
      await other.start()
      const told = await world.result(await world.startJob("t1", environment.images.game, { spec: JSON.stringify({ ports: [{ container: 8080 }] }) }))
      assert.deepInclude(told, { outcome: "success", error_message: "" })
      const [port] = JSON.parse(told.ports!) as ReadonlyArray<Port>
      assert.notInclude([free, free + 1], port!.host)
      assert.strictEqual(await reach(port!.host), 200)
      assert.lengthOf(await world.containers("t1"), 1)
      const held = await world.sql`SELECT port, holder, game_id, quarantined_until > now() + interval '4 min' AS long FROM rtmanager.port_claims WHERE quarantined_until IS NOT NULL ORDER BY port`
      assert.deepInclude(held.find(({ port }) => port === free), { holder: "a process of the host", game_id: null, long: true })
      assert.match(held.find(({ port }) => port === free + 1)?.holder, new RegExp(`^container ${world.name}-web \\([0-9a-f]{12}\\)$`))
    } finally {
      await close()
      await other.remove({ force: true, v: true })
    }
  })

  it("that a game names and somebody has fail with his name, and are had when he lets go", async () => {
    const port = from + 70
    const close = await listen(port)
    const spec = { ports: [{ container: 8080, host: port }] }
    await world.insertGame("f1", { spec })
    const failed = await until("it fails", async () => {
      const record = await world.record("f1")
      return record?.last_error_code === "no_port_free" ? record : undefined
    })
    assert.deepInclude(failed, { status: "stopped", last_error_message: `port ${port} (tcp) of the host is held by a process of the host` })
    const second = await world.result(await world.startJob("f2", environment.images.game, { spec: JSON.stringify({ ports: [{ container: 8080, host: from + 60 }] }) }))
    assert.deepInclude(second, { outcome: "failure", error_code: "no_port_free", container_id: "", ports: "" })
    assert.strictEqual(second.error_message, `port ${from + 60} (tcp) of the host is held by game b1`)
    assert.deepStrictEqual(await world.containers("f1"), [])
    await close()
    await world.status("f1", "running", 60_000)
    assert.strictEqual(await reach(port), 200)
  })

  it("that are not to be had leave a running game alone", async () => {
    const { current_container_id: id } = await world.status("f1", "running")
    await world.sql`UPDATE rtmanager.games SET spec = ${world.sql.json({ ports: [{ container: 8080, host: from + 61 }] })} WHERE game_id = 'f1'`
    const failed = await until("the change fails", async () => {
      const record = await world.record("f1")
      return record?.last_error_code === "no_port_free" ? record : undefined
    })
    assert.deepInclude(failed, { status: "running", current_container_id: id })
    assert.deepStrictEqual([await reach(from + 70), await claims("f1")], [200, [from + 70]])
    await world.sql`UPDATE rtmanager.games SET spec = ${world.sql.json({ ports: [{ container: 70_000 }] })} WHERE game_id = 'f1'`
    await until("it is refused", async () => (await world.record("f1"))?.last_error_code === "start_config_invalid")
    assert.match((await world.record("f1"))!.last_error_message, /^spec\.ports\.0\.container: /)
  })
})

describe(`the last 20 ports on ${newest.name}`, () => {
  const world = new World(newest.host)
  beforeAll(async () => {
    await world.open()
    await world.start({ RTM_PORT_RANGE: "31200-31219" })
  })
  afterAll(() => world.close())

  it("go to 20 of 40 games that ask at once, and the others are told that there is none", async () => {
    const spec = JSON.stringify({ ports: [{ container: 8080, protocol: "udp" }] })
    const jobs = await Promise.all(Array.from({ length: 40 }, (_, index) => world.startJob(`m${index}`, environment.images.game, { spec })))
    const results = await Promise.all(jobs.map((job) => world.result(job, 120_000)))
    const had = results.filter(({ outcome }) => outcome === "success").flatMap((result) => (JSON.parse(result.ports!) as ReadonlyArray<Port>).map(({ host }) => host))
    assert.deepStrictEqual(had.sort(), Array.from({ length: 20 }, (_, n) => 31_200 + n))
    const failed = results.filter(({ outcome }) => outcome === "failure")
    assert.deepStrictEqual([...new Set(failed.map(({ error_code, error_message }) => `${error_code} ${error_message}`))], ["no_port_free no port (udp) free in RTM_PORT_RANGE 31200-31219"])
    assert.lengthOf(failed, 20)
    const running = await world.docker.listContainers({ filters: { network: [world.network] } })
    assert.deepStrictEqual(running.flatMap(({ Ports }) => Ports.flatMap(({ PublicPort }) => PublicPort ?? [])).sort(), had)
  })
})
