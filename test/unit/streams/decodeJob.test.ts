import { assert, describe, it } from "@effect/vitest"
import type { JobKind } from "../../../src/domain/Job.ts"
import { decodeJob } from "../../../src/streams/decodeJob.ts"
import { givenUp } from "../../../src/streams/givenUp.ts"
import { secret, specsWithASecret } from "../../support/secretSpecs.ts"

type Fields = Readonly<Record<string, string>>

const entry = (kind: JobKind, fields: Fields | null, deliveries = 1) => ({ stream: "s", kind, life: "", entryId: "1-0", fields, deliveries })
const start = (change: Fields = {}): Fields => ({ game_id: "g1", image_ref: "galaxy/engine:1.4.2", ...change })
const stop = (change: Fields = {}): Fields => ({ game_id: "g1", reason: "finished", ...change })
const without = (fields: Fields, name: string): Fields => Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name))
const long = "x".repeat(5_000_000)

/** Entries that ask for nothing that can be understood. `names`: what the refusal says. */
const undecodable: ReadonlyArray<readonly [because: string, kind: JobKind, fields: Fields, names: RegExp]> = [
  ["no fields at all", "start", {}, /game_id is missing/],
  ["no game_id", "start", without(start(), "game_id"), /game_id is missing/],
  ["an empty game_id", "start", start({ game_id: "" }), /game_id is ""/],
  ["capitals in game_id", "start", start({ game_id: "G1" }), /game_id is "G1"/],
  ["a hyphen at the beginning", "start", start({ game_id: "-g1" }), /game_id/],
  ["a hyphen at the end", "start", start({ game_id: "g1-" }), /game_id/],
  ["52 characters", "start", start({ game_id: "g".repeat(52) }), /game_id/],
  ["a path as game_id", "start", start({ game_id: "../../etc" }), /game_id/],
  ["a space in game_id", "start", start({ game_id: "g 1" }), /game_id/],
  ["a line feed after game_id", "start", start({ game_id: "g1\n" }), /game_id/],
  ["a NUL in game_id", "start", start({ game_id: "g\0" }), /game_id/],
  ["letters of another script", "start", start({ game_id: "ïg" }), /game_id/],
  ["half of a surrogate pair", "start", start({ game_id: "\ud800" }), /game_id/],
  ["5 MB of game_id", "start", start({ game_id: long }), /game_id/],
  ["game_id __proto__", "start", start({ game_id: "__proto__" }), /game_id/],
  ["a field called __proto__ only", "start", JSON.parse("{\"__proto__\":\"x\"}") as Fields, /game_id is missing/],
  ["an inherited name for a field", "stop", { constructor: "x", toString: "y" }, /game_id is missing/],
  ["no image_ref", "start", without(start(), "image_ref"), /image_ref is missing/],
  ["an empty image_ref", "start", start({ image_ref: "" }), /image_ref is missing/],
  ["an unknown restart policy", "start", start({ restart_policy: "sometimes" }), /restart_policy is none of what it takes: always, on_failure, never/],
  ["a restart policy in capitals", "start", start({ restart_policy: "ALWAYS" }), /restart_policy/],
  ["a restart policy called __proto__", "start", start({ restart_policy: "__proto__" }), /restart_policy/],
  ["a time that is no number", "start", start({ requested_at_ms: "yesterday" }), /requested_at_ms/],
  ["a negative time", "start", start({ requested_at_ms: "-1" }), /requested_at_ms/],
  ["a time with a fraction", "stop", stop({ requested_at_ms: "1.5" }), /requested_at_ms/],
  ["a time of 17 digits", "stop", stop({ requested_at_ms: "9".repeat(17) }), /requested_at_ms/],
  ["no reason to stop", "stop", without(stop(), "reason"), /reason is missing: orphan_cleanup/],
  ["an unknown reason to stop", "stop", stop({ reason: "because" }), /reason is none of what it takes: orphan_cleanup/],
  ["an empty reason to stop", "stop", stop({ reason: "" }), /reason is none/],
  ["5 MB of reason", "stop", stop({ reason: long }), /reason/],
  ["no game to stop", "stop", without(stop(), "game_id"), /game_id is missing/]
]

