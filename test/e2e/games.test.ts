import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { push } from "../../scripts/lib/images.ts"
import { environment } from "../support/environment.ts"
import { until } from "../support/until.ts"
import { type ControllerProcess, World } from "../support/world.ts"

const resyncs = (controller: ControllerProcess): number => controller.log().match(/"message":"resync"/g)?.length ?? 0

const missing = `${environment.images.game.replace(/:[^:/]*$/, "")}-missing:9.9`

describe.each(environment.engines)("a game on $name", (engine) => {
  const world = new World(engine.host)
  let controller: ControllerProcess
  beforeAll(async () => {
    await world.open()
    controller = await world.start()
  })
  afterAll(() => world.close())
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error(controller.log().split("\n").slice(-60).join("\n"))
  })

  it("starts by a job: container, record, operation and one success result", async () => {
    const job = await world.startJob("job1")
    const result = await world.result(job)
    assert.deepInclude(result, { outcome: "success", job_kind: "start", game_id: "job1", error_code: "", engine_endpoint: "http://galaxy-game-job1:8080" })
    const [container] = await world.containers("job1")
    assert.strictEqual(result.container_id, container?.Id)
    const record = await world.status("job1", "running")
    assert.strictEqual(record.current_container_id, result.container_id)
    const [operation] = await world.operations("job1")
    assert.deepInclude(operation, { op_kind: "start", op_source: "job_stream", outcome: "success", source_ref: job, container_id: result.container_id })
    const [row] = await world.sql`SELECT * FROM rtmanager.games WHERE game_id = 'job1'`
    assert.deepInclude(row, { state: "running", restart_policy: "never" })
    assert.match(result.event_id!, /^[0-9a-f-]{36}$/)
  })

  it("starts by a row, with no job result", async () => {
    await world.insertGame("row1")
    const record = await world.status("row1", "running")
    const [operation] = await world.operations("row1")
    assert.deepInclude(operation, { op_kind: "start", op_source: "desired_state", outcome: "success", container_id: record.current_container_id })
    assert.isFalse((await world.entries("job_results")).some(({ fields }) => fields.game_id === "row1"))
    await until("the event", async () => (await world.health("row1")).length > 0)
    assert.deepStrictEqual((await world.health("row1")).map(({ event_type }) => event_type), ["container_started"])
  })

  it("has the labels, limits and network of the contract", async () => {
    await world.insertGame("shape1", {
      spec: { env: { MODE: "duel" }, labels: { team: "a" }, resources: { cpus: 0.5, memory: "64Mi", pids: 50 }, stop_signal: "SIGINT" }
    })
    const record = await world.status("shape1", "running")
    const seen = await world.docker.getContainer(record.current_container_id).inspect()
    assert.strictEqual(seen.Name, "/galaxy-game-shape1")
    assert.strictEqual(seen.Config.Hostname, "galaxy-game-shape1")
    assert.deepInclude(seen.Config.Labels, {
      "com.galaxy.owner": "rtmanager", "com.galaxy.kind": "game-engine", "com.galaxy.game_id": "shape1", team: "a",
      "com.galaxy.engine_image_ref": environment.images.game, "com.galaxy.generation": "1"
    })
    assert.includeMembers(seen.Config.Env, ["GAME_STATE_PATH=/var/lib/galaxy-game", "STORAGE_PATH=/var/lib/galaxy-game", "MODE=duel"])
    assert.deepInclude(seen.HostConfig, { Memory: 67_108_864, MemorySwap: 67_108_864, NanoCpus: 500_000_000, PidsLimit: 50, Init: true })
    assert.deepStrictEqual(seen.HostConfig.CapDrop, ["ALL"])
    assert.strictEqual(seen.HostConfig.RestartPolicy?.Name, "no")
    assert.strictEqual(seen.Mounts[0]?.Name, "galaxy-game-shape1")
    assert.include(Object.values(seen.NetworkSettings.Networks)[0]?.Aliases, "galaxy-game-shape1")
  })

  it("answers a start job for what is so already with replay_no_op and touches nothing", async () => {
    const first = await world.result(await world.startJob("noop1"))
    const before = await world.docker.getContainer(first.container_id!).inspect()
    const second = await world.result(await world.startJob("noop1"))
    assert.deepInclude(second, { outcome: "success", error_code: "replay_no_op", container_id: first.container_id, engine_endpoint: first.engine_endpoint })
    const after = await world.docker.getContainer(first.container_id!).inspect()
    assert.strictEqual(after.State.StartedAt, before.State.StartedAt)
    assert.lengthOf(await world.operations("noop1"), 1)
  })

  it("notification: image pull failed", async () => {
    const job = await world.startJob("pull1", missing)
    const result = await world.result(job)
    assert.deepInclude(result, { outcome: "failure", error_code: "image_pull_failed", container_id: "", engine_endpoint: "" })
    assert.match(result.error_message!, /\w{5}/)
    const intents = await until("the intent", async () => {
      const found = (await world.entries("intents")).filter(({ fields }) => fields.payload_json!.includes("\"pull1\""))
      return found.length > 0 ? found : undefined
    })
    assert.lengthOf(intents, 1)
    assert.deepInclude(intents[0]!.fields, { notification_type: "runtime.image_pull_failed", producer: "runtime_manager", audience_kind: "admin_email" })
    assert.deepInclude(JSON.parse(intents[0]!.fields.payload_json!), { game_id: "pull1", image_ref: missing, error_code: "image_pull_failed" })
    const [operation] = await world.operations("pull1")
    assert.deepInclude(operation, { op_kind: "start", outcome: "failure", error_code: "image_pull_failed" })
    assert.notStrictEqual((await world.record("pull1"))?.status, "running")
    // `never`: a later resync makes no second attempt.
    const before = (await world.operations("pull1")).length
    const seen = resyncs(controller)
    // What the first one asks for is done by the second.
    await until("two more resyncs", () => resyncs(controller) >= seen + 2)
    assert.lengthOf(await world.operations("pull1"), before)
  })

  it("retries a failing pull under policy always, and tells it once", async () => {
    await world.insertGame("pull2", { image: missing })
    await until("three attempts", async () => (await world.operations("pull2")).length >= 3)
    const told = (await world.entries("intents")).filter(({ fields }) => fields.payload_json!.includes("\"pull2\""))
    assert.lengthOf(told, 1)
    await world.sql`UPDATE rtmanager.games SET image_ref = ${environment.images.game} WHERE game_id = 'pull2'`
    await world.status("pull2", "running")
  })

  it("health: container disappeared, and adopt", async () => {
    const started = await world.result(await world.startJob("gone1"))
    assert.strictEqual(started.outcome, "success")
    const removedAtMs = Date.now()
    await world.docker.getContainer(started.container_id!).remove({ force: true })
    const [event] = await until("the event", async () => {
      const found = await world.health("gone1", "container_disappeared")
      return found.length > 0 ? found : undefined
    })
    assert.strictEqual(event!.container_id, started.container_id)
    assert.isBelow(Date.now() - removedAtMs, 3000)
    await world.status("gone1", "removed")
    const [dispose] = await world.operations("gone1", "reconcile_dispose")
    assert.deepInclude(dispose, { outcome: "success", op_source: "auto_reconcile", container_id: started.container_id })

    const id = await world.runByHand("hand1", { restarts: true })
    const record = await world.status("hand1", "running")
    assert.deepInclude(record, { current_container_id: id, current_image_ref: environment.images.game })
    const [adopt] = await world.operations("hand1", "reconcile_adopt")
    assert.deepInclude(adopt, { outcome: "success", op_source: "auto_reconcile", container_id: id })
    const [row] = await world.sql`SELECT * FROM rtmanager.games WHERE game_id = 'hand1'`
    assert.deepInclude(row, { state: "running", restart_policy: "never" })
    // Two masters would fight: who restarts it is the row's to say from now on.
    await until("the engine's own policy is off", async () => (await world.docker.getContainer(id).inspect()).HostConfig.RestartPolicy?.Name === "no")
    await world.docker.getContainer(id).kill()
    await world.status("hand1", "stopped")
  })

  it("keeps a game that had ended when its container is pruned, and starts it again", async () => {
    await world.insertGame("prune1", { policy: "never", spec: { command: ["/bin/sh", "-c", "exit 3"] } })
    const ended = await until("its end", async () => {
      const record = await world.record("prune1")
      return record?.exit_code === 3 ? record : undefined
    })
    await world.docker.pruneContainers()
    await until("the event", async () => (await world.health("prune1", "container_disappeared"))[0])
    assert.deepInclude(await world.record("prune1"), { status: "stopped", current_container_id: null, exit_code: 3 })
    assert.lengthOf(await world.operations("prune1", "reconcile_dispose"), 0)
    const again = await world.result(await world.startJob("prune1"))
    assert.deepInclude(again, { outcome: "success", error_code: "" })
    assert.notStrictEqual(again.container_id, ended.current_container_id)
    assert.lengthOf(await world.health("prune1", "container_disappeared"), 1)
  })

  it("makes a new container when one disappears under policy always", async () => {
    await world.insertGame("gone2")
    const before = await world.status("gone2", "running")
    await world.docker.getContainer(before.current_container_id).remove({ force: true })
    await until("another container", async () => {
      const record = await world.record("gone2")
      return record?.status === "running" && record.current_container_id !== before.current_container_id
    })
    assert.lengthOf(await world.operations("gone2", "reconcile_recreate"), 1)
    await until("its second start is told", async () => (await world.health("gone2", "container_started")).length === 2)
    assert.lengthOf(await world.health("gone2", "container_disappeared"), 1)
  })

  it("tells an exit with its code; never leaves it stopped, on_failure restarts it in place", async () => {
    await world.insertGame("exit1", { policy: "never", spec: { command: ["/bin/sh", "-c", "exit 3"] } })
    const stopped = await until("exit", async () => {
      const record = await world.record("exit1")
      return record?.exit_code === 3 ? record : undefined
    })
    assert.strictEqual(stopped.status, "stopped")
    const exited = await until("the event", async () => (await world.health("exit1", "container_exited"))[0])
    assert.strictEqual(JSON.parse(exited.details!).exit_code, 3)

    await world.insertGame("exit2", { policy: "on_failure", spec: { command: ["/bin/sh", "-c", "exit 4"] } })
    await until("two restarts", async () => (await world.operations("exit2", "reconcile_restart")).length >= 2)
    const [container, ...others] = await world.containers("exit2")
    assert.lengthOf(others, 0)
    for (const { container_id } of await world.operations("exit2")) assert.strictEqual(container_id, container!.Id)
  })

  it("tells a game that is killed for want of memory as such, and on_failure starts it again", async () => {
    await world.insertGame("oom1", {
      policy: "on_failure", spec: { command: ["/bin/sh", "-c", "x=a; while :; do x=$x$x; done"], resources: { memory: "16Mi" } }
    })
    const event = await until("the event", async () => (await world.health("oom1", "container_oom"))[0])
    assert.strictEqual(JSON.parse(event.details!).exit_code, 137)
    await until("a restart", async () => (await world.operations("oom1", "reconcile_restart")).length >= 1)
    assert.lengthOf(await world.health("oom1", "container_exited"), 0)
    await world.sql`UPDATE rtmanager.games SET state = 'stopped' WHERE game_id = 'oom1'`
    await world.status("oom1", "stopped")
  })

  it("takes a game that lost a child for its memory and ended well for one that ended well", async () => {
    await world.insertGame("oom2", {
      policy: "on_failure", spec: { command: ["/bin/sh", "-c", "/bin/sh -c 'x=a; while :; do x=$x$x; done'; exit 0"], resources: { memory: "16Mi" } }
    })
    const event = await until("the event", async () => (await world.health("oom2", "container_exited"))[0])
    assert.deepInclude(JSON.parse(event.details!), { exit_code: 0, oom_in_container: true })
    const record = await world.status("oom2", "stopped")
    assert.deepInclude(record, { exit_code: 0, oom_killed: false, next_restart_at: null })
    assert.lengthOf(await world.health("oom2", "container_oom"), 0)
  })

  it("waits 1 s, 2 s, 4 s before it restarts a game that keeps ending", async () => {
    await world.insertGame("loop1", { spec: { command: ["/bin/false"] } })
    const starts = await until("three restarts", async () => {
      const found = await world.health("loop1", "container_started")
      return found.length >= 4 ? found : undefined
    }, 30_000)
    const ends = await world.health("loop1", "container_exited")
    const waits = [1, 2, 3].map((index) => Number(starts[index]!.occurred_at_ms) - Number(ends[index - 1]!.occurred_at_ms))
    for (const [index, wantedMs] of [1000, 2000, 4000].entries()) {
      // Not before its time; how soon after it depends on what else the engine does.
      assert.isAtLeast(waits[index]!, wantedMs - 50, String(waits))
      assert.isBelow(waits[index]!, wantedMs + 3000, String(waits))
    }
    const record = await until("its fourth end is recorded", async () => {
      const found = await world.record("loop1")
      return found?.restart_count === 3 && found.status === "stopped" ? found : undefined
    })
    assert.deepInclude(record.conditions.find(({ type }: { type: string }) => type === "Progressing"), { status: "True", reason: "CrashLoopBackOff" })
    const nextMs = record.next_restart_at - record.stopped_at
    assert.isTrue(nextMs >= 8000 && nextMs < 11_000, String(nextMs))
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'loop1'`
    await world.status("loop1", "removed")
  })

  it("stops by a job with SIGTERM, keeps the volume, and starts again where it was", async () => {
    const started = await world.result(await world.startJob("stop1"))
    const stopped = await world.result(await world.stopJob("stop1"))
    assert.deepInclude(stopped, { outcome: "success", job_kind: "stop", error_code: "", container_id: started.container_id })
    assert.strictEqual((await world.record("stop1"))?.status, "stopped")
    assert.strictEqual((await world.docker.getContainer(started.container_id!).inspect()).State.ExitCode, 0)
    const again = await world.result(await world.stopJob("stop1"))
    assert.deepInclude(again, { outcome: "success", error_code: "replay_no_op" })
    const restarted = await world.result(await world.startJob("stop1"))
    assert.deepInclude(restarted, { outcome: "success", error_code: "" })
    await until("its second start is counted", async () => {
      const logs = await world.docker.getContainer(restarted.container_id!).logs({ stdout: true, stderr: true })
      return logs.toString().includes("start number 2")
    })
  })

  it("kills a container that ignores the stop signal after its grace", async () => {
    await world.insertGame("deaf1", { spec: { command: ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], stop_grace: "1s" } })
    await world.status("deaf1", "running")
    await world.sql`UPDATE rtmanager.games SET state = 'stopped' WHERE game_id = 'deaf1'`
    const record = await world.status("deaf1", "stopped")
    assert.strictEqual(record.exit_code, 137)
    assert.lengthOf(await world.operations("deaf1", "stop"), 1)
  })

  it("ends the old container of an exchange with the signal and the grace that it was made with", async () => {
    const saves = (signal: string) => ["/bin/sh", "-c", `cd $STORAGE_PATH; cat saved 2>/dev/null; trap 'sleep 2; echo ${signal} > saved; exit 0' ${signal}; ` +
      "trap 'echo other > saved; exit 0' TERM; while :; do sleep 0.1; done"]
    await world.insertGame("save1", { spec: { command: saves("INT"), stop_signal: "SIGINT", stop_grace: "20s" } })
    const before = await world.status("save1", "running")
    await world.sql`UPDATE rtmanager.games SET spec = ${JSON.stringify({ command: saves("USR1"), stop_signal: "USR1", stop_grace: "1s" })}::text::jsonb WHERE game_id = 'save1'`
    const after = await until("the exchange", async () => {
      const record = await world.record("save1")
      return record?.status === "running" && record.current_container_id !== before.current_container_id ? record : undefined
    })
    await until("what the old one saved", async () =>
      (await world.docker.getContainer(after.current_container_id).logs({ stdout: true })).toString().includes("INT"))
    const [ended] = await world.health("save1", "container_exited")
    assert.deepInclude(JSON.parse(ended!.details!), { exit_code: 0, because: "exchange" })
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'save1'`
    await world.status("save1", "removed")
  })

  it("refuses a stop signal that nothing has, and what runs can still be stopped", async () => {
    await world.insertGame("signal1")
    await world.status("signal1", "running")
    await world.sql`UPDATE rtmanager.games SET spec = '{"stop_signal":"SIGFOO"}' WHERE game_id = 'signal1'`
    await until("the refusal", async () => (await world.record("signal1"))?.last_error_message?.includes("spec.stop_signal"))
    assert.deepInclude(await world.result(await world.stopJob("signal1")), { outcome: "success" })
    assert.strictEqual((await world.record("signal1"))?.exit_code, 0)
  })

  it("removes for good by DELETE: the container goes, the row stays as a mark, the volume is kept", async () => {
    await world.insertGame("bye1")
    await world.status("bye1", "running")
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'bye1'`
    await world.status("bye1", "removed")
    assert.lengthOf(await world.containers("bye1"), 0)
    await world.docker.getVolume("galaxy-game-bye1").inspect()
    const late = await world.result(await world.startJob("bye1"))
    assert.deepInclude(late, { outcome: "failure", error_code: "conflict" })
  })

  it("removes for good by the row's state, and reports a container that turns up for it, untouched", async () => {
    await world.insertGame("bye2")
    await world.status("bye2", "running")
    await world.sql`UPDATE rtmanager.games SET state = 'removed' WHERE game_id = 'bye2'`
    await world.status("bye2", "removed")
    const id = await world.runByHand("bye2")
    await until("the report", () => controller.log().includes("galaxy-game-bye2-manual"))
    assert.strictEqual((await world.record("bye2"))?.status, "removed")
    assert.isTrue((await world.docker.getContainer(id).inspect()).State.Running)
    assert.lengthOf(await world.operations("bye2", "reconcile_adopt"), 0)
    await world.docker.getContainer(id).remove({ force: true })
  })

  it("reports a second container for a game that somebody made, and leaves both alone", async () => {
    await world.insertGame("two1")
    const before = await world.status("two1", "running")
    const id = await world.runByHand("two1")
    await until("the report", () => controller.log().includes("galaxy-game-two1-manual"))
    await until("a resync after it", async () => controller.log().split("galaxy-game-two1-manual").at(-1)!.includes("\"resync\""))
    assert.isTrue((await world.docker.getContainer(id).inspect()).State.Running)
    assert.strictEqual((await world.record("two1"))?.current_container_id, before.current_container_id)
    assert.isTrue((await world.docker.getContainer(before.current_container_id).inspect()).State.Running)
    await world.docker.getContainer(id).remove({ force: true })
  })

  it("removes a stopped container after the retention time; the volume stays, and the game can be started again", async () => {
    await controller.kill("SIGTERM")
    controller = await world.start({ RTM_CONTAINER_RETENTION: "2s" })
    const started = await world.result(await world.startJob("keep1"))
    await world.result(await world.stopJob("keep1"))
    const [cleanup] = await until("the removal", async () => {
      const found = await world.operations("keep1", "cleanup_container")
      return found.length > 0 ? found : undefined
    })
    assert.deepInclude(cleanup, { op_source: "auto_ttl", outcome: "success", container_id: started.container_id })
    assert.deepInclude(await world.record("keep1"), { status: "stopped", current_container_id: null })
    assert.lengthOf(await world.containers("keep1"), 0)
    assert.lengthOf(await world.health("keep1", "container_disappeared"), 0)
    await world.docker.getVolume("galaxy-game-keep1").inspect()
    const again = await world.result(await world.startJob("keep1"))
    assert.deepInclude(again, { outcome: "success", error_code: "" })
    await until("its second start is counted", async () => {
      const logs = await world.docker.getContainer(again.container_id!).logs({ stdout: true, stderr: true })
      return logs.toString().includes("start number 2")
    })
    await controller.kill("SIGTERM")
    controller = await world.start()
  })

  it("exchanges the container when the row asks for another image, with the new image pulled first", async () => {
    await world.insertGame("swap1")
    const before = await world.status("swap1", "running")
    await world.sql`UPDATE rtmanager.games SET image_ref = ${environment.images.gameNext} WHERE game_id = 'swap1'`
    const after = await until("the new image", async () => {
      const record = await world.record("swap1")
      return record?.status === "running" && record.current_image_ref === environment.images.gameNext ? record : undefined
    })
    assert.notStrictEqual(after.current_container_id, before.current_container_id)
    assert.lengthOf(await world.containers("swap1"), 1)
    await world.sql`UPDATE rtmanager.games SET image_ref = ${missing} WHERE game_id = 'swap1'`
    await until("the failure", async () => (await world.record("swap1"))?.last_error_code === "image_pull_failed")
    const still = await world.record("swap1")
    assert.deepInclude(still, { status: "running", current_container_id: after.current_container_id })
  })

  it("asks for an image that is always asked for at each start, in place too, and runs what its name means by then", async () => {
    const name = `${environment.images.game.replace(/\/.*/, "")}/galaxy/${world.name}`
    const moving = `${name}:1`
    const publish = async (image: string) => {
      await world.docker.getImage(image).tag({ repo: name, tag: "1" })
      await push(engine.host, moving)
    }
    const asked = () => readFileSync(environment.registry!.logFile, "utf8").split(`${world.name}/manifests/1`).length
    await publish(environment.images.game)
    await world.insertGame("always1", { image: moving, spec: { pull_policy: "always" } })
    const before = await world.status("always1", "running")
    const restarts = async (kind: string, count: number) => {
      const askedBefore = asked()
      await world.docker.getContainer((await world.record("always1"))!.current_container_id).kill()
      await until(kind, async () => (await world.operations("always1", kind)).length === count)
      assert.isAbove(asked(), askedBefore)
      return await world.status("always1", "running")
    }
    assert.strictEqual((await restarts("reconcile_restart", 1)).current_container_id, before.current_container_id)
    await publish(environment.images.gameNext)
    const after = await restarts("reconcile_recreate", 1)
    const { Id } = await world.docker.getImage(environment.images.gameNext).inspect()
    assert.strictEqual((await world.docker.getContainer(after.current_container_id).inspect()).Image, Id)
    assert.lengthOf(await world.health("always1", "container_disappeared"), 0)
    await world.sql`DELETE FROM rtmanager.games WHERE game_id = 'always1'`
    await world.status("always1", "removed")
    await world.docker.getImage(moving).remove()
  })

  it("refuses a spec with unknown keys by its path, and leaves what runs alone", async () => {
    await world.insertGame("spec1")
    const before = await world.status("spec1", "running")
    await world.sql`UPDATE rtmanager.games SET spec = '{"resources":{"memroy":"1Gi"}}' WHERE game_id = 'spec1'`
    const record = await until("the failure", async () => {
      const found = await world.record("spec1")
      return found?.last_error_code === "start_config_invalid" ? found : undefined
    })
    assert.include(record.last_error_message, "spec.resources.memroy")
    assert.deepInclude(record, { status: "running", current_container_id: before.current_container_id })
    const condition = record.conditions.find(({ type }: { type: string }) => type === "SpecValid")
    assert.strictEqual(condition.status, "False")
  })

  it("lets the latest wish win: a stop that arrives while it starts, and a start while it stops", async () => {
    const start = await world.startJob("race1")
    const stop = await world.stopJob("race1")
    assert.oneOf((await world.result(start, 30_000, "start")).error_code, ["", "superseded"])
    assert.deepInclude(await world.result(stop, 30_000, "stop"), { outcome: "success", error_message: "" })
    await world.status("race1", "stopped")
    const slow = await world.startJob("race2", environment.images.game, {
      spec: JSON.stringify({ command: ["/bin/sh", "-c", "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"] })
    })
    await world.result(slow)
    const stopping = await world.stopJob("race2")
    await until("it is told to stop", async () => (await world.record("race2"))?.stopping?.signalled_at != null)
    const restart = await world.startJob("race2")
    assert.deepInclude(await world.result(restart), { outcome: "success", error_code: "" })
    assert.oneOf((await world.result(stopping)).error_code, ["", "superseded"])
    await world.status("race2", "running")
    assert.lengthOf(await world.results(stopping), 1)
  })

  it("never touches a foreign container that holds the game's name, and starts when the name is free", async () => {
    const foreign = await world.docker.createContainer({ name: "galaxy-game-name1", Image: environment.images.game })
    await foreign.start()
    const job = await world.startJob("name1", environment.images.game, { restart_policy: "always" })
    const result = await world.result(job)
    assert.deepInclude(result, { outcome: "failure", error_code: "container_start_failed" })
    assert.include(result.error_message, foreign.id.slice(0, 12))
    assert.isTrue((await foreign.inspect()).State.Running)
    await foreign.remove({ force: true })
    await world.status("name1", "running")
  })

  it("adopts a stopped container as stopped", async () => {
    await controller.kill("SIGTERM")
    const id = await world.runByHand("hand2")
    await world.docker.getContainer(id).kill()
    controller = await world.start()
    const record = await world.status("hand2", "stopped")
    assert.strictEqual(record.current_container_id, id)
    assert.lengthOf(await world.operations("hand2", "reconcile_adopt"), 1)
    const [row] = await world.sql`SELECT * FROM rtmanager.games WHERE game_id = 'hand2'`
    assert.deepInclude(row, { state: "stopped", restart_policy: "never" })
  })

  it("leaves alone a container whose labels came with its image", async () => {
    const maker = await world.docker.createContainer({ Image: environment.images.game })
    const labels = ["owner=rtmanager", "kind=game-engine", "game_id=trap1", "engine_image_ref=a:1", "started_at_ms=1"]
    await maker.commit({ repo: `${world.name}-trap`, tag: "1", changes: labels.map((label) => `LABEL com.galaxy.${label}`).join("\n") })
    await maker.remove()
    const trap = await world.docker.createContainer({ Image: `${world.name}-trap:1` })
    await trap.start()
    await world.insertGame("after-trap1")
    await world.status("after-trap1", "running")
    await until("a resync after it", async () => controller.log().split("after-trap1").at(-1)!.includes("\"resync\""))
    assert.isUndefined(await world.record("trap1"))
    assert.isTrue((await trap.inspect()).State.Running)
    await trap.remove({ force: true })
    await world.docker.getImage(`${world.name}-trap:1`).remove()
  })

  it("touches no running game when the controller restarts", async () => {
    await world.insertGame("calm1")
    const before = await world.status("calm1", "running")
    const started = (await world.docker.getContainer(before.current_container_id).inspect()).State.StartedAt
    const operations = (await world.operations("calm1")).length
    await controller.kill("SIGKILL")
    controller = await world.start()
    await until("two resyncs", () => resyncs(controller) >= 2)
    assert.strictEqual((await world.docker.getContainer(before.current_container_id).inspect()).State.StartedAt, started)
    assert.lengthOf(await world.operations("calm1"), operations)
  })

  it("answers 40 messages of garbage, each once, without delaying the good ones beside them", async () => {
    const garbage: Array<Record<string, string>> = [
      {}, { nothing: "x" }, { game_id: "" }, { game_id: "UPPER", image_ref: "a:1" }, { game_id: "g".repeat(52), image_ref: "a:1" },
      { game_id: "ok" }, { game_id: "../../etc", image_ref: "a:1" }, { game_id: "a\u0000b", image_ref: "a:1" },
      { game_id: "ok", image_ref: "no tag" }, { game_id: "ok", image_ref: "untagged" }, { game_id: "ok", image_ref: "x".repeat(5_000_000) },
      { game_id: "y".repeat(5_000_000), image_ref: "a:1" }, { game_id: "ok", image_ref: "a:1", spec: "{" }, { game_id: "ok", image_ref: "a:1", spec: "[]" },
      { game_id: "ok", image_ref: "a:1", spec: "{\"__proto__\":{\"x\":1}}" }, { game_id: "ok", image_ref: "a:1", spec: "z".repeat(5_000_000) },
      { game_id: "ok", image_ref: "a:1", restart_policy: "sometimes" }, { game_id: "ok", image_ref: "a:1", requested_at_ms: "-1" },
      { __proto__x: "1" }, { ["__proto__"]: "1", game_id: "constructor" }
    ]
    const jobs: Array<string> = []
    for (const fields of [...garbage, ...garbage]) {
      const flat = Object.entries({ filler: "1", ...fields }).flat()
      jobs.push(await world.redis.xadd(world.stream("start_jobs"), "*", ...flat) as string)
    }
    const good = await world.result(await world.startJob("good1"), 10_000)
    assert.strictEqual(good.outcome, "success")
    for (const job of jobs) assert.deepInclude(await world.result(job), { outcome: "failure", container_id: "" })
    for (const job of jobs) assert.lengthOf(await world.results(job), 1)
    assert.strictEqual(controller.process.exitCode, null)
  })
})
