/** The kinds of value that a spec is made of. A refusal says what is taken, never what was there: it may be a secret. */
import { Schema } from "effect"
import { durationPattern, memoryPattern, parseMemoryBytes } from "../Quantity.ts"

const noNul = Schema.makeFilter((text: string) => text.includes("\0") ? "takes text without NUL bytes" : undefined)
export const Text = Schema.String.check(Schema.isMaxLength(131_072), noNul)

/**
 * An optional field and what it says; where a default is worth a word, it follows. docs/spec.md and the JSON Schema have it from here.
 */
export const field = <S extends Schema.Top>(schema: S, what: string, standard?: string) =>
  Schema.optionalKey(schema).annotateKey({ description: standard === undefined ? what : `${what} Default: ${standard}.` })

/** One that must be there. */
export const needed = <S extends Schema.Top>(schema: S, what: string) => schema.annotateKey({ description: what })

/** A record whose keys are checked one by one, so that the path of the refusal names the key. */
export const byName = <S extends Schema.Top>(value: S, problem: (name: string) => string | undefined) =>
  Schema.Record(Schema.String, value).check(
    Schema.makeFilter((record: Readonly<Record<string, unknown>>) => {
      const name = Object.keys(record).find((key) => problem(key) !== undefined)
      return name === undefined ? undefined : { path: [name], issue: problem(name)! }
    })
  )

/** Text of a form; `expected` is what the refusal says it takes. Only as Unicode is a pattern a part of the JSON Schema. */
export const formed = (pattern: RegExp, expected: string) => Schema.String.check(Schema.isPattern(new RegExp(pattern.source, "u"), { expected }))

export const Duration = formed(durationPattern, "a duration like 500ms, 30s or 5m")

/** A size between two; each bound as people write it. */
export const sizeBetween = (least: string, most?: string) =>
  formed(memoryPattern, "a size like 512Mi, 1Gi or 536870912").check(
    Schema.makeFilter((text: string) => {
      const bytes = parseMemoryBytes(text) ?? 0
      if (bytes < parseMemoryBytes(least)!) return `takes at least ${least}`
      return most !== undefined && bytes > parseMemoryBytes(most)! ? `takes at most ${most}` : undefined
    })
  )

/** What a volume, a network, a profile or a login is called: no path, and nothing that reads as one. */
export const Name = formed(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, "a name of letters, digits, _ . and -")

/** As it is resolved: nothing in it leads elsewhere. */
const absolutePath = /^\/(?:(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+)*)?$/u
export const isAbsolutePath = (text: string): boolean => text.length <= 4096 && absolutePath.test(text)
export const AbsolutePath = formed(absolutePath, "an absolute path without . and .. and doubled slashes").check(Schema.isMaxLength(4096))

export const listOf = <S extends Schema.Top>(item: S, most: number) => Schema.Array(item).check(Schema.isMaxLength(most))

/** The first item whose `key` an earlier one has too; its path. */
export const repeated = <A>(items: ReadonlyArray<A>, key: (item: A) => string): number =>
  items.findIndex((item, index) => items.slice(0, index).some((earlier) => key(earlier) === key(item)))
