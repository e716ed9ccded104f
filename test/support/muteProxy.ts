/**
 * A TCP proxy whose path can go dead without a word: connections stay open, and nothing comes through any more. Those that
 * were open then stay dead for ever, as after a firewall forgot them; new ones are as the path is.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export class MuteProxy {
  /** The target's address with the proxy's host and port. */
  url = ""
  /** What comes from the target is passed on this much later. */
  delayMs = 0
  /** Connections that were opened, in all. */
  opened = 0
  #mute = false
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => this.#accept(socket))
  readonly #target: URL

  constructor(target: string) {
    this.#target = new URL(target)
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve))
    this.url = Object.assign(new URL(this.#target), { port: String((this.#server.address() as AddressInfo).port) }).href
    return this
  }

  /** Swallows everything from here on. */
  mute(): void {
    this.#mute = true
    for (const socket of this.#sockets) socket.removeAllListeners("data").resume()
  }

  /** New connections are carried again. */
  well(): void {
    this.#mute = false
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #accept(socket: Socket): void {
    this.opened++
    this.#keep(socket)
    if (this.#mute) return void socket.resume()
    const target = this.#keep(connect(Number(this.#target.port), this.#target.hostname))
    socket.on("data", (chunk) => target.write(chunk))
    target.on("data", (chunk) => {
      if (this.delayMs === 0) socket.write(chunk)
      else setTimeout(() => this.#mute || socket.write(chunk), this.delayMs)
    })
    const end = () => {
      if (this.#mute) return
      socket.destroy()
      target.destroy()
    }
    socket.on("close", end)
    target.on("close", end)
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket))
  }
}
