import { Context, Effect, Exit, Layer, Scope } from "effect"
import { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import { Lease } from "../../src/store/Lease.ts"
import { Streams } from "../../src/streams/Streams.ts"
import { engineContract } from "../contract/engine.contract.ts"
import { leaseContract } from "../contract/lease.contract.ts"
import { storeContract } from "../contract/store.contract.ts"
import { streamsContract } from "../contract/streams.contract.ts"
import { FakeEngine, layer as engineLayer } from "../support/fakes/FakeEngine.ts"
import { layer as leaseLayer, standingTerm } from "../support/fakes/FakeLease.ts"
import { FakeStreams, layer as streamsLayer } from "../support/fakes/FakeStreams.ts"
import { FakeStore, makeFakeReader, makeFakeWriter } from "../support/fakes/FakeStore.ts"
import { jobStreams } from "../support/fakes/StreamsWorld.ts"
import type { GameRow, RecordRow } from "../support/fakes/database.ts"

const build = async <A>(layer: Layer.Layer<A>) => {
  const scope = await Effect.runPromise(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return { context, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** A refusal of the world reaches its user as a rejection, as a database's does. */
const asUser = async (act: () => void): Promise<void> => act()

storeContract("in memory", async () => {
  const { close, context } = await build(FakeStore.layer)
  const world = Context.get(context, FakeStore)
  let ended = 0
  return {
    reader: makeFakeReader(world),
    writer: makeFakeWriter(world, standingTerm(world).epoch, Effect.sync(() => void ended++)),
    insert: (gameId, imageRef, more = {}) => asUser(() => world.insert({ game_id: gameId, image_ref: imageRef, ...more as Partial<GameRow> })),
    update: (gameId, change) => asUser(() => world.update(gameId, change as Partial<GameRow>)),
    restore: (gameId, imageRef, more = {}) => asUser(() => world.restore({ game_id: gameId, image_ref: imageRef, ...more as Partial<GameRow> })),
    remove: (gameId) => asUser(() => world.delete(gameId)),
    truncate: () => asUser(() => world.truncate()),
    hold: async (gameId) => {
      world.locked.add(gameId)
      return async () => void world.locked.delete(gameId)
    },
    spoil: async (gameId) => {
      const stopping = { since: "2026-01-01T00:00:00Z", because: "whim", signalled_at: null }
      world.records.set(gameId, { ...world.records.get(gameId), stopping } as unknown as RecordRow)
    },
    operations: async (gameId) => world.operations.flatMap(({ game_id, op_kind, outcome }) => game_id === gameId ? [`${op_kind} ${outcome}`] : []),
    health: async (gameId) => world.health.get(gameId)?.event_type,
    agePorts: async (ms) => {
      for (const [key, row] of world.ports) {
        world.ports.set(key, {
          ...row, freed_at_ms: row.freed_at_ms && row.freed_at_ms - ms, quarantined_until_ms: row.quarantined_until_ms && row.quarantined_until_ms - ms
        })
      }
    },
    takeOver: async () => makeFakeWriter(world, ++world.lease.epoch),
    ended: () => ended,
    breakConnections: async () => {
      world.answers.down()
      world.answers.up()
    },
    close
  }
})

leaseContract("in memory", (body) => Effect.runPromise(Effect.gen(function*() {
  const { lease } = yield* FakeStore
  yield* body(yield* Lease, {
    remove: async () => Object.assign(lease, { isGone: true }),
    ahead: async (ms, whole) => Object.assign(lease, { expiresAtMs: lease.expiresAtMs + ms, renewedAtMs: lease.renewedAtMs + (whole ? ms : 0) })
  })
}).pipe(Effect.provide(leaseLayer.pipe(Layer.provideMerge(FakeStore.layer))))))

let lastPort = 30_000
engineContract("in memory", async () => {
  const { close, context } = await build(engineLayer())
  const world = Context.get(context, FakeEngine)
  const image = "galaxy/engine:1.4.2"
  world.image(image)
  return {
    engine: Context.get(context, ContainerEngine),
    image,
    commands: { missing: ["missing"], notExecutable: ["noexec"], ends: (code, afterMs) => [`exit=${code}`, `after=${afterMs}`] },
    foreign: async (name) => world.run({ name, image, labels: {} }).id,
    byHand: async (gameId, { restarts = false } = {}) => world.run(world.byHand(gameId, image, { restartsByItself: restarts })).id,
    pauseBehind: async (id) => world.pause(id),
    killBehind: async (id) => world.kill(id, "SIGKILL"),
    removeNetwork: async () => void (world.quirks.deadNetworks = 1),
    remakeNetwork: async () => void (world.quirks.deadNetworks = 1),
    removeBehind: async (id) => world.removeByForce(id),
    freePort: async () => ++lastPort,
    listen: async (host, protocol) => {
      const process = { protocol, address: "0.0.0.0", host }
      world.processes.push(process)
      return async () => void world.processes.splice(world.processes.indexOf(process), 1)
    },
    close
  }
})

streamsContract("in memory", async () => {
  const { close, context } = await build(streamsLayer)
  const world = Context.get(context, FakeStreams)
  return {
    streams: Context.get(context, Streams),
    add: async (kind, fields) => world.add(jobStreams[kind], fields),
    told: async (topic) => world.told(topic),
    pending: async (kind) => world.pending(jobStreams[kind]),
    trim: (kind) => asUser(() => world.trim(jobStreams[kind], 0)),
    wipe: () => asUser(() => world.wipe()),
    close
  }
})
