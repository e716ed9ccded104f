/** What every GameReader and GameWriter promises, the real ones and those in memory: the same tests for both. */
import { describe } from "@effect/vitest"
import { jobTests } from "./store/jobs.ts"
import type { Open } from "./store/OpenStore.ts"
import { portTests } from "./store/ports.ts"
import { readingTests } from "./store/reading.ts"
import { rowTests } from "./store/rows.ts"
import { stepTests } from "./store/steps.ts"

export const storeContract = (name: string, open: Open): void => {
  describe(`Store: ${name}`, () => {
    describe("desired rows", () => rowTests(open))
    describe("steps", () => stepTests(open))
    describe("jobs and messages", () => jobTests(open))
    describe("ports", () => portTests(open))
    describe("reading", () => readingTests(open))
  })
}
