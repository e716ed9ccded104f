/** Each one-way arrow, turned round in a small house of its own: the check must see it. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const root = new URL("../../..", import.meta.url).pathname

/** File, what it imports, and the rule that forbids it. */
const turnedRound = [
  ["src/engine/wrong.ts", "../../controllers/game/plan.ts", "src-knows-no-decision"],
  ["src/domain/wrong.ts", "../engine/call.ts", "domain-stands-alone"],
  ["controllers/game/facts.ts", "effect", "plan-is-pure"],
  ["controllers/game/apply.ts", "../../src/engine/docker/adapter.ts", "controllers-use-machinery"],
  ["src/streams/docker.ts", "dockerode", "dockerode-in-its-adapter"],
  ["src/streams/sql.ts", "postgres", "postgres-in-its-adapter"],
  ["src/store/redis.ts", "ioredis", "ioredis-in-its-adapter"],
  ["src/store/http.ts", "effect/http", "unstable-effect-at-the-edge"]
] as const

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

describe("the one-way arrows", () => {
  it("are each seen when they are turned round, and only then", () => {
    const sound = {
      "controllers/game/plan.ts": "import \"./step.ts\"\n", "controllers/game/step.ts": "import \"../../src/domain/GameId.ts\"\n",
      "src/domain/GameId.ts": "export {}\n", "src/engine/call.ts": "import \"../domain/GameId.ts\"\n", "src/engine/docker/adapter.ts": "import \"dockerode\"\n"
    }
    assert.deepStrictEqual(cruise(sound), [])
    const wrong = Object.fromEntries(turnedRound.map(([file, imported]) => [file, `import "${imported}"\n`]))
    assert.sameMembers([...new Set(cruise({ ...sound, ...wrong }))], turnedRound.map(([file, , rule]) => `${file}: ${rule}`))
  })
})
