/** Lease on one row of the fake database. */
import { Effect, Layer } from "effect"
import type { GameReader } from "../../../src/store/GameReader.ts"
import type { GameWriter } from "../../../src/store/GameWriter.ts"
import { CurrentTerm, Lease, type Term } from "../../../src/store/Lease.ts"
import { FakeStore, layer as storeLayer, query } from "./FakeStore.ts"
import type { StoreWorld } from "./StoreWorld.ts"

export const makeFakeLease = (world: StoreWorld): Lease["Service"] => ({
  acquire: (holder, ttlMs) =>
    query(world, "acquire", () => {
      const { lease, nowMs } = world
      if (lease.holder !== "" && lease.holder !== holder && lease.expiresAtMs >= nowMs) return undefined
      lease.holder = holder
      lease.expiresAtMs = nowMs + ttlMs
      return ++lease.epoch
    }, true),
  renew: (holder, epoch, ttlMs) =>
    query(world, "renew", () => {
      const { lease, nowMs } = world
      if (lease.holder !== holder || lease.epoch !== epoch) return false
      lease.expiresAtMs = nowMs + ttlMs
      return true
    }, true),
  release: (holder, epoch) =>
    query(world, "release", () => {
      const { lease } = world
      if (lease.holder !== holder || lease.epoch !== epoch) return
      lease.holder = ""
      lease.expiresAtMs = world.nowMs
    }, true)
})

export const layer: Layer.Layer<Lease, never, FakeStore> = Layer.effect(Lease, Effect.map(FakeStore, makeFakeLease))

/** A term that lasts as long as nobody else takes the lease: for tests that have no leader. */
export const standingTerm = (world: StoreWorld): Term => {
  world.lease.holder = "test"
  world.lease.expiresAtMs = Infinity
  return { epoch: ++world.lease.epoch, remainingMs: Effect.succeed(Infinity), lost: Effect.never, end: Effect.void }
}

export const standingTermLayer: Layer.Layer<CurrentTerm, never, FakeStore> = Layer.effect(CurrentTerm, Effect.map(FakeStore, standingTerm))

/** Reader and writer under a standing term, and the handle of its database. */
export const standingStoreLayer: Layer.Layer<GameReader | GameWriter | CurrentTerm | FakeStore> = storeLayer.pipe(
  Layer.provideMerge(standingTermLayer),
  Layer.provideMerge(FakeStore.layer)
)
