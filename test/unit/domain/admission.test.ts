/** What an installation lets games be: tables with a reason for each case. */
import { assert, describe, it } from "@effect/vitest"
import { type Admission, admissionProblem, noLimits } from "../../../src/domain/Admission.ts"
import type { Game } from "../../../src/domain/Game.ts"
import type { GameId } from "../../../src/domain/GameId.ts"
import { steers } from "../../../src/domain/labels.ts"
import { decodeRow } from "../../../src/domain/Row.ts"
import { decodeJob } from "../../../src/streams/decodeJob.ts"

const image = "galaxy/engine:1.4.2"
const having = (change: Partial<Admission>): Admission => ({ ...noLimits, ...change })

describe("a label", () => {
  it.each([
    ["traefik.enable", [], "a proxy's"], ["traefik.http.routers.x.rule", [], "as deep as it likes"], ["Traefik.Enable", [], "capitals are no disguise"],
    ["caddy", [], "the prefix by itself"], ["caddy_0.reverse_proxy", [], "with a number"], ["ofelia.job-exec.x.command", [], "a scheduler's"],
    ["com.centurylinklabs.watchtower.lifecycle.pre-update", [], "an updater's"], ["com.docker.compose.project", [], "Compose removes its orphans"],
    ["diun.enable", [], "a watcher's"], ["homepage.group", [], "a dashboard's"], ["socket-proxy.allow.get", [], "rights on the socket"],
    ["traefik.http.routers.x.rule", ["traefik.http.services"], "only what was named"], ["traefik.enable", ["caddy"], "another's leave"]
  ] as const)("%s steers another program where %j are allowed: %s", (label, allowed, _because) => {
    assert.isTrue(steers(label, allowed))
  })
  it.each([
    ["team", [], "anybody's"], ["example.org/tier", [], "of a domain"], ["traefiklike", [], "only begins alike"], ["my.traefik.enable", [], "elsewhere in it"],
    ["traefik.enable", ["traefik"], "allowed"], ["traefik.http.routers.x.rule", ["traefik.http."], "allowed by a part, with its dot"], ["CADDY", ["caddy"], "capitals"]
  ] as const)("%s steers none where %j are allowed: %s", (label, allowed, _because) => {
    assert.isFalse(steers(label, allowed))
  })
})

describe("an image and a spec", () => {
  const registries = ["docker.io", "registry.example:5000"]
  it.each([
    [image, {}, having({ registries }), "the registry that is meant without a host"], ["index.docker.io/galaxy/engine:1", {}, having({ registries }), "by its other name"],
    ["registry.example:5000/e:1", {}, having({ registries }), "with its port"], ["10.0.0.1/e:1", {}, noLimits, "any, where none are named"],
    [image, { resources: { memory: "1Gi", cpus: 2, pids: 64 } }, having({ maximum: { memory: "1024Mi", cpus: 2, pids: 64 } }), "as much as there may be"],
    [image, {}, having({ maximum: { memory: "6Mi" } }), "who says nothing gets the default"],
    [image, { labels: { team: "red" } }, noLimits, "a label"], [image, { labels: { "traefik.enable": "true" } }, having({ labels: ["traefik"] }), "an allowed one"]
  ] as const)("%s with %j is admitted: %#", (imageRef, spec, admission, _because) => {
    assert.isUndefined(admissionProblem(imageRef, spec, admission))
  })

  it.each([
    ["10.0.0.1/e:1", {}, having({ registries }), "image_ref", /registry 10\.0\.0\.1; RTM_REGISTRIES takes docker\.io, registry\.example:5000/, "an address in the engine's network"],
    ["registry.example/e:1", {}, having({ registries }), "image_ref", /registry registry\.example;/, "another port"],
    [image, { resources: { memory: "1025Mi" } }, having({ maximum: { memory: "1Gi" } }), "spec.resources.memory", /at most 1Gi/, "more memory"],
    [image, { resources: { cpus: 2.5 } }, having({ maximum: { cpus: 2 } }), "spec.resources.cpus", /at most 2/, "more CPUs"],
    [image, { resources: { pids: 65 } }, having({ maximum: { pids: 64 } }), "spec.resources.pids", /at most 64/, "more processes"],
    [image, { labels: { team: "red", "traefik.enable": "true" } }, noLimits, "spec.labels.traefik.enable", /RTM_LABELS_ALLOW/, "a steering label"],
    [image, { binds: [{ host_path: "/etc", target: "/of-host" }] }, noLimits, "spec.binds.0.host_path", /RTM_BIND_ROOTS/, "what nobody opened"]
  ] as const)("%s with %j is refused: %#", (imageRef, spec, admission, path, message, _because) => {
    const problem = admissionProblem(imageRef, spec, admission)
    assert.strictEqual(problem?.path, path)
    assert.match(problem?.message ?? "", message)
  })

  it("that is not admitted is a row that cannot be carried out, of the same hash, and a refused job", () => {
    const game: Game = { gameId: "g1" as GameId, state: "running", imageRef: image, restartPolicy: "always", generation: 1, desiredHash: "d", restartRequestedAtMs: null, spec: { resources: { memory: "2Gi" } } }
    const admission = having({ maximum: { memory: "1Gi" } })
    assert.strictEqual(decodeRow(game, admission).problem?.path, "spec.resources.memory")
    assert.strictEqual(decodeRow(game, admission).revision.specHash, decodeRow(game).revision.specHash)
    const fields = { game_id: "g1", image_ref: image, spec: JSON.stringify(game.spec) }
    const job = decodeJob({ stream: "s", life: "1", entryId: "1-0", kind: "start", deliveries: 1, fields }, admission)
    assert.deepInclude(job, { _tag: "Refused", dead: false })
    assert.strictEqual(job._tag === "Refused" ? job.failure.code : "", "start_config_invalid")
  })
})
