/** What is mounted into a game's container: its state, and what its spec names. Pure. */
import { containerName, type GameId } from "../../domain/GameId.ts"
import type { GameSpec } from "../../domain/GameSpec.ts"
import { parseMemoryBytes } from "../../domain/Quantity.ts"
import { statePath } from "../../domain/spec/mounts.ts"
import { labels, ownerValue } from "./labels.ts"

export const mountsOf = (gameId: GameId, spec: GameSpec, stateRoot: string | undefined) => {
  const name = containerName(gameId)
  const more = [...volumes(spec), ...tmpfs(spec), ...binds(spec)]
  const state = { ...volume(name, statePath, false), VolumeOptions: { Labels: { [labels.owner]: ownerValue, [labels.gameId]: gameId } } }
  return stateRoot === undefined
    ? { Mounts: [state, ...more] }
    // Not as a mount: engines before API 1.42 make the folder of a bind only.
    : { Binds: [`${stateRoot}/${name}:${statePath}`], ...(more.length === 0 ? {} : { Mounts: more }) }
}

const volume = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: "volume", Source, Target, ...(ReadOnly ? { ReadOnly } : {}) })

const volumes = ({ volumes = [] }: GameSpec) =>
  volumes.map(({ name, read_only = false, target }) => ({ ...volume(name, target, read_only), VolumeOptions: { Labels: { [labels.owner]: ownerValue } } }))

const tmpfs = ({ tmpfs = [] }: GameSpec) =>
  tmpfs.map(({ mode, size, target }) => ({
    Type: "tmpfs",
    Target: target,
    TmpfsOptions: {
      ...(size === undefined ? {} : { SizeBytes: parseMemoryBytes(size) }),
      ...(mode === undefined ? {} : { Mode: Number.parseInt(mode, 8) })
    }
  }))

/** What is mounted below it stays out: an older engine or kernel would leave that to be written. */
const binds = ({ binds = [] }: GameSpec) =>
  binds.map(({ host_path, target }) => ({
    Type: "bind", Source: host_path, Target: target, ReadOnly: true, BindOptions: { Propagation: "rprivate", NonRecursive: true }
  }))
