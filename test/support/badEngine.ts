/** A server on a socket of its own that answers the engine's API as a test says, and remembers what it was asked. */
import { Effect, Exit, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ContainerEngine } from "../../src/engine/ContainerEngine.ts"
import { type DockerEngineOptions, makeDockerEngine } from "../../src/engine/docker/DockerEngine.ts"

export interface Asked {
  readonly method: string
  /** Without the API version. */
  readonly path: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
  /** Completes when the client is gone. */
  readonly left: Promise<void>
}

/** A body with status 200; a status and a body; `hang`, `reset`; or writing the answer oneself. */
export type Answer = string | readonly [status: number, body: string] | "hang" | "reset" | { readonly write: (response: ServerResponse) => void }

const json = { "content-type": "application/json" }

export class BadEngine {
  readonly asked: Array<Asked> = []
  answer: (asked: Asked) => Answer = () => "hang"
  readonly host: string
  readonly #folder = mkdtempSync(join(tmpdir(), "rtm-bad-"))
  readonly #server: Server

  constructor() {
    this.host = `unix://${this.#folder}/docker.sock`
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  open(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(`${this.#folder}/docker.sock`, () => resolve()))
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
    rmSync(this.#folder, { recursive: true })
  }

  of(path: string): ReadonlyArray<Asked> {
    return this.asked.filter((asked) => asked.path.startsWith(path))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ""
    for await (const chunk of request) body += chunk
    const url = request.url ?? ""
    const asked: Asked = {
      method: request.method ?? "", url, path: url.replace(/^\/v\d+\.\d+/, ""), headers: request.headers, body,
      left: new Promise((resolve) => response.on("close", resolve))
    }
    this.asked.push(asked)
    const answer = this.answer(asked)
    if (answer === "hang") return
    if (answer === "reset") return void request.socket.destroy()
    if (typeof answer === "string") return void response.writeHead(200, json).end(answer)
    if ("write" in answer) return answer.write(response)
    const [status, text] = answer
    response.writeHead(status, json).end(text)
  }
}

/** The adapter on `host`, until `close`. */
export const connectEngine = async (
  host: string,
  more: Partial<DockerEngineOptions> = {}
): Promise<{ readonly engine: ContainerEngine["Service"]; readonly close: () => Promise<void> }> => {
  const scope = await Effect.runPromise(Scope.make())
  const engine = await Effect.runPromise(makeDockerEngine({
    host, network: "n", certPath: undefined, enginePort: 8080, stateRoot: undefined, pullStallMs: 20_000, dockerConfig: "/nonexistent", ...more
  }).pipe(Effect.provideService(Scope.Scope, scope)))
  return { engine, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
