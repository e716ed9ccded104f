/** A process of the host that has one of its ports: this one. */
import { createSocket } from "node:dgram"
import { createServer } from "node:net"

/** Answers what lets go of the port. */
export const listen = (port: number, protocol: "tcp" | "udp" = "tcp"): Promise<() => Promise<void>> =>
  new Promise((resolve, reject) => {
    if (protocol === "udp") {
      const socket = createSocket("udp4")
      socket.on("error", reject).bind(port, "0.0.0.0", () => resolve(() => new Promise((closed) => socket.close(() => closed()))))
    } else {
      const server = createServer()
      server.on("error", reject).listen(port, "0.0.0.0", () => resolve(() => new Promise((closed) => server.close(() => closed()))))
    }
  })
