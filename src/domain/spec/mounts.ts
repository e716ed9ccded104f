/** What a game sees of disks beside its image and its state: named volumes, memory, folders of the host. */
import { Schema } from "effect"
import { AbsolutePath, field, formed, listOf, Name, needed, sizeBetween } from "./values.ts"

/** Where a game's state is, in its container. */
export const statePath = "/var/lib/galaxy-game"

const ofSystem = /^\/(?:proc|sys|dev)(?:\/|$)/
const Target = AbsolutePath.check(Schema.makeFilter((path: string) =>
  path === "/" || ofSystem.test(path) ? "takes no / and nothing in /proc, /sys or /dev"
    : path === statePath ? "is where the game's state is" : undefined))

/** Names that only the games' own states have. */
export const isStateName = (name: string): boolean => /^galaxy-game-/i.test(name)

export const Volume = Schema.Struct({
  name: needed(Name.check(Schema.makeFilter((name: string) => isStateName(name) ? "is a game's own state" : undefined)),
    "A named volume of the engine, which `RTM_VOLUMES_ALLOW` must name; made when missing, and never removed."),
  target: needed(Target, "Where the game sees it."),
  read_only: field(Schema.Boolean, "The game may only read it.", "`false`")
})
export const Tmpfs = Schema.Struct({
  target: needed(Target, "Where the game sees it."),
  size: field(sizeBetween("4Ki"), "What is in it counts as memory.", "half of the host's memory"),
  mode: field(formed(/^0?[01]?[0-7]{3}$/, "octal permissions like 0700 or 1777"), "Permissions, octal. Engines with an older runc keep those of a folder that is there already.", "`1777`")
})
export const Bind = Schema.Struct({
  host_path: needed(AbsolutePath, "A folder or file of the engine's host, in one of `RTM_BIND_ROOTS`. It must be there."),
  target: needed(Target, "Where the game sees it; it may only read it.")
})

export const mountFields = {
  volumes: field(listOf(Volume, 32), "Named volumes beside the game's own state."),
  tmpfs: field(listOf(Tmpfs, 32), "Folders in memory, empty at each start; no program in them can be executed."),
  binds: field(listOf(Bind, 32), "Folders of the host, only to read, without what is mounted below them.")
}

type Mounts = { readonly [K in keyof typeof mountFields]?: ReadonlyArray<{ readonly target: string }> }

/** Two mounts in one place: the path of the second. */
export const doubledTarget = (spec: Mounts) => {
  const all = (["volumes", "tmpfs", "binds"] as const).flatMap((kind) => (spec[kind] ?? []).map(({ target }, index) => ({ kind, index, target })))
  const second = all.find(({ target }, at) => all.slice(0, at).some((earlier) => earlier.target === target))
  return second && { path: [second.kind, second.index, "target"], issue: "is the target of another mount" }
}
