/** /healthz, /readyz and /metrics. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import type { Report } from "./Readiness.ts"

export interface HttpOptions {
  readonly host: string
  readonly port: number
  readonly readiness: Effect.Effect<Report>
}

const notFound = HttpServerResponse.jsonUnsafe(
  { type: "about:blank", title: "Not Found", status: 404, code: "not_found" },
  { status: 404, contentType: "application/problem+json" }
)

/** Serves until its scope closes; open connections are given half a second then. */
export const layer = (options: HttpOptions) =>
  HttpRouter.serve(
    Layer.mergeAll(
      HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok\n")),
      HttpRouter.add("GET", "/readyz", Effect.map(options.readiness, (report) =>
        HttpServerResponse.jsonUnsafe(report, { status: report.ready ? 200 : 503 }))),
      PrometheusMetrics.layerHttp({ path: "/metrics" }),
      HttpRouter.add("*", "/*", Effect.succeed(notFound))
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port: options.port, host: options.host, gracefulShutdownTimeout: "500 millis" }))
  )
