/** `resources`: what a game may use of its host. */
import { Schema } from "effect"
import { byName, field, needed, sizeBetween } from "./values.ts"

/** Processes and threads of a game whose spec and whose settings say nothing else. */
export const defaultPids = 512

/** Those that bound what a game does to itself; `rtprio`, `nice` and `rttime` would let it push others aside. */
const ulimitNames: ReadonlySet<string> = new Set(["core", "data", "fsize", "memlock", "nofile", "nproc", "sigpending", "stack"])
const unlimited = -1
const Limit = Schema.Int.check(Schema.isBetween({ minimum: unlimited, maximum: 2 ** 40 }))
const most = (limit: number): number => limit === unlimited ? Infinity : limit
const Ulimit = Schema.Struct({
  soft: needed(Limit, "What holds at first; -1: no limit."),
  hard: needed(Limit, "What the game itself may raise it to; -1: no limit.")
}).check(Schema.makeFilter(({ hard, soft }: { readonly hard: number; readonly soft: number }) =>
  most(soft) > most(hard) ? { path: ["soft"], issue: "takes no more than hard" } : undefined))

export const Resources = Schema.Struct({
  cpus: field(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1024 })),
    "CPUs the container may use, e.g. `0.5` or `2`. More than the host has is a failed start.", "`RTM_DEFAULT_CPUS`"),
  memory: field(sizeBetween("6Mi"), "Memory and swap together, e.g. `512Mi`. More than the host has is a failed start.", "`RTM_DEFAULT_MEMORY`"),
  pids: field(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4_194_304 })), "Processes and threads.", "`RTM_DEFAULT_PIDS`"),
  shm_size: field(sizeBetween("4Ki"), "Size of `/dev/shm`; what is in it counts as memory.", "the engine's, `64Mi`"),
  ulimits: field(
    byName(Ulimit, (name) => ulimitNames.has(name) ? undefined : `takes ${[...ulimitNames].join(", ")}`),
    `By the names of Linux: ${[...ulimitNames].map((name) => `\`${name}\``).join(", ")}.`, "the engine's")
})
export type Resources = typeof Resources.Type
