import type { RedisClient } from "./connect.ts"
import { type NextRead, StreamMerge } from "./StreamMerge.ts"

/** What was asked for last, and what comes next. */
export class Asked {
  merge: StreamMerge
  served: RedisClient | undefined
  /** The streams are read one by one. */
  apart = false
  /** The next read begins anew. */
  stale = false
  /** Of each stream, as long as the connection and the group are the same. */
  readonly lives = new Map<string, string>()
  last: NextRead = { from: [], mayBlock: false }

  constructor(streams: ReadonlyArray<string>) {
    this.merge = new StreamMerge(streams)
  }

  begin(streams: ReadonlyArray<string>): void {
    this.merge = new StreamMerge(streams)
    this.stale = false
    this.lives.clear()
  }

  next(): NextRead {
    this.last = this.apart ? this.merge.nextAlone() : this.merge.next()
    return this.last
  }
}
