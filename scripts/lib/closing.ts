/**
 * The end of a script that started servers: they are stopped in the reverse order, once, whatever ends the script: a signal,
 * an error, or that nobody reads its output any more. Signals that arrive while something starts are kept until it can be stopped.
 */
import type { ChildProcess } from "node:child_process"

export interface Stoppable {
  readonly stop: () => Promise<void>
}

export interface Closing {
  /** Starts what is stopped at the end, also when the end comes while it still starts. Does not answer once the end has begun. */
  readonly keep: <A extends Stoppable>(start: () => Promise<A>) => Promise<A>
  /** Ends the process. The first call's `code` counts. */
  readonly close: (code: number) => Promise<never>
}

/** What still starts when the end comes is waited for this long: a pull may take minutes, and leaves nothing running. */
const startDeadlineMs = 5000

/** Takes over the process's signals, its output's errors and what nobody caught. `farewell` is printed when all is stopped. */
export const makeClosing = (farewell: string): Closing => {
  const kept: Array<Promise<Stoppable>> = []
  let closing: Promise<never> | undefined
  const close = (code: number): Promise<never> => closing ??= (async () => {
    for (const starting of kept.reverse()) await stopped(starting)
    await print(`\n${farewell}\n`)
    process.exit(code)
  })()
  // In `npm start | tee log`, Ctrl-C ends tee too: a write without these would end this script before it stopped anything.
  process.stdout.on("error", () => void close(0))
  process.stderr.on("error", () => {})
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${error.stack}\n`)
    void close(1)
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // A library may have asked for the process to end at once.
    process.removeAllListeners(signal)
    process.on(signal, () => void close(0))
  }
  return {
    keep: async (start) => {
      if (closing) return closing
      const starting = start()
      kept.push(starting)
      return starting.finally(() => closing)
    },
    close
  }
}

/** One that cannot be stopped must not keep the others running. */
const stopped = async (starting: Promise<Stoppable>): Promise<void> => {
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), startDeadlineMs))
  try {
    const one = await Promise.race([starting.catch(() => undefined), late])
    await one?.stop()
  } catch (error) {
    process.stderr.write(`${String(error)}\n`)
  }
}

/** To stdout, or where nobody reads that, to the terminal by stderr. */
const print = (text: string): Promise<void> =>
  new Promise((resolve) => {
    process.stdout.write(text, (error) => error ? process.stderr.write(text, () => resolve()) : resolve())
  })

/** Asks a process to end, and ends it when it has not after `deadlineMs`. */
export const ended = (child: ChildProcess, deadlineMs: number): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    child.kill("SIGTERM")
  })