/** Entries that name a game and an image which cannot be carried out as they ask: answered, not dead. */
const unusable: ReadonlyArray<readonly [because: string, change: Fields, names: RegExp]> = [
  ["an image without a tag", { image_ref: "galaxy/engine" }, /neither a tag nor a digest/],
  ["an image with spaces", { image_ref: "galaxy engine:1" }, /not an image reference/],
  ["an image in capitals", { image_ref: "Galaxy/Engine:1" }, /not an image reference/],
  ["5 MB of image", { image_ref: long }, /longer than 512/],
  ["broken JSON", { spec: "{\"env\":" }, /^spec is no JSON; it takes a JSON object$/],
  ["a spec that is a list", { spec: "[]" }, /^spec/],
  ["a spec that is a number", { spec: "7" }, /^spec/],
  ["a spec that is null", { spec: "null" }, /^spec/],
  ["5 MB of spec", { spec: JSON.stringify({ args: [long] }) }, /at most/],
  ["an unknown key", { spec: "{\"privileged\":true}" }, /^spec\.privileged/],
  ["an unknown key inside", { spec: "{\"resources\":{\"gpu\":1}}" }, /^spec\.resources\.gpu/],
  ["__proto__ in a spec", { spec: "{\"__proto__\":{\"command\":[\"x\"]}}" }, /^spec/],
  ["no cpus at all", { spec: "{\"resources\":{\"cpus\":0}}" }, /^spec\.resources\.cpus/],
  ["too little memory", { spec: "{\"resources\":{\"memory\":\"1Mi\"}}" }, /^spec\.resources\.memory.*6Mi/],
  ["memory in words", { spec: "{\"resources\":{\"memory\":\"lots\"}}" }, /^spec\.resources\.memory/],
  ["a label of ours", { spec: "{\"labels\":{\"com.galaxy.owner\":\"me\"}}" }, /^spec\.labels\.com\.galaxy\.owner/],
  ["an env name with =", { spec: "{\"env\":{\"A=B\":\"c\"}}" }, /^spec\.env\.A=…: /],
  ["a NUL in an argument", { spec: "{\"args\":[\"a\\u0000\"]}" }, /^spec\.args\.0/],
  ["a signal that nothing has", { spec: "{\"stop_signal\":\"SIGFOO\"}" }, /^spec\.stop_signal/],
  ["deep nesting", { spec: "[".repeat(5000) + "]".repeat(5000) }, /^spec/]
]

/** A secret in every place of a job but its game and its image, which people must be told. */
const secretJobs: ReadonlyArray<readonly [where: string, kind: JobKind, fields: Fields]> = [
  ...specsWithASecret.map(([where, spec]) => [`spec: ${where}`, "start", start({ spec: JSON.stringify(spec) })] as const),
  ["a spec that is no JSON", "start", start({ spec: `{"env":{"TOKEN":"${secret}"` })],
  ["a spec that is text", "start", start({ spec: secret })],
  ["a spec beside a game_id that is wrong", "start", start({ game_id: "G", spec: JSON.stringify({ env: { TOKEN: secret } }) })],
  ["a field that is not known", "start", start({ specs: JSON.stringify({ env: { TOKEN: secret } }) })],
  ["restart_policy", "start", start({ restart_policy: secret })],
  ["requested_at_ms", "start", start({ requested_at_ms: secret })],
  ["reason", "stop", stop({ reason: secret })],
  ["a field that a stop job has not", "stop", stop({ spec: secret })]
]

