/** Durations and memory sizes as Go and Kubernetes write them. Pure text to number. */
const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** `0`, `500ms`, `30s`, `5m`, `72h`, `1h30m`. */
export const durationPattern = /^(?:0|(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h)){1,4})$/

/** `500ms`, `30s`, `5m`, `1h30m` to milliseconds; undefined when `text` is no duration. */
export const parseDurationMs = (text: string): number | undefined => {
  if (!durationPattern.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * durationUnits[unit as keyof typeof durationUnits]
  }
  return Math.round(total)
}

const memoryUnits = {
  "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40
} as const

/** `536870912`, `512Mi`, `1.5Gi`, `500M`. */
export const memoryPattern = /^\d{1,15}(?:\.\d{1,9})?(?:k|M|G|T|Ki|Mi|Gi|Ti)?$/

/** `536870912`, `512Mi`, `1.5Gi`, `500M` to bytes; undefined when `text` is no size. */
export const parseMemoryBytes = (text: string): number | undefined => {
  if (!memoryPattern.test(text)) return undefined
  const [, amount, unit] = /^([\d.]+)(.*)$/.exec(text)!
  const bytes = Math.round(Number(amount) * memoryUnits[unit as keyof typeof memoryUnits])
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
