/**
 * The controller's database in memory, with the triggers and functions of `migrations/`: what they refuse, this refuses.
 * Tests hold this handle: they write desired rows as people and programs do, and read every table.
 */
import { isDeepStrictEqual } from "node:util"
import type { GameId } from "../../../src/domain/GameId.ts"
import type { StoreChange, SurveyPart } from "../../../src/store/GameReader.ts"
import type { Settled } from "../../../src/store/GameWriter.ts"
import { type Page, type Place, placeOf } from "../../../src/store/postgres/changesSince.ts"
import type { ClaimAnswer, ClaimRequest } from "../../../src/store/postgres/claims.ts"
import type { fromCommit, fromIntake } from "../../../src/store/postgres/documents.ts"
import { StoreError } from "../../../src/store/StoreError.ts"
import { Availability } from "./Availability.ts"
import { Broadcast } from "./Broadcast.ts"
import {
  type ChangeRow, checkGame, checkStatusMove, type GameRow, type HealthRow, invalid, type JobRow, Journal, type OperationRow, type OutboxRow, type RecordRow
} from "./database.ts"
import { claimIn, keyOf, type Ledger, type PortRow } from "./ledger.ts"
import { hex, type Surroundings } from "./Surroundings.ts"

type CommitDocument = ReturnType<typeof fromCommit>
type IntakeDocument = ReturnType<typeof fromIntake> & { readonly image_ref?: string; readonly restart_policy?: GameRow["restart_policy"]; readonly spec?: GameRow["spec"] }

/** What people write; the rest is made of it. */
type WrittenRow = Omit<GameRow, "desired_hash">

export class StoreWorld {
  readonly answers = new Availability()
  /** NOTIFY. */
  readonly changes: Broadcast<StoreChange>
  readonly games = new Map<string, GameRow>()
  readonly records = new Map<string, RecordRow>()
  readonly operations: Array<OperationRow> = []
  readonly health = new Map<string, HealthRow>()
  readonly jobs = new Map<number, JobRow>()
  readonly outbox = new Map<number, OutboxRow>()
  readonly ports: Ledger = new Map()
  /** Everything that was ever in the outbox, in order. */
  readonly told: Array<OutboxRow> = []
  readonly lease = { holder: "", epoch: 0, renewedAtMs: 0, expiresAtMs: 0, ttlMs: 0, isGone: false }
  /** The sequence of epochs. */
  lastEpoch = 0
  /** The server and timeline that answers, and the one that was noted. */
  readonly history: { current: string; noted: string | undefined } = { current: "1", noted: undefined }
  /** Games whose rows somebody holds locked: jobs do not wait for them. */
  readonly locked = new Set<string>()
  readonly #world: Surroundings
  readonly #journal = new Journal()
  readonly #entries = new Map<string, number>()
  readonly #pending = new Map<string, Map<number, JobRow>>()
  readonly #changed = new Map<string, ChangeRow>()
  readonly #settled = new Map<string, true>()
  readonly #unsettled = new Map<string, number>()
  #notified = new Set<string>()
  #lastId = 0
  #xid = 0

  constructor(world: Surroundings) {
    this.#world = world
    this.changes = new Broadcast(this.answers, world)
  }

  get nowMs(): number {
    return this.#world.clock.currentTimeMillisUnsafe()
  }

  // --- what people do -------------------------------------------------------------------------------------------------

