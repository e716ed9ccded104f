/**
 * Whether the engine shows that another controller of this very installation is alive: one that acts under a copy of the
 * database counts epochs of its own.
 */
import { Effect } from "effect"
import { monotonicMs } from "../../src/clock/monotonic.ts"
import type { ContainerSummary } from "../../src/engine/ContainerEngine.ts"
import type { Term } from "../../src/store/Lease.ts"

/** A create of an earlier term may still be carried out for so long after its controller was replaced. */
const lateMs = 90_000

/** Told of each list, and when that was: what shows the rival; undefined: nothing does. */
export type RivalWatch = (containers: ReadonlyArray<ContainerSummary>, atMs: number) => string | undefined

export const makeRivalWatch = (instance: string, epoch: number): RivalWatch => {
  const seen = new Set<string>()
  let firstMs: number | undefined
  return (containers, atMs) => {
    const own = containers.filter((container) => container.instance === instance && container.epoch !== undefined && container.epoch !== epoch)
    const tooLate = firstMs !== undefined && atMs - firstMs > lateMs
    // What an earlier term made was there from the beginning; none was newer than this one.
    const rival = own.find((container) => container.epoch! > epoch || (tooLate && !seen.has(container.id)))
    for (const { id } of own) seen.add(id)
    firstMs ??= atMs
    return rival && `container ${rival.name} (${rival.id.slice(0, 12)}) was made in epoch ${rival.epoch}, while this one acts in epoch ${epoch}`
  }
}

/** Told of each list, and tells once what shows the rival. In a term that is over, a newer epoch is the next one's. */
export const watchRivals = <E extends { readonly message: string }>(
  instance: string,
  { epoch, remainingMs }: Pick<Term, "epoch" | "remainingMs">,
  onRival: (what: string) => Effect.Effect<void, E>
) => {
  const watch = makeRivalWatch(instance, epoch)
  let told = false
  return Effect.fnUntraced(function*(containers: ReadonlyArray<ContainerSummary>) {
    const what = watch(containers, yield* monotonicMs)
    if (what === undefined || told || (yield* remainingMs) <= 0) return
    yield* Effect.logError(`another controller of this installation is alive: ${what}`)
    yield* onRival(what)
    told = true
  }, Effect.catch((error) => Effect.logWarning("it could not be kept that another controller is alive", error)))
}
