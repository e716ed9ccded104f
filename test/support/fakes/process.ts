/**
 * What runs inside a fake container, told by words of its command line, as a real test image would take them:
 *
 * - `exit=3` ends by itself with that code, `after=500` ms (default 0); `oom`: the kernel ends it for its memory (137)
 * - `times=2`: only its first two runs do so, later ones stay up
 * - `stop=200`: takes so many ms from the stop signal to its end (default 10); `stop=never`: ignores it
 * - `unstartable`: the engine cannot start it
 * - `missing`, `noexec`: the program does not exist, is not executable: the engine's init process finds that out (127, 126)
 *
 * Any other word means nothing.
 */
export interface Behaviour {
  /** null: stays up until it is told to end. */
  readonly end: { readonly code: number; readonly oomKilled: boolean; readonly afterMs: number } | null
  readonly times: number
  /** null: ignores the stop signal. */
  readonly stopMs: number | null
  readonly startable: boolean
}

export const behaviourOf = (words: ReadonlyArray<string>): Behaviour => {
  const option = (name: string): string | undefined => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
  const oomKilled = words.includes("oom")
  const exit = option("exit")
  const stop = option("stop")
  const code = oomKilled ? 137 : words.includes("missing") ? 127 : words.includes("noexec") ? 126 : exit === undefined ? null : Number(exit)
  return {
    end: code === null ? null : { code, oomKilled, afterMs: Number(option("after") ?? 0) },
    times: Number(option("times") ?? Infinity),
    stopMs: stop === "never" ? null : Number(stop ?? 10),
    startable: !words.includes("unstartable")
  }
}