describe("a job's entry", () => {
  it.each(undecodable)("is a dead job with %s", (_because, kind, fields, names) => {
    const decoded = decodeJob(entry(kind, fields))
    assert.strictEqual(decoded._tag, "Refused")
    if (decoded._tag !== "Refused") return
    assert.isTrue(decoded.dead)
    assert.strictEqual(decoded.failure.code, "invalid_request")
    assert.match(decoded.failure.message, names)
    assert.isBelow(JSON.stringify(decoded).length, 20_000)
  })

  it.each(unusable)("is refused with %s", (_because, change, names) => {
    const decoded = decodeJob(entry("start", start(change)))
    assert.strictEqual(decoded._tag, "Refused")
    if (decoded._tag !== "Refused") return
    assert.isFalse(decoded.dead)
    assert.strictEqual(decoded.failure.code, "start_config_invalid")
    assert.match(decoded.failure.message, names)
    assert.isBelow(JSON.stringify(decoded).length, 20_000)
  })

  it("is a wish with what the contract asks for, whatever else it holds", () => {
    const decoded = decodeJob(entry("start", start({ restart_policy: "never", spec: "{\"env\":{\"A\":\"1\"}}", requested_at_ms: "1", from_the_future: "x" })))
    assert.deepInclude(decoded, {
      _tag: "Wish",
      wish: { kind: "start", gameId: "g1", imageRef: "galaxy/engine:1.4.2", restartPolicy: "never", spec: { env: { A: "1" } } } as never
    })
    assert.deepInclude(decodeJob(entry("stop", stop())), { _tag: "Wish", wish: { kind: "stop", gameId: "g1", reason: "finished" } as never })
  })

  it.each([
    ["restart_policy", "start"], ["spec", "start"], ["requested_at_ms", "start"], ["requested_at_ms", "stop"]
  ] as const)("says nothing with an empty %s (%s)", (name, kind) => {
    const fields = kind === "start" ? start() : stop()
    const said = decodeJob(entry(kind, { ...fields, [name]: "" }))
    const unsaid = decodeJob(entry(kind, fields))
    assert.deepStrictEqual([said._tag, said._tag === "Wish" && said.wish], ["Wish", unsaid._tag === "Wish" && unsaid.wish])
  })

  it.each(secretJobs)("tells a secret to nobody that is in %s", (_where, kind, fields) => {
    const decoded = decodeJob(entry(kind, fields))
    const told = decoded._tag === "Refused" ? decoded : { ...decoded, wish: undefined }
    for (const each of [told, givenUp(decoded, 5, "no")]) assert.notInclude(JSON.stringify(each), secret)
  })

  it("is a dead job when it was trimmed away, and never for having been delivered often", () => {
    assert.strictEqual(decodeJob(entry("start", start(), 50))._tag, "Wish")
    assert.deepInclude(decodeJob(entry("start", null)), { _tag: "Refused", dead: true })
  })

  it("can be given up, whatever it asked for", () => {
    const wish = givenUp(decodeJob(entry("start", start())), 5, "no\0")
    assert.deepInclude(wish, { _tag: "Refused", gameId: "g1", dead: true, entryId: "1-0", payload: start() })
    assert.deepInclude(wish._tag === "Refused" ? wish.failure : {}, { code: "internal_error", message: "delivered 5 times and refused: no\ufffd" })
    assert.deepInclude(givenUp(decodeJob(entry("stop", { game_id: "BAD" })), 5, "no"), { _tag: "Refused", gameId: "BAD" })
  })

  it.each([
    ["a NUL in a name", { "x\0y": "1" }, { "x\ufffdy": "(1 characters)" }],
    ["half of a surrogate pair in a name", { "x\udc00": "1" }, { "x\ufffd": "(1 characters)" }],
    ["a name that is cut in the middle of a pair", { [`${"n".repeat(254)}\u{1f3ae}more`]: "1" }, { [`${"n".repeat(254)}…`]: "(1 characters)" }],
    ["a value that says nothing", { spec: "", x: "" }, { spec: "", x: "" }]
  ])("keeps of %s what a database can store", (_what, fields, wanted) => {
    assert.deepStrictEqual(decodeJob(entry("start", start(fields))).payload, start(wanted))
  })

  it("never throws, whatever bytes it is made of", () => {
    // A fixed sequence: a failure can be run again.
    let state = 42
    const next = (below: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % below
    const names = ["game_id", "image_ref", "spec", "reason", "restart_policy", "requested_at_ms", "__proto__", "x"]
    const parts = ["{", "}", "[", "\"", ":", "g1", "\0", "\ud800", "galaxy/engine:1", "null", "\\u0000", "é", "always", " ", "1"]
    for (let round = 0; round < 5000; round++) {
      const fields = Object.fromEntries(Array.from({ length: next(6) }, () =>
        [names[next(names.length)]!, Array.from({ length: next(8) }, () => parts[next(parts.length)]!).join("")]))
      const decoded = decodeJob(entry(next(2) === 0 ? "start" : "stop", fields))
      assert.include(["Wish", "Refused"], decoded._tag)
    }
  })
})
