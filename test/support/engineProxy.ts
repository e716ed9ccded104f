/**
 * A proxy before the engine's socket that can misbehave: hang, refuse, lose answers, lie. It understands HTTP, so that a
 * fault can be put on one call.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Call {
  readonly method: string
  readonly path: string
  /** POST and DELETE. */
  readonly mutates: boolean
}

/**
 * `pass`; `hang`: never answered, not passed on; `refuse`: the connection is cut at once; `lose`: the engine carries it
 * out, then the connection is cut; `empty`: `[]` is answered; `forbid`: not passed on, a 403 with `forbidden` is answered, as
 * by a proxy that lets only reads through; `mute`: the answer begins and nothing follows; a function: run when the engine has
 * answered, before the answer is passed on.
 */
export type Fault = "pass" | "hang" | "refuse" | "lose" | "empty" | "forbid" | "mute" | (() => void | Promise<void>)

export const forbidden = "only reads are permitted"

export class EngineProxy {
  /** Decides for each call; default: all pass. */
  fault: (call: Call) => Fault = () => "pass"
  readonly calls: Array<Call> = []
  readonly host: string
  readonly #folder = mkdtempSync(join(tmpdir(), "rtm-proxy-"))
  readonly #sockets = new Set<Socket>()
  readonly #server
  readonly #target: string

  constructor(engineHost: string) {
    this.#target = new URL(engineHost).pathname
    this.host = `unix://${this.#folder}/docker.sock`
    this.#server = createServer((incoming, outgoing) => void this.#handle(incoming, outgoing))
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket)
      socket.on("close", () => this.#sockets.delete(socket))
    })
  }

  open(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(`${this.#folder}/docker.sock`, () => resolve()))
  }

  close(): void {
    this.cut()
    this.#server.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Breaks every open connection, event streams too. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const call: Call = {
      method: incoming.method ?? "GET", path: incoming.url ?? "/", mutates: incoming.method === "POST" || incoming.method === "DELETE"
    }
    this.calls.push(call)
    const fault = this.fault(call)
    if (fault === "hang") return
    if (fault === "refuse") return void incoming.socket.destroy()
    if (fault === "empty") return void outgoing.writeHead(200, { "content-type": "application/json" }).end("[]")
    if (fault === "forbid") {
      incoming.resume()
      return void outgoing.writeHead(403, { "content-type": "application/json" }).end(JSON.stringify({ message: forbidden }))
    }
    const passed = request({ socketPath: this.#target, method: call.method, path: call.path, headers: incoming.headers }, (answer) => {
      void (async () => {
        if (fault === "lose") {
          answer.resume()
          await new Promise((resolve) => answer.on("end", resolve))
          return void incoming.socket.destroy()
        }
        if (typeof fault === "function") await fault()
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        outgoing.flushHeaders()
        if (fault === "mute") return void answer.resume()
        answer.pipe(outgoing)
        answer.on("error", () => outgoing.destroy())
      })()
    })
    passed.on("error", () => incoming.socket.destroy())
    outgoing.on("close", () => passed.destroy())
    incoming.pipe(passed)
  }
}
