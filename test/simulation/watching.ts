/**
 * Looks over a controller's shoulder: what it read of a game, what it commits, whom it signals. What must never be, as the
 * contract and the records say it, is told at the moment it happens; a settled world does not show it any more.
 */
import { Effect, Result } from "effect"
import type { Commit } from "../../src/domain/Commit.ts"
import { decodeSpec } from "../../src/domain/GameSpec.ts"
import type { HostPort } from "../../src/domain/ports.ts"
import { specHash } from "../../src/domain/specHash.ts"
import type { Stopping } from "../../src/domain/RuntimeRecord.ts"
import type { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import type { GameReader, GameState } from "../../src/store/GameReader.ts"
import type { GameWriter } from "../../src/store/GameWriter.ts"
import type { EngineWorld } from "../support/fakes/EngineWorld.ts"
import { alive, isOurs, labelNames } from "../support/fakes/container.ts"
import type { StoreWorld } from "../support/fakes/StoreWorld.ts"

export interface WatchOptions {
  readonly engine: EngineWorld
  readonly store: StoreWorld
  readonly maxExchanges: number
  /** The installation of the controller. */
  readonly instance: string
  /** Told of each broken promise, in words. */
  readonly violated: (problem: string) => void
}

export interface Watch {
  readonly reader: (reader: GameReader["Service"]) => GameReader["Service"]
  readonly writer: (writer: GameWriter["Service"]) => GameWriter["Service"]
  /** For calls that are permitted: nobody else writes records then. */
  readonly engine: (engine: ContainerEngine["Service"]) => ContainerEngine["Service"]
}

/** Watches one process: a game has one worker, so a commit belongs to the last load of its game. */
export const makeWatch = ({ engine: host, instance, maxExchanges, store, violated }: WatchOptions): Watch => {
  const pulledAtMs = new Map<string, number>()
  const loaded = new Map<string, GameState>()
  const trespass = (id: string, what: string) => {
    const by = host.get(id)?.labels[labelNames.instance] ?? ""
    if (by !== "" && by !== instance) violated(`a container of installation ${by} is ${what}`)
  }
  const say = (gameId: string, problems: ReadonlyArray<string>) => problems.forEach((problem) => violated(`${gameId}: ${problem}`))
  return {
    reader: (reader) => ({
      ...reader,
      load: (gameId) => Effect.tap(reader.load(gameId), (state) => Effect.sync(() => void loaded.set(gameId, state)))
    }),
    writer: (writer) => ({
      ...writer,
      commit: (commit) => Effect.suspend(() => {
        const state = loaded.get(commit.gameId)
        if (state) say(commit.gameId, [...mistoldEnds(state, commit), ...wrongIntent(state, commit)])
        return Effect.tap(writer.commit(commit), () => Effect.sync(() => say(commit.gameId, [...tooManyExchanges(store, maxExchanges), ...lostPorts(host, store, commit.gameId)])))
      }),
      claimPorts: (claim) => Effect.tap(writer.claimPorts(claim), () => Effect.sync(() => say(claim.gameId, lostPorts(host, store, claim.gameId))))
    }),
    engine: (engine) => ({
      ...engine,
      pull: (imageRef, login) => Effect.tap(engine.pull(imageRef, login), () => Effect.sync(() => void pulledAtMs.set(imageRef, host.steadyMs))),
      start: (id) => Effect.suspend(() => {
        const gameId = host.get(id)?.labels[labelNames.gameId]
        trespass(id, "started")
        if (gameId !== undefined) say(gameId, [...unaskedStart(host, store, pulledAtMs, gameId, id), ...unclaimed(store, host, gameId, id)])
        return engine.start(id)
      }),
      remove: (id) => Effect.suspend(() => {
        trespass(id, "removed")
        return engine.remove(id)
      }),
      disarm: (id) => Effect.suspend(() => {
        trespass(id, "disarmed")
        return engine.disarm(id)
      }),
      unpause: (id) => Effect.suspend(() => {
        trespass(id, "thawed")
        return engine.unpause(id)
      }),
      kill: (id, signal) => Effect.suspend(() => {
        const gameId = host.get(id)?.labels[labelNames.gameId]
        trespass(id, "sent a signal")
        if (gameId !== undefined) say(gameId, [...unintendedSignal(store, gameId, id, signal), ...wrongEnd(host, store, gameId, id, signal)])
        return engine.kill(id, signal)
      })
    })
  }
}

/** An end is expected when its row did not say running, or when a stop had been begun; and only then it has a cause. */
const mistoldEnds = ({ game, record }: GameState, { health }: Commit): ReadonlyArray<string> => {
  const stopping = record?.stopping ?? null
  const expected = game?.state !== "running" || stopping !== null
  return health.flatMap(({ details, type }) => {
    if (type !== "container_exited" && type !== "container_oom") return []
    if (details.expected !== expected) return [`${type} is told with expected ${details.expected}: the row says ${game?.state ?? "nothing"}, ${inWords(stopping)}`]
    return details.because === stopping?.because ? [] : [`${type} is told because of ${details.because}: ${inWords(stopping)}`]
  })
}

const inWords = (stopping: Stopping | null): string => stopping === null ? "no stop was begun" : `a stop was begun because of the ${stopping.because}`

/** A stop is begun because the row says so, with a rollout, or for a restart that was asked for since the game was started. */
const wrongIntent = ({ game, record: before }: GameState, { record }: Commit): ReadonlyArray<string> => {
  const stopping = record?.stopping
  if (stopping == null || before?.stopping != null) return []
  const askedMs = game?.restartRequestedAtMs ?? 0
  const isSo = {
    row: game !== null && game.state !== "running",
    exchange: game?.state === "running" && record?.rollout != null,
    restart: game?.state === "running" && record?.restartObservedAtMs === askedMs && record.restartingSinceMs !== null &&
      askedMs > (before?.restartObservedAtMs ?? 0) && askedMs > (before?.startedAtMs ?? 0) && askedMs <= stopping.sinceMs,
    liveness: false
  }[stopping.because]
  return isSo ? [] : [`a stop is begun because of the ${stopping.because}, but the row says ${game?.state ?? "nothing"}`]
}

const isKept = (store: StoreWorld, engineId: string, gameId: string, { address, host, protocol }: HostPort): boolean =>
  store.portsOf(gameId).some((row) => row.engine_id === engineId && row.port === host && row.protocol === protocol && row.address === address)

/** Ports are the game's before a container of it is started with them. An engine that is exchanged in between is another host. */
const unclaimed = (store: StoreWorld, host: EngineWorld, gameId: string, id: string): ReadonlyArray<string> =>
  host.wasExchanged ? [] : (host.get(id)?.ports ?? []).flatMap((port) => isKept(store, host.engineId, gameId, port) ? [] : [`it is started with port ${port.host}, which is not the game's`])

/** A container that a controller made and that runs keeps its ports. Whom a list hides it from cannot know better. */
const lostPorts = (host: EngineWorld, store: StoreWorld, gameId: string): ReadonlyArray<string> =>
  host.quirks.emptyList || host.wasExchanged ? [] : host.of(gameId).filter((container) => isOurs(container) && alive(container)).flatMap(({ ports }) =>
    ports.flatMap((port) => isKept(store, host.engineId, gameId, port) ? [] : [`port ${port.host} of a container that runs is not the game's any more`]))

/** Each game with a rollout is down, or about to be. */
const tooManyExchanges = ({ records }: StoreWorld, most: number): ReadonlyArray<string> => {
  const underWay = [...records.values()].flatMap(({ game_id, rollout }) => rollout === null ? [] : [game_id])
  return underWay.length > most ? [`${underWay.join(", ")} are exchanged at once`] : []
}

const unintendedSignal = ({ records }: StoreWorld, gameId: string, id: string, signal: string): ReadonlyArray<string> => {
  const record = records.get(gameId)
  return record?.current_container_id === id && record.stopping === null ? [`${signal} is sent before anything says that it is to end`] : []
}

/** What a container was made with ends it: another signal may not make it save, a shorter grace may not let it. */
const wrongEnd = (host: EngineWorld, { games, records }: StoreWorld, gameId: string, id: string, signal: string): ReadonlyArray<string> => {
  const container = host.get(id)
  const record = records.get(gameId)
  if (container === undefined || record?.current_container_id !== id || record.stopping === null) return []
  if (signal !== "SIGKILL") return signal === container.stopSignal ? [] : [`it gets ${signal}, but was made for ${container.stopSignal}`]
  const row = games.get(gameId)
  const spec = decodeSpec(row?.spec)
  const asks = row !== undefined && Result.isSuccess(spec) && specHash(row.image_ref, spec.success) === container.labels[labelNames.specHash]
  const made = container.labels[labelNames.stopGraceMs]
  if (asks || made === undefined) return []
  const sinceMs = host.nowMs - Date.parse(record.stopping.signalled_at ?? new Date(host.nowMs).toISOString())
  return sinceMs < Number(made) ? [`it is killed ${sinceMs} ms after its signal, but was made for ${made}`] : []
}

/** An image that is always asked for is asked for at each start, in place too. */
const unaskedStart = (
  host: EngineWorld, { games, records }: StoreWorld, pulledAtMs: ReadonlyMap<string, number>, gameId: string, id: string
): ReadonlyArray<string> => {
  const container = host.get(id)
  const row = games.get(gameId)
  const spec = decodeSpec(row?.spec)
  const asks = row !== undefined && Result.isSuccess(spec) && spec.success.pull_policy === "always" && records.get(gameId)?.current_container_id === id
  // Not by its exit: the wall clock may have been set since.
  const endedAtMs = host.history.findLast((event) => event.action === "die" && event.containerId === id)?.atMs
  if (!asks || container?.exit == null || endedAtMs === undefined) return []
  return (pulledAtMs.get(row.image_ref) ?? 0) < endedAtMs ? ["it is started again without asking for its image"] : []
}
