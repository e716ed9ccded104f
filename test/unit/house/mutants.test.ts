/** `npm run mutants` takes minutes; that each mutant can still be planted, and that its test is still there, is told at once. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { mutants } from "../../mutants/mutants.ts"

const root = new URL("../../..", import.meta.url).pathname
const textOf = (file: string): string => readFileSync(join(root, file), "utf8")

describe("the mutants", () => {
  it("have each a name of its own", () => {
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })

  it.each(mutants)("can be planted: $name", ({ caughtBy, file, from, to }) => {
    assert.notStrictEqual(from, to)
    assert.strictEqual(textOf(file).split(from).length - 1, 1, `occurrences in ${file}`)
    assert.include(textOf(caughtBy.file), caughtBy.test)
    assert.isTrue(caughtBy.file.startsWith(`test/${caughtBy.project}/`))
  })
})
