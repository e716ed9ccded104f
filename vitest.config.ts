import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Takes as long as all others together, on a core of its own. */
const longest = "convergence.test.ts"

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>) {
    const rank = ({ moduleId }: TestSpecification) => moduleId.endsWith(longest) ? 0 : 1
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/** Files that use the real engines run one after another: they share them. */
const onRealThings = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    // The name of a case says what is promised: whole.
    chaiConfig: { truncateThreshold: 0 },
    sequence: { sequencer: LongestFirst },
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 20_000 } },
      { test: { name: "simulation", include: ["test/simulation/**/*.test.ts"], testTimeout: 300_000 } },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"], ...onRealThings } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...onRealThings } }
    ]
  }
})
