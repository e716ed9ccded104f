/** The table of docs/spec.md: every field of a spec, as its Schema says. */
import { type Change, specFields } from "../../src/domain/spec/fields.ts"

/** As far as it is read here. */
export interface Node {
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: ReadonlyArray<string>
  readonly items?: Node
  readonly additionalProperties?: Node | false
  readonly anyOf?: ReadonlyArray<Node>
  readonly allOf?: ReadonlyArray<Node>
}

/** What is said of a field comes last, behind what its checks say. */
const saidOf = ({ allOf = [] }: Node): readonly [what: string, standard: string] => {
  const [what = "", standard = ""] = (allOf.at(-1)?.description ?? "").split(" Default: ")
  return [what, standard.replace(/\.$/, "")]
}

/** Bounds that somebody chose, not those of the numbers themselves. */
const boundsOf = ({ allOf = [] }: Node): string => {
  const bounded = allOf.find(({ maximum, minimum }) => maximum !== undefined && minimum !== undefined)
  return bounded === undefined ? "" : `, ${bounded.minimum} to ${bounded.maximum}`
}

const typeOf = (node: Node): string => {
  if (node.enum !== undefined) return node.enum.length > 8 ? "name" : node.enum.map((one) => `\`${one}\``).join(", ")
  switch (node.type) {
    case "array":
      return node.items?.type === "object" ? "list of objects" : `list: ${typeOf(node.items ?? {})}`
    case "string":
      return node.description === undefined || node.description.startsWith("a value with") ? "text" : node.description
    case "number":
    case "integer":
      return `${node.type === "integer" ? "whole number" : "number"}${boundsOf(node)}`
    case "object":
      return node.properties === undefined ? "object by name" : "object"
    case "boolean":
      return "`true`, `false`"
    default:
      return (node.anyOf ?? []).map(typeOf).join(" or ")
  }
}

const rowsOf = (path: string, node: Node, change: Change, required: boolean): ReadonlyArray<string> => {
  const [what, standard] = saidOf(node)
  const [kind, isNamed] = [typeOf(node), what !== ""]
  const row = `| \`${path}\` | ${kind} | ${required ? "required" : standard} | ${what} | ${change} |`
  return [...(isNamed ? [row] : []), ...within(path, node, change)]
}

const within = (path: string, node: Node, change: Change): ReadonlyArray<string> => [
  ...Object.entries(node.properties ?? {}).flatMap(([name, inner]) => rowsOf(`${path}.${name}`, inner, change, node.required?.includes(name) ?? false)),
  ...(node.items === undefined ? [] : within(`${path}[]`, node.items, change)),
  ...(node.additionalProperties ? within(`${path}.<name>`, node.additionalProperties, change) : []),
  ...(node.anyOf ?? []).flatMap((one) => within(path, one, change))
]

/** `properties`: of a spec. */
export const specTable = (properties: Readonly<Record<string, Node>>): string =>
  ["| field | type | default | what | change |", "| --- | --- | --- | --- | --- |",
    ...Object.entries(properties).flatMap(([name, node]) => rowsOf(name, node, specFields[name as keyof typeof specFields], false))].join("\n")
