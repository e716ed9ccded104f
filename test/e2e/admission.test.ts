import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { World } from "../support/world.ts"

describe("settings of what games may be", () => {
  const world = new World(environment.engines[0]!.host)
  beforeAll(() => world.open())
  afterAll(() => world.close())

  it("hold for what is asked and made from then on, and touch nothing that runs", async () => {
    const host = environment.images.game.split("/")[0]!
    const before = await world.start()
    await world.insertGame("adm1", { spec: { labels: { "Team.Name": "red" } } })
    const { current_container_id: first } = await world.status("adm1", "running")
    await before.kill("SIGTERM")
    await world.start({ RTM_DEFAULT_MEMORY: "64Mi", RTM_MAX_MEMORY: "128Mi", RTM_MAX_PIDS: "100", RTM_REGISTRIES: `${host.includes(":") ? host : "docker.io"},other.example` })

    await world.insertGame("adm2")
    const { current_container_id: second } = await world.status("adm2", "running")
    const { Memory, PidsLimit } = (await world.docker.getContainer(second).inspect()).HostConfig
    assert.deepStrictEqual({ Memory, PidsLimit }, { Memory: 64 * 2 ** 20, PidsLimit: 100 })

    await world.sql`UPDATE rtmanager.games SET spec = '{"resources":{"memory":"129Mi"}}' WHERE game_id = 'adm1'`
    const invalid = await until("the row is refused", async () => {
      const record = await world.record("adm1")
      return record?.conditions.find((condition: { type: string; status: string }) => condition.type === "SpecValid" && condition.status === "False")
    })
    assert.match(invalid.message, /spec\.resources\.memory.*at most 128Mi/)
    const refused = await world.result(await world.startJob("adm3", "10.0.0.1/engine:1"))
    assert.strictEqual(refused.error_code, "start_config_invalid")
    assert.match(refused.error_message!, /registry 10\.0\.0\.1; RTM_REGISTRIES takes .*other\.example/)
    const steering = await world.result(await world.startJob("adm3", environment.images.game, { spec: "{\"labels\":{\"traefik.enable\":\"true\"}}" }))
    assert.match(steering.error_message!, /spec\.labels\.traefik\.enable/)

    const kept = await world.docker.getContainer(first).inspect()
    assert.deepStrictEqual([kept.State.Running, kept.HostConfig.Memory, kept.Config.Labels["Team.Name"]], [true, 0, "red"])
    assert.deepStrictEqual((await world.operations("adm1")).map(({ error_code, op_kind }) => [op_kind, error_code]), [["start", null], ["start", "start_config_invalid"]])
    assert.deepStrictEqual(await world.containers("adm3"), [])
  })
})
