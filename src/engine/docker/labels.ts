/** The labels that make a container a game's. */
export const labels = {
  owner: "com.galaxy.owner",
  kind: "com.galaxy.kind",
  gameId: "com.galaxy.game_id",
  imageRef: "com.galaxy.engine_image_ref",
  startedAtMs: "com.galaxy.started_at_ms",
  specHash: "com.galaxy.spec_hash",
  generation: "com.galaxy.generation",
  instance: "com.galaxy.instance",
  epoch: "com.galaxy.epoch",
  stopGraceMs: "com.galaxy.stop_grace_ms",
  /** Networks beside the games' own that it was made for, with commas between them; only where there are any. */
  networks: "com.galaxy.networks"
} as const
export const ownerValue = "rtmanager"
export const kindValue = "game-engine"
