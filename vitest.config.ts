import { defineConfig } from "vitest/config"

/** The whole state space of the decision: minutes of one core, and gigabytes. */
const stateSpace = "test/unit/game/convergence.test.ts"

/** Files that use the real engines run one after another: they share them. */
const onRealThings = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 }

export default defineConfig({
  test: {
    // The name of a case says what is promised: whole.
    chaiConfig: { truncateThreshold: 0 },
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], exclude: [stateSpace], testTimeout: 20_000 } },
      { test: { name: "convergence", include: [stateSpace], execArgv: ["--max-old-space-size=12288"] } },
      { test: { name: "simulation", include: ["test/simulation/**/*.test.ts"], testTimeout: 300_000 } },
      { test: { name: "integration", include: ["test/integration/**/*.test.ts"], ...onRealThings } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...onRealThings } }
    ]
  }
})
