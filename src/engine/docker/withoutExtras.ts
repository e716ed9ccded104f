/**
 * dockerode loads gRPC, for BuildKit sessions, and an SSH client whenever it is loaded: 140 modules and some
 * 10 MiB, for what nothing here uses. They are left out of this process. To be imported before dockerode is.
 */
import { registerHooks } from "node:module"

const unused: ReadonlySet<string> = new Set(["@grpc/grpc-js", "@grpc/proto-loader", "ssh2"])

registerHooks({
  resolve: (specifier, context, next) =>
    unused.has(specifier) && /\/node_modules\/(?:dockerode|docker-modem)\//.test(context.parentURL ?? "")
      ? { url: "node:events", format: "builtin", shortCircuit: true }
      : next(specifier, context)
})
