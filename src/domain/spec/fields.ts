/** Which field of a spec changes in place and which makes a new container. docs/spec.md says what is here. */
import type { GameSpec } from "../GameSpec.ts"

/** `live`: what runs is left as it is, and the change holds from then on. `recreates`: part of the spec's hash. */
export type Change = "live" | "recreates"

export const specFields: { readonly [K in keyof GameSpec]-?: Change } = {
  command: "recreates",
  args: "recreates",
  working_dir: "recreates",
  user: "recreates",
  env: "recreates",
  resources: "recreates",
  init: "recreates",
  tty: "recreates",
  stdin: "recreates",
  volumes: "recreates",
  tmpfs: "recreates",
  binds: "recreates",
  networks: "recreates",
  ports: "recreates",
  labels: "recreates",
  stop_signal: "recreates",
  stop_grace: "live",
  pull_policy: "live",
  restart: "live",
  registry_auth: "live",
  security: "recreates",
  logging: "recreates"
}
