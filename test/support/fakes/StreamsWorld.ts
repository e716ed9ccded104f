/**
 * Redis streams in memory: entries, one consumer group a job stream with its pending entries and deliveries, trims, wipes.
 * Tests hold this handle: they are the lobby that sends jobs, and they read what was told.
 */
import type { JobKind } from "../../../src/domain/Job.ts"
import type { Topic } from "../../../src/domain/Message.ts"
import { Availability } from "./Availability.ts"
import type { Surroundings } from "./Surroundings.ts"

export type Fields = Readonly<Record<string, string>>

export interface StreamEntry {
  readonly id: string
  readonly fields: Fields
}

interface PendingEntry {
  consumer: string
  deliveries: number
  deliveredAtMs: number
}

interface FakeStream {
  readonly entries: Map<string, Fields>
  /** null: no group was made yet. */
  group: { delivered: EntryId; readonly life: string; readonly pending: Map<string, PendingEntry> } | null
}

type EntryId = readonly [ms: number, seq: number]

/** Names of the contract. */
export const jobStreams: Readonly<Record<JobKind, string>> = { start: "runtime:start_jobs", stop: "runtime:stop_jobs" }
export const topicStreams: Readonly<Record<Topic, string>> = {
  job_results: "runtime:job_results",
  health_events: "runtime:health_events",
  notification_intents: "notification:intents",
  dead_jobs: "runtime:dead_jobs"
}

export interface Delivered {
  readonly id: string
  /** null: trimmed away before it was acknowledged. */
  readonly fields: Fields | null
  readonly deliveries: number
}

export class StreamsWorld {
  readonly answers = new Availability()
  wipes = 0
  /** Everything that was ever added, whatever was trimmed or wiped since. */
  readonly log: Array<StreamEntry & { readonly stream: string }> = []
  /** Topics whose messages are refused, as when their key is no stream. */
  readonly refused = new Set<Topic>()
  readonly #streams = new Map<string, FakeStream>()
  readonly #world: Surroundings
  readonly #waiting = new Set<() => void>()
  #last: EntryId = [0, 0]
  #lives = 0

  constructor(world: Surroundings) {
    this.#world = world
  }

  get nowMs(): number {
    return this.#world.clock.currentTimeMillisUnsafe()
  }

  // --- what people do -------------------------------------------------------------------------------------------------

