/** Small tools of the benchmarks. */
import { readFileSync } from "node:fs"

/** By nearest rank: the smallest value that this part of all values does not exceed. */
export const percentile = (values: ReadonlyArray<number>, p: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? Number.NaN
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const rates = (values: ReadonlyArray<number>): string => `${values.map((rate) => rate.toFixed(2)).join(", ")}/s`

/** Runs `work` for each item, at most `limit` at once. */
export const pooled = async <A>(items: ReadonlyArray<A>, limit: number, work: (item: A) => Promise<void>): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}

export const seconds = async (work: () => Promise<void>): Promise<number> => {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}

/** CPU seconds and resident MiB of a process, by the kernel's count. */
export const usage = (pid: number): { readonly cpuSeconds: number; readonly rssMiB: number } => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMiB: Number(rss?.[1]) / 1024 }
}
