/** The one-way arrows of the house; see docs/architecture.md. */
const only = (name, comment, module, from) => ({
  name, comment, severity: "error", from: { path: "^(src|controllers)/", pathNot: from }, to: { path: module }
})
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "src-knows-no-decision", severity: "error", comment: "nothing in src/ but main.ts imports controllers/",
      from: { path: "^src/", pathNot: "^src/main\\.ts$" }, to: { path: "^controllers/" }
    },
    {
      name: "domain-stands-alone", severity: "error", comment: "domain/ imports nothing of ours",
      from: { path: "^src/domain/" }, to: { path: "^(src|controllers)/", pathNot: "^src/domain/" }
    },
    {
      name: "plan-is-pure", severity: "error", comment: "the plan and its rules import only domain/ and each other",
      from: { path: "^controllers/game/(plan|reach|facts|adoption|row|view|commit|outcome|reasons|step)\\.ts$" },
      to: { pathNot: "^(src/domain/|controllers/game/(plan|reach|facts|adoption|row|view|commit|outcome|reasons|step)\\.ts$)" }
    },
    {
      name: "controllers-use-machinery", severity: "error", comment: "controllers/ import the services, never an adapter",
      from: { path: "^controllers/" },
      to: { path: "^src/", pathNot: "^src/(domain/|controller/|telemetry/|engine/[^/]+\\.ts$|store/[^/]+\\.ts$|streams/[^/]+\\.ts$)" }
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