  insert(row: Partial<WrittenRow> & Pick<GameRow, "game_id" | "image_ref">): void {
    this.#statement(() => {
      if (this.games.has(row.game_id)) throw invalid("write", `duplicate key value violates unique constraint "games_pkey"`)
      this.#write({ state: "running", restart_policy: "always", spec: {}, restart_requested_at: null, ...row, generation: 1 }, undefined)
    })
  }

  update(gameId: string, change: Partial<Omit<WrittenRow, "generation">>): void {
    this.#statement(() => {
      const before = this.games.get(gameId)
      if (before) this.#write({ ...before, ...change }, before)
    })
  }

  /** Makes the row again without the triggers, as a restore of data alone does. */
  restore(row: Partial<WrittenRow> & Pick<GameRow, "game_id" | "image_ref">): void {
    const all = { state: "running", restart_policy: "always", spec: {}, restart_requested_at: null, generation: 1, ...row } as const
    checkGame(all)
    this.games.set(row.game_id, { ...all, desired_hash: desiredHash(all) })
  }

  /** Marks the row as removed; it stays. */
  delete(gameId: string): void {
    this.update(gameId, { state: "removed" })
  }

  truncate(): never {
    throw invalid("write", "TRUNCATE of games is refused")
  }

  pendingJobs(gameId: string): ReadonlyArray<JobRow> {
    return [...this.#pending.get(gameId)?.values() ?? []]
  }

  /** Games with an unanswered job. */
  get waitingGames(): ReadonlyArray<string> {
    return [...this.#pending].flatMap(([gameId, jobs]) => jobs.size > 0 ? [gameId] : [])
  }

  /** What changed after the cursor; every statement is a transaction, and over at once. */
  changesSince(cursor: string, limit: number): Page {
    const place = placeOf(cursor)
    const after = Number(place.xid) > this.#xid + 1 ? placeOf("") : place
    const lines = [...this.#changed.values()].filter((line) => compare(line, after) > 0).sort((a, b) => compare(a, placeAt(b)))
    return { horizon: String(this.#xid + 1), lines: lines.slice(0, limit).map(({ game_id, kind, xid }) => [String(xid), game_id, kind]) }
  }

  /** A failover to a replica that lacked the last commits: rows and jobs are as they were. */
  loseAllBut(games: ReadonlyMap<string, GameRow>, jobs: ReadonlyMap<number, JobRow>): void {
    for (const [id, job] of this.jobs) {
      if (jobs.has(id)) continue
      this.jobs.delete(id)
      this.#pending.get(job.game_id)?.delete(id)
      for (const [entry, known] of this.#entries) if (known === id) this.#entries.delete(entry)
    }
    for (const gameId of this.games.keys()) if (!games.has(gameId)) this.games.delete(gameId)
  }

  // --- what the controller's statements do ------------------------------------------------------------------------------

  commit(epoch: number, step: CommitDocument): void {
    this.#statement(() => {
      this.#fence(epoch, "commit")
      const { game_id } = step
      if (step.adopt) {
        if (this.games.has(game_id)) throw conflict(`the row of ${game_id} was written meanwhile`)
        this.#write({ game_id, spec: {}, restart_requested_at: null, ...step.adopt, generation: 1 }, undefined)
      }
      const observed = step.adopt ? { observed_hash: this.games.get(game_id)!.desired_hash } : {}
      if (step.record) this.#writeRecord({ ...step.record, ...observed }, step.expected_version ?? 0)
      if (step.freed) this.#freePorts(game_id, step.freed)
      if (step.freed || step.record?.status === "removed") this.#mindPorts(game_id)
      for (const operation of step.operations) this.#journal.push(this.operations, { id: ++this.#lastId, game_id, ...operation } as OperationRow)
      if (step.health) this.#journal.put(this.health, game_id, { game_id, ...step.health } as HealthRow)
      for (const message of step.messages) this.#tell(game_id, message)
      for (const { id, message, ...answer } of step.answers) {
        const job = this.jobs.get(id)
        if (job === undefined || job.outcome !== null) continue
        this.#writeJob({ ...job, ...answer })
        this.#tell(game_id, message)
      }
    })
  }

  /** Ports that are kept for a game. */
  portsOf(gameId: string): ReadonlyArray<PortRow> {
    return [...this.ports.values()].filter((row) => row.game_id === gameId && row.freed_at_ms === null)
      .sort((a, b) => a.port - b.port || byText(a.protocol, b.protocol))
  }

  claimPorts(epoch: number, claim: ClaimRequest): ClaimAnswer {
    return this.#statement(() => {
      this.#fence(epoch, "claim_ports")
      const { answer, written } = claimIn(this.ports, claim, this.nowMs)
      for (const [key, row] of written) this.#journal.put(this.ports, key, row)
      if ("missing" in answer) this.#mindLost(claim.engine_id)
      return answer
    })
  }

  sameHistory(): void {
    const { current, noted } = this.history
    if (noted !== undefined && noted !== current) {
      throw new StoreError({ operation: "same_history", reason: "HistoryChanged", message: "the database has another history than when jobs were taken last" })
    }
  }

  noteHistory(epoch: number): void {
    this.#fence(epoch, "note_history")
    this.history.noted = this.history.current
  }

  takeJobs(epoch: number, jobs: ReadonlyArray<IntakeDocument>, again: boolean): ReadonlyArray<GameId> {
    return this.#statement(() => {
      this.#fence(epoch, "take_jobs")
      if (!again) this.sameHistory()
      const found = new Set<string>()
      const held = jobs.find((job) => !("outcome" in job) && this.locked.has(job.game_id))
      if (held) throw conflict("canceling statement due to lock timeout")
      for (const job of jobs) {
        const entry = `${job.stream} ${job.life} ${job.entry_id}`
        if (this.#entries.has(entry)) continue
        const id = ++this.#lastId
        this.#journal.put(this.#entries, entry, id)
        const refused = "outcome" in job ? { outcome: "failure" as const, error_code: job.error_code, error_message: job.error_message } : undefined
        const generation = refused ? null : this.#applyWish(job)
        this.#writeJob({
          id, stream: job.stream, entry_id: job.entry_id, kind: job.kind, game_id: job.game_id, payload: job.payload,
          generation, outcome: null, container_id: null, engine_endpoint: null, error_code: null, error_message: null, ...refused
        })
        for (const message of job.messages) this.#tell(job.game_id, message)
        if (!refused) found.add(job.game_id)
      }
      return [...found] as Array<GameId>
    })
  }

  /** A page of ids. */
  surveyed(part: SurveyPart, after: string, limit: number): ReadonlyArray<string> {
    const open = () => [...this.records].flatMap(([gameId, { status }]) => status === "removed" || this.#settled.has(gameId) ? [] : [gameId])
    const ids = {
      open: () => [...new Set([...open(), ...this.#unsettled.keys(), ...this.waitingGames])],
      settled: () => [...this.#settled.keys()],
      unnoted: () => [...this.games.keys()].filter((gameId) => !this.records.has(gameId) && !this.#unsettled.has(gameId))
    }
    return ids[part]().filter((gameId) => gameId > after).sort().slice(0, limit)
  }

  settle(epoch: number, games: ReadonlyArray<Settled>): void {
    this.#statement(() => {
      this.#fence(epoch, "settle")
      for (const { gameId, generation, version } of games) {
        if (this.records.get(gameId)?.version === version) this.#journal.put(this.#settled, gameId, true)
        if (this.#unsettled.get(gameId) === generation) this.#journal.delete(this.#unsettled, gameId)
      }
    })
  }

  markSent(ids: ReadonlyArray<number>): void {
    for (const id of ids) this.outbox.delete(id)
  }

  // --- inside ---------------------------------------------------------------------------------------------------------

  /** One statement: all of it or nothing, and the notifications when it is committed. */
  #statement<A>(body: () => A): A {
    this.#notified = new Set()
    this.#xid++
    const answer = this.#journal.run(body)
    for (const gameId of this.#notified) this.changes.tell({ _tag: "Changed", gameId: gameId as GameId, state: this.games.get(gameId)?.state })
    return answer
  }

  #fence(epoch: number, operation: string): void {
    if (this.lease.isGone || this.lease.epoch !== epoch) {
      throw new StoreError({ operation, reason: "Fenced", message: `another controller acts by now (epoch ${epoch} is over)` })
    }
  }

  /** The triggers of `games`. */
  #write(row: WrittenRow, before: GameRow | undefined): GameRow {
    if (before && row.game_id !== before.game_id) throw invalid("write", `game_id of ${before.game_id} cannot change`)
    if (before?.state === "removed" && row.state !== "removed") {
      throw invalid("write", `game ${row.game_id} was removed, and removed is for good`)
    }
    checkGame(row)
    const wanted = ({ image_ref, restart_policy, spec, state }: WrittenRow) => [state, image_ref, restart_policy, spec]
    const changed = before === undefined || !isDeepStrictEqual(wanted(row), wanted(before))
    const asked = before !== undefined && row.restart_requested_at !== before.restart_requested_at
    const kept = { ...(changed ? row : before), restart_requested_at: row.restart_requested_at }
    const after = { ...kept, desired_hash: desiredHash(kept), generation: before === undefined ? 1 : before.generation + (changed ? 1 : 0) }
    this.#journal.put(this.games, row.game_id, after)
    if (changed) this.#journal.put(this.#unsettled, row.game_id, after.generation)
    if (changed || asked) {
      this.#notified.add(row.game_id)
      this.#noteChange(row.game_id, "row")
    }
    return after
  }

  #writeRecord(record: RecordRow, expectedVersion: number): void {
    const before = this.records.get(record.game_id)
    if ((before?.version ?? 0) !== expectedVersion) {
      throw conflict(`the record of ${record.game_id} was written meanwhile`)
    }
    checkStatusMove(record, before)
    this.#journal.put(this.records, record.game_id, { ...record, version: expectedVersion + 1 })
    this.#journal.delete(this.#settled, record.game_id)
    if (record.status === "removed" && before?.status !== "removed") this.#journal.delete(this.#unsettled, record.game_id)
    this.#noteChange(record.game_id, "record")
  }

  #freePorts(gameId: string, { engine_id, ports }: CommitDocument["freed"] & {}): void {
    for (const port of ports) {
      const key = keyOf({ ...port, engine_id })
      const row = this.ports.get(key)
      if (row?.game_id === gameId && row.freed_at_ms === null) this.#journal.put(this.ports, key, { ...row, freed_at_ms: this.nowMs })
    }
  }

  /** Of a game that the database has lost nobody thinks any more: it is looked at. */
  #mindLost(engineId: string): void {
    for (const { engine_id, freed_at_ms, game_id: gameId } of this.ports.values()) {
      const isLost = gameId !== null && engine_id === engineId && freed_at_ms === null && !this.games.has(gameId) && !this.records.has(gameId)
      if (isLost && !this.#unsettled.has(gameId)) this.#journal.put(this.#unsettled, gameId, 0)
    }
  }

  /** A game that was removed, or that the database has lost, is surveyed for as long as it holds ports. */
  #mindPorts(gameId: string): void {
    const record = this.records.get(gameId)
    if (record === undefined ? this.games.has(gameId) : record.status !== "removed") return
    if (this.portsOf(gameId).length === 0) this.#journal.delete(this.#unsettled, gameId)
    else if (!this.#unsettled.has(gameId)) this.#journal.put(this.#unsettled, gameId, 0)
  }

  #noteChange(gameId: string, kind: ChangeRow["kind"]): void {
    this.#journal.put(this.#changed, `${kind} ${gameId}`, { game_id: gameId, kind, xid: this.#xid })
  }

  /** The generation that the wish is part of; null where there is no row. */
  #applyWish(job: IntakeDocument): number | null {
    const before = this.games.get(job.game_id)
    if (before?.state === "removed" || this.records.get(job.game_id)?.status === "removed") return before?.generation ?? null
    if (job.kind === "stop") return before === undefined ? null : this.#write({ ...before, state: "stopped" }, before).generation
    return this.#write({
      game_id: job.game_id,
      state: "running",
      image_ref: job.image_ref!,
      restart_policy: job.restart_policy ?? before?.restart_policy ?? "never",
      spec: job.spec ?? before?.spec ?? {},
      restart_requested_at: before?.restart_requested_at ?? null,
      generation: before?.generation ?? 1
    }, before).generation
  }

  #writeJob(job: JobRow): void {
    this.#journal.put(this.jobs, job.id, job)
    const pending = this.#pending.get(job.game_id) ?? new Map<number, JobRow>()
    this.#journal.put(this.#pending, job.game_id, pending)
    if (job.outcome === null) this.#journal.put(pending, job.id, job)
    else this.#journal.delete(pending, job.id)
  }

  #tell(gameId: string, message: { readonly topic: string; readonly fields: Readonly<Record<string, string>> }): void {
    const digits = hex(this.#world.random, 32)
    const eventId = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `a${digits.slice(17, 20)}`, digits.slice(20)].join("-")
    const row: OutboxRow = { id: ++this.#lastId, event_id: eventId, game_id: gameId, topic: message.topic, fields: message.fields, created_at_ms: this.nowMs }
    this.#journal.put(this.outbox, row.id, row)
    this.#journal.push(this.told, row)
  }
}

/** The generated column. */
const desiredHash = ({ image_ref, restart_policy, spec, state }: WrittenRow): string => JSON.stringify([state, image_ref, restart_policy, Object.entries(spec).sort()])

const conflict = (message: string): StoreError => new StoreError({ operation: "commit", reason: "Conflict", message })

const placeAt = ({ game_id, kind, xid }: ChangeRow): Place => ({ xid: String(xid), gameId: game_id, kind })

/** By transaction, then game, then kind. */
const compare = (line: ChangeRow, place: Place): number =>
  line.xid - Number(place.xid) || byText(line.game_id, place.gameId) || byText(line.kind, place.kind)

const byText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0
