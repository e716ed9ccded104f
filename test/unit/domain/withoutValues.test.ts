import { assert, describe, it } from "@effect/vitest"
import type { GameSpec } from "../../../src/domain/GameSpec.ts"
import { withoutValues } from "../../../src/domain/withoutValues.ts"

const cases: ReadonlyArray<readonly [because: string, text: string, spec: GameSpec, wanted: string]> = [
  ["a program that does not exist is named by its place", `exec: "/bin/nosuch": stat /bin/nosuch: no such file`, { command: ["/bin/nosuch"] }, `exec: "<command.0>": stat <command.0>: no such file`],
  ["an env value is no text for people", "invalid environment: TOKEN=hunter2", { env: { TOKEN: "hunter2" } }, "invalid environment: TOKEN=<env.TOKEN>"],
  ["one value may be part of another", "got secret-and-more", { args: ["secret"], env: { A: "secret-and-more" } }, "got <env.A>"],
  ["engines quote what they repeat", String.raw`bad "a\"b\nc"`, { labels: { team: "a\"b\nc" } }, `bad "<labels.team>"`],
  ["a text of three characters is everywhere", "no such file", { args: ["no"] }, "no such file"],
  ["sizes and signals have patterns of their own", "512Mi is too much", { resources: { memory: "512Mi" } }, "512Mi is too much"],
  ["what is marked is a value too", "invalid environment: TOKEN=hunter2", { env: { TOKEN: { value: "hunter2", secret: true } } }, "invalid environment: TOKEN=<env.TOKEN>"],
  ["a file's name is none", "the file g1/token is not there", { env: { TOKEN: { from_file: "g1/token" } } }, "the file g1/token is not there"],
  ["names have patterns of their own", "network metrics not found", { networks: [{ name: "metrics" }] }, "network metrics not found"],
  ["nothing to hide", "no", {}, "no"]
]

describe("an engine's words", () => {
  it.each(cases)("%s", (_because, text, spec, wanted) => assert.strictEqual(withoutValues(text, spec), wanted))
})