  /** XADD with `*`, or an id that the sender made up; answers the id. */
  add(stream: string, fields: Fields, explicit?: string): string {
    const [ms, seq] = this.#last
    if (explicit === undefined) this.#last = this.nowMs > ms ? [this.nowMs, 0] : [ms, seq + 1]
    const id = explicit ?? this.#last.join("-")
    this.#stream(stream).entries.set(id, fields)
    this.log.push({ stream, id, fields })
    for (const wake of Array.from(this.#waiting)) wake()
    return id
  }

  startJob(fields: Fields): string {
    return this.add(jobStreams.start, fields)
  }

  stopJob(fields: Fields): string {
    return this.add(jobStreams.stop, fields)
  }

  entries(stream: string): ReadonlyArray<StreamEntry> {
    return [...this.#streams.get(stream)?.entries ?? []].map(([id, fields]) => ({ id, fields }))
  }

  told(topic: Topic): ReadonlyArray<Fields> {
    return this.entries(topicStreams[topic]).map(({ fields }) => fields)
  }

  /** Delivered and not acknowledged. */
  pending(stream: string): ReadonlyArray<string> {
    return [...this.#streams.get(stream)?.group?.pending.keys() ?? []]
  }

  /** XTRIM MAXLEN. */
  trim(stream: string, length: number): void {
    const { entries } = this.#stream(stream)
    for (const id of [...entries.keys()].slice(0, Math.max(0, entries.size - length))) entries.delete(id)
  }

  /** FLUSHALL: streams, groups and pending entries are gone. */
  wipe(): void {
    this.wipes++
    this.#streams.clear()
    for (const wake of Array.from(this.#waiting)) wake()
  }

  // --- what commands do -------------------------------------------------------------------------------------------------

  hasGroup(stream: string): boolean {
    return this.#streams.get(stream)?.group != null
  }

  life(stream: string): string {
    return this.#streams.get(stream)?.group?.life ?? ""
  }

  /** XRANGE of what was delivered. */
  delivered(stream: string, sinceMs: number): ReadonlyArray<Delivered> {
    const { entries, group } = this.#stream(stream)
    return [...entries].filter(([id]) => group !== null && parseId(id)[0] >= sinceMs && compareIds(parseId(id), group.delivered) <= 0)
      .map(([id, fields]) => ({ id, fields, deliveries: 1 }))
  }

  /** XGROUP CREATE from the beginning, with MKSTREAM. */
  makeGroup(stream: string): void {
    this.#stream(stream).group ??= { delivered: [0, 0], life: `life ${++this.#lives}`, pending: new Map() }
  }

  /** XREADGROUP with `>`. */
  readNew(stream: string, consumer: string, count: number): ReadonlyArray<Delivered> {
    const { group } = this.#stream(stream)
    if (group === null) return []
    return this.unread(stream).slice(0, count).map((entry) => {
      group.delivered = parseId(entry.id)
      group.pending.set(entry.id, { consumer, deliveries: 1, deliveredAtMs: this.nowMs })
      return entry
    })
  }

  /** What the group was not given yet, oldest first. */
  unread(stream: string): ReadonlyArray<Delivered> {
    const { entries, group } = this.#stream(stream)
    return [...entries].filter(([id]) => group !== null && compareIds(parseId(id), group.delivered) > 0)
      .map(([id, fields]) => ({ id, fields, deliveries: 1 }))
  }

  /** XREADGROUP with an id: this consumer's own pending entries after it. */
  readPending(stream: string, consumer: string, afterId: string, count: number): ReadonlyArray<Delivered> {
    const { entries, group } = this.#stream(stream)
    return this.ownPending(stream, consumer, afterId).slice(0, count).map((id) =>
      this.#redeliver(id, group!.pending.get(id)!, consumer, entries))
  }

  ownPending(stream: string, consumer: string, afterId: string): ReadonlyArray<string> {
    return [...this.#stream(stream).group?.pending ?? []].flatMap(([id, entry]) =>
      entry.consumer === consumer && compareIds(parseId(id), parseId(afterId)) > 0 ? [id] : [])
  }

  /** XPENDING IDLE, and XCLAIM of those that have a body: what was trimmed stays pending with whom it was. */
  claim(stream: string, consumer: string, minIdleMs: number, count: number, except: ReadonlySet<string>): ReadonlyArray<Delivered> {
    const { entries, group } = this.#stream(stream)
    const idle = [...group?.pending ?? []].filter(([id, entry]) => this.nowMs - entry.deliveredAtMs >= minIdleMs && !except.has(id))
    return idle.slice(0, count).map(([id, entry]) =>
      entries.has(id) ? this.#redeliver(id, entry, consumer, entries) : { id, fields: null, deliveries: entry.deliveries + 1 })
  }

  acknowledge(stream: string, ids: ReadonlyArray<string>): void {
    for (const id of ids) this.#streams.get(stream)?.group?.pending.delete(id)
  }

  /** Runs `wake` when something was added or wiped; answers how to leave. */
  whenChanged(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  #redeliver(id: string, entry: PendingEntry, consumer: string, entries: ReadonlyMap<string, Fields>): Delivered {
    entry.consumer = consumer
    entry.deliveries++
    entry.deliveredAtMs = this.nowMs
    return { id, fields: entries.get(id) ?? null, deliveries: entry.deliveries }
  }

  #stream(name: string): FakeStream {
    const known = this.#streams.get(name)
    if (known) return known
    const fresh: FakeStream = { entries: new Map(), group: null }
    this.#streams.set(name, fresh)
    return fresh
  }
}

const parseId = (id: string): EntryId => {
  const [ms = 0, seq = 0] = id.split("-").map(Number)
  return [ms, seq]
}

const compareIds = (a: EntryId, b: EntryId): number => a[0] - b[0] || a[1] - b[1]

export const byId = (a: { readonly entryId: string }, b: { readonly entryId: string }): number =>
  compareIds(parseId(a.entryId), parseId(b.entryId))
