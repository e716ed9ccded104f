/** The one-way arrows of the house; see docs/architecture.md. */

/**
 * What the files of each folder in src/ may import of ours, besides each other. A folder stands for its own files, not for
 * those of the folders in it: an adapter (docker/, postgres/, redis/) is listed by nobody, so only main.ts and tests make one.
 */
const mayImport = {
  "src/domain": ["src/domain/spec"],
  "src/domain/spec": ["src/domain"],
  "src/clock": [],
  "src/telemetry": ["src/domain"],
  "src/store": ["src/domain", "src/telemetry"],
  "src/engine": ["src/domain", "src/domain/spec", "src/telemetry"],
  // A term is what the database says it is.
  "src/controller": ["src/clock", "src/domain", "src/telemetry", "src/store/Lease.ts", "src/store/StoreError.ts"],
  "src/streams": ["src/clock", "src/domain", "src/telemetry", "src/store"],
  "src/http": ["src/clock", "src/domain", "src/telemetry", "src/controller"],
  "src/store/postgres": ["src/domain", "src/telemetry", "src/store"],
  "src/engine/docker": ["src/clock", "src/domain", "src/domain/spec", "src/telemetry", "src/engine"],
  "src/streams/redis": ["src/clock", "src/domain", "src/telemetry", "src/streams"],
  "src/config.ts": ["src/configKinds.ts", "src/domain", "src/domain/spec"],
  "src/configKinds.ts": ["src/domain", "src/domain/spec"],
  // Types only, of the adapters' settings.
  "src/options.ts": ["src/config.ts", "src/domain", "src/domain/spec", "src/engine", "src/engine/docker", "src/streams/redis"],
  "src/installation.ts": ["src/store"],
  "src/upgrading.ts": ["src/store"]
}

const literally = (path) => path.replaceAll(".", "\\.")
/** Matches a file, or the files of a folder. */
const files = (place) => place.endsWith(".ts") ? literally(place) : `${literally(place)}/[^/]+`
const oneOf = (places) => `^(${places.map(files).join("|")})$`

const arrows = Object.entries(mayImport).map(([place, imported]) => ({
  name: `imports-of-${place}`, severity: "error", comment: `${place} imports of ours only: ${[...imported, "itself"].join(", ")}`,
  from: { path: oneOf([place]) }, to: { path: "^(src|controllers)/", pathNot: oneOf([place, ...imported]) }
}))

/** Decisions see what was found and say what follows: no Effect, no clock, no input or output. */
const pure = "controllers/game/(decide/|record/|observe/assess\\.ts$)"

const only = (name, comment, module, from) => ({
  name, comment, severity: "error", from: { path: "^(src|controllers)/", pathNot: from }, to: { path: module }
})
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    ...arrows,
    {
      name: "place-without-arrows", severity: "error", comment: "a new place in src/ is given its line in the table above",
      from: { path: "^src/", pathNot: [oneOf(Object.keys(mayImport)), "^src/main\\.ts$"] }, to: { path: "^(src|controllers)/" }
    },
    {
      name: "decisions-are-pure", severity: "error", comment: "decide/, record/ and observe/assess.ts import only domain/ and each other",
      from: { path: `^${pure}` }, to: { pathNot: `^(src/domain/|${pure})` }
    },
    {
      name: "controllers-use-machinery", severity: "error", comment: "controllers/ import the services, never an adapter",
      from: { path: "^controllers/" },
      to: { path: "^src/", pathNot: "^src/(clock/|domain/|controller/|telemetry/|engine/[^/]+\\.ts$|store/[^/]+\\.ts$|streams/[^/]+\\.ts$)" }
    },
    only("dockerode-in-its-adapter", "only the Docker adapter imports dockerode", "node_modules/dockerode", "^src/engine/docker/"),
    only("postgres-in-its-adapter", "only the Postgres adapter imports postgres", "node_modules/postgres/", "^src/store/(postgres/|migrate\\.ts)"),
    only("ioredis-in-its-adapter", "only the Redis adapter imports ioredis", "node_modules/ioredis", "^src/streams/redis/"),
    only(
      "unstable-effect-at-the-edge", "Effect's unstable modules stay at the edge",
      "node_modules/(effect/dist/(http|http-api|cli|observability)/|@effect/platform-node)", "^src/(http|cli|telemetry)/|^src/main\\.ts$"
    )
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] }
  }
}
