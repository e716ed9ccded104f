/** Waiting for a state: asks again and again until it is there, and says what it saw last when it is not. */
export const until = async <A>(what: string, ask: () => A | undefined | false | Promise<A | undefined | false>, deadlineMs = 30_000, everyMs = 10): Promise<A> => {
  const endMs = Date.now() + deadlineMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what} (last: ${String(last)})`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
