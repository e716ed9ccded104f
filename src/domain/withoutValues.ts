/** Text that others wrote (an engine's words), without the values of a spec that it repeats. Pure. */
import type { GameSpec } from "./GameSpec.ts"
import { literalOf } from "./spec/env.ts"

/** Anything shorter is in every text; who takes it for a secret has none. */
const shortest = 4

/**
 * Each value of `spec` in `text` reads as its path, e.g. `<env.TOKEN>`: as it is, and as JSON and Go quote it. Left alone are
 * values that have a pattern of their own, such as sizes, signals, names
 * and paths.
 */
export const withoutValues = (text: string, spec: GameSpec): string =>
  valuesOf(spec).reduce((left, [path, value]) => left.replaceAll(value, `<${path}>`), text)

/** The longest first: one value may be part of another. */
const valuesOf = (spec: GameSpec): ReadonlyArray<readonly [path: string, value: string]> =>
  [
    ...(spec.command ?? []).map((value, index) => [`command.${index}`, value] as const),
    ...(spec.args ?? []).map((value, index) => [`args.${index}`, value] as const),
    ...Object.entries(spec.env ?? {}).map(([name, value]) => [`env.${name}`, literalOf(value) ?? ""] as const),
    ...Object.entries(spec.labels ?? {}).map(([name, value]) => [`labels.${name}`, value] as const)
  ]
    .flatMap(([path, value]) => [...new Set([value, JSON.stringify(value).slice(1, -1)])].map((form) => [path, form] as const))
    .filter(([, value]) => value.length >= shortest)
    .sort(([, a], [, b]) => b.length - a.length)
