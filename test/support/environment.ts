/** The test run's environment, made by `npm test` or by `npm run test:env -- up`. */
import { existsSync, readFileSync } from "node:fs"
import { stateFile, type TestEnvironment } from "../../scripts/lib/testEnvironment.ts"

export const environment = ((): TestEnvironment => {
  if (!existsSync(stateFile)) throw new Error("these tests need their environment: run `npm run test:env -- up` first")
  return JSON.parse(readFileSync(stateFile, "utf8")) as TestEnvironment
})()
