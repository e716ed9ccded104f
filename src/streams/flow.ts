/** What /readyz says of jobs coming in and messages going out: words, or why it is not well. Pure. */
import { Result } from "effect"
import type { OutgoingState } from "./OutboxRelay.ts"
import { entryMs, type JobStreamState } from "./Streams.ts"

/** The consumer reads all the time, and waits seconds at most. */
const readWithinMs = 20_000
/** The relay looks each second. */
const lookWithinMs = 20_000
/** A message that waits longer than this does not go out. */
const sentWithinMs = 30_000

export interface Now {
  readonly monotonicMs: number
  readonly wallMs: number
}

type Word = Result.Result<string, { readonly message: string }>

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`
const verdict = (problems: ReadonlyArray<string>, well: string): Word => problems.length > 0 ? Result.fail({ message: problems.join("; ") }) : Result.succeed(well)

export const jobsWord = (streams: ReadonlyArray<JobStreamState>, now: Now): Word =>
  verdict(
    streams.flatMap((state) => jobProblem(state, now) ?? []),
    streams.map(({ lastReadMs, oldestPending, stream }) => {
      const pending = oldestPending === undefined ? "nothing pending" : `oldest pending entry ${seconds(now.wallMs - entryMs(oldestPending))} old`
      return `${stream} read ${seconds(now.monotonicMs - lastReadMs!)} ago, ${pending}`
    }).join("; ")
  )

const jobProblem = ({ lastReadMs, problem, stream }: JobStreamState, now: Now): string | undefined => {
  if (problem !== undefined) return `${stream} is not read: ${problem}`
  if (lastReadMs === undefined) return `${stream} was not read yet`
  const agoMs = now.monotonicMs - lastReadMs
  return agoMs > readWithinMs ? `${stream} was read last ${seconds(agoMs)} ago` : undefined
}

export const messagesWord = ({ lastLookMs, oldestMs, refused }: OutgoingState, now: Now): Word => {
  const waitsMs = oldestMs === undefined ? 0 : now.wallMs - oldestMs
  const agoMs = lastLookMs === undefined ? undefined : now.monotonicMs - lastLookMs
  return verdict([
    ...[...refused].map(([topic, problem]) => `messages of ${topic} wait: ${problem}`),
    ...(agoMs === undefined ? ["the outbox was not looked into yet"] : []),
    ...(agoMs !== undefined && agoMs > lookWithinMs ? [`the outbox was looked into last ${seconds(agoMs)} ago`] : []),
    ...(waitsMs > sentWithinMs ? [`the oldest message waits for ${seconds(waitsMs)}`] : [])
  ], oldestMs === undefined ? "none waits" : `the oldest waits for ${seconds(waitsMs)}`)
}
