/** Each one-way arrow, turned round in a small house of its own: the check must see it. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const root = new URL("../../..", import.meta.url).pathname

/** File, what it imports, and the rule that forbids it. */
const turnedRound = [
  ["src/domain/wrong.ts", "../engine/call.ts", "imports-of-src/domain"],
  ["src/domain/spec/wrong.ts", "../../engine/call.ts", "imports-of-src/domain/spec"],
  ["src/clock/wrong.ts", "../domain/GameId.ts", "imports-of-src/clock"],
  ["src/telemetry/wrong.ts", "../store/Lease.ts", "imports-of-src/telemetry"],
  ["src/store/wrong.ts", "../controller/Leader.ts", "imports-of-src/store"],
  ["src/engine/wrong.ts", "../../controllers/game/controller.ts", "imports-of-src/engine"],
  ["src/engine/store.ts", "../store/Lease.ts", "imports-of-src/engine"],
  ["src/engine/adapter.ts", "./docker/adapter.ts", "imports-of-src/engine"],
  ["src/controller/wrong.ts", "../store/migrate.ts", "imports-of-src/controller"],
  ["src/controller/streams.ts", "../streams/Streams.ts", "imports-of-src/controller"],
  ["src/streams/wrong.ts", "../store/postgres/adapter.ts", "imports-of-src/streams"],
  ["src/http/wrong.ts", "../store/Lease.ts", "imports-of-src/http"],
  ["src/store/postgres/wrong.ts", "../../engine/call.ts", "imports-of-src/store/postgres"],
  ["src/engine/docker/wrong.ts", "../../store/Lease.ts", "imports-of-src/engine/docker"],
  ["src/streams/redis/wrong.ts", "../../controller/Leader.ts", "imports-of-src/streams/redis"],
  ["src/config.ts", "./store/Lease.ts", "imports-of-src/config.ts"],
  ["src/configKinds.ts", "./config.ts", "imports-of-src/configKinds.ts"],
  ["src/options.ts", "./store/Lease.ts", "imports-of-src/options.ts"],
  ["src/installation.ts", "./config.ts", "imports-of-src/installation.ts"],
  ["src/upgrading.ts", "./config.ts", "imports-of-src/upgrading.ts"],
  ["src/newcomer/wrong.ts", "../domain/GameId.ts", "place-without-arrows"],
  ["src/store/deeper/wrong.ts", "../../domain/GameId.ts", "place-without-arrows"],
  ["controllers/game/decide/wrong.ts", "effect", "decisions-are-pure"],
  ["controllers/game/decide/clock.ts", "node:fs", "decisions-are-pure"],
  ["controllers/game/record/wrong.ts", "../observe/gather.ts", "decisions-are-pure"],
  ["controllers/game/observe/assess.ts", "../../../src/store/Lease.ts", "decisions-are-pure"],
  ["controllers/game/act/wrong.ts", "../../../src/engine/docker/adapter.ts", "controllers-use-machinery"],
  ["src/streams/docker.ts", "dockerode", "dockerode-in-its-adapter"],
  ["src/streams/sql.ts", "postgres", "postgres-in-its-adapter"],
  ["src/store/redis.ts", "ioredis", "ioredis-in-its-adapter"],
  ["src/store/http.ts", "effect/http", "unstable-effect-at-the-edge"],
  ["src/domain/round.ts", "./trip.ts", "no-circular"]
] as const

/** Arrows as they are to be. */
const sound: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/domain/GameId.ts": [],
  "src/domain/Game.ts": ["./GameId.ts", "./spec/env.ts"],
  "src/domain/spec/env.ts": ["../GameId.ts"],
  "src/telemetry/metrics.ts": ["effect", "../domain/GameId.ts"],
  "src/store/StoreError.ts": ["../domain/GameId.ts"],
  "src/store/GameWriter.ts": ["./StoreError.ts"],
  "src/store/Lease.ts": ["./StoreError.ts"],
  "src/store/migrate.ts": ["postgres"],
  "src/store/postgres/adapter.ts": ["postgres", "../GameWriter.ts"],
  "src/engine/call.ts": ["../domain/GameId.ts", "../telemetry/metrics.ts"],
  "src/engine/docker/adapter.ts": ["dockerode", "../call.ts", "../../domain/spec/env.ts"],
  "src/clock/monotonic.ts": ["effect"],
  "src/controller/Leader.ts": ["../store/Lease.ts", "../clock/monotonic.ts", "../telemetry/metrics.ts"],
  "src/streams/Streams.ts": ["../store/GameWriter.ts", "../clock/monotonic.ts"],
  "src/streams/redis/adapter.ts": ["ioredis", "../Streams.ts", "../../clock/monotonic.ts"],
  "src/http/server.ts": ["effect/http", "../clock/monotonic.ts"],
  "src/options.ts": ["./engine/docker/adapter.ts", "./streams/redis/adapter.ts", "./domain/GameId.ts"],
  "src/installation.ts": ["./store/GameWriter.ts"],
  "src/upgrading.ts": ["./store/GameWriter.ts"],
  "src/main.ts": ["./options.ts", "./http/server.ts", "./streams/redis/adapter.ts", "../controllers/game/controller.ts"],
  "controllers/game/decide/rules.ts": ["../record/transition.ts", "../../../src/domain/Game.ts"],
  "controllers/game/record/transition.ts": ["../../../src/domain/Game.ts"],
  "controllers/game/observe/gather.ts": ["effect", "../../../src/store/GameWriter.ts"],
  "controllers/game/controller.ts": ["effect", "./decide/rules.ts", "./observe/gather.ts", "../../src/controller/Leader.ts"]
}

const cruise = (files: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  const house = mkdtempSync(join(tmpdir(), "house-"))
  try {
    symlinkSync(join(root, "node_modules"), join(house, "node_modules"))
    writeFileSync(join(house, "package.json"), "{\"type\":\"module\"}")
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(house, dirname(file)), { recursive: true })
      writeFileSync(join(house, file), text)
    }
    const { stdout } = spawnSync(join(root, "node_modules/.bin/depcruise"),
      ["--config", join(root, ".dependency-cruiser.cjs"), "--preserve-symlinks", "--output-type", "json", "src", "controllers"], { cwd: house, encoding: "utf8", maxBuffer: 64 * 2 ** 20 })
    const { summary } = JSON.parse(stdout) as { readonly summary: { readonly violations: ReadonlyArray<{ readonly rule: { readonly name: string }; readonly from: string }> } }
    return summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`)
  } finally {
    rmSync(house, { recursive: true })
  }
}

const rules = (createRequire(import.meta.url)(join(root, ".dependency-cruiser.cjs")) as { readonly forbidden: ReadonlyArray<{ readonly name: string }> })
  .forbidden.map(({ name }) => name)
const importing = (imported: ReadonlyArray<string>): string => imported.map((one) => `import "${one}"\n`).join("")
const house = Object.fromEntries(Object.entries(sound).map(([file, imported]) => [file, importing(imported)]))

describe("the one-way arrows", () => {
  it("let through what is as it is to be", () => {
    assert.deepStrictEqual(cruise(house), [])
  })

  it("are each seen when they are turned round", () => {
    assert.sameMembers([...new Set<string>(turnedRound.map(([, , rule]) => rule))], rules)
    const wrong = Object.fromEntries(turnedRound.map(([file, imported]) => [file, importing([imported])]))
    // A circle is told once.
    const round = { "src/domain/trip.ts": importing(["./round.ts"]) }
    assert.sameMembers([...new Set(cruise({ ...house, ...wrong, ...round }))], turnedRound.map(([file, , rule]) => `${file}: ${rule}`))
  })
})
