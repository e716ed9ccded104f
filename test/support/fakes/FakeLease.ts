/** Lease on one row of the fake database. */
import { Effect, Layer } from "effect"
import type { GameReader } from "../../../src/store/GameReader.ts"
import type { GameWriter } from "../../../src/store/GameWriter.ts"
import { type Acquired, CurrentTerm, Lease, type Term, unknownHolder } from "../../../src/store/Lease.ts"
import { FakeStore, layer as storeLayer, query } from "./FakeStore.ts"
import type { StoreWorld } from "./StoreWorld.ts"

const from = (nowMs: number, ttlMs: number) => ({ renewedAtMs: nowMs, expiresAtMs: nowMs + ttlMs, ttlMs })

/** A sequence beside the row counts on, whatever becomes of the row. */
const nextEpoch = (world: StoreWorld): number => {
  world.lastEpoch = Math.max(world.lastEpoch, world.lease.epoch) + 1
  return world.lastEpoch
}

export const makeFakeLease = (world: StoreWorld): Lease["Service"] => ({
  acquire: (holder, ttlMs) =>
    query(world, "acquire", (): Acquired => {
      const { lease, nowMs } = world
      if (lease.isGone) Object.assign(lease, { isGone: false, holder: unknownHolder, epoch: nextEpoch(world), ...from(nowMs, ttlMs) })
      if (lease.renewedAtMs > nowMs) Object.assign(lease, from(nowMs, lease.ttlMs))
      const endsAtMs = Math.min(lease.expiresAtMs, lease.renewedAtMs + lease.ttlMs)
      if (lease.holder !== "" && lease.holder !== holder && endsAtMs >= nowMs) {
        return { _tag: "Held", holder: lease.holder, epoch: lease.epoch, ttlMs: lease.ttlMs, renewedAgoMs: nowMs - lease.renewedAtMs }
      }
      Object.assign(lease, { holder, epoch: nextEpoch(world), ...from(nowMs, ttlMs) })
      return { _tag: "Taken", epoch: lease.epoch }
    }, true),
  renew: (holder, epoch, ttlMs) =>
    query(world, "renew", () => {
      const { lease, nowMs } = world
      if (lease.isGone || lease.holder !== holder || lease.epoch !== epoch) return false
      Object.assign(lease, from(nowMs, ttlMs))
      return true
    }, true),
  release: (holder, epoch) =>
    query(world, "release", () => {
      const { lease } = world
      if (lease.isGone || lease.holder !== holder || lease.epoch !== epoch) return
      lease.holder = ""
      lease.expiresAtMs = world.nowMs
    }, true)
})

export const layer: Layer.Layer<Lease, never, FakeStore> = Layer.effect(Lease, Effect.map(FakeStore, makeFakeLease))

/** A term that lasts as long as nobody else takes the lease: for tests that have no leader. */
export const standingTerm = (world: StoreWorld): Term => {
  world.lease.holder = "test"
  Object.assign(world.lease, from(world.nowMs, Infinity))
  return { epoch: ++world.lease.epoch, remainingMs: Effect.succeed(Infinity), lost: Effect.never, end: Effect.void }
}

export const standingTermLayer: Layer.Layer<CurrentTerm, never, FakeStore> = Layer.effect(CurrentTerm, Effect.map(FakeStore, standingTerm))

/** Reader and writer under a standing term, and the handle of its database. */
export const standingStoreLayer: Layer.Layer<GameReader | GameWriter | CurrentTerm | FakeStore> = storeLayer.pipe(
  Layer.provideMerge(standingTermLayer),
  Layer.provideMerge(FakeStore.layer)
)
