/** DOCKER_HOST=tcp://, plain and with the docker CLI's certificates. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createSecure } from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectEngine } from "../../support/badEngine.ts"

const folder = mkdtempSync(join(tmpdir(), "rtm-tls-"))
const file = (name: string) => join(folder, name)

const openssl = (...args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
}
const certificate = (name: string, subject: string): void => {
  openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject)
  writeFileSync(file("ext"), "subjectAltName=IP:127.0.0.1")
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", `${name}.crt`)
}

const answer = ({ url = "" }: IncomingMessage, response: ServerResponse): void => {
  response.end(url.includes("/version") ? "{\"ApiVersion\":\"1.41\"}" : url.includes("/info")
    ? "{\"ID\":\"E\",\"DockerRootDir\":\"/d\",\"ServerVersion\":\"20.10\"}"
    : "{\"Id\":\"n\"}")
}
const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)))

describe("an engine on tcp://", () => {
  let plain: Server
  let secure: Server
  let ports: { readonly plain: number; readonly secure: number }
  beforeAll(async () => {
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    certificate("server", "/CN=127.0.0.1")
    certificate("client", "/CN=client")
    writeFileSync(file("cert.pem"), readFileSync(file("client.crt")))
    writeFileSync(file("key.pem"), readFileSync(file("client.key")))
    plain = createPlain(answer)
    secure = createSecure({
      ca: readFileSync(file("ca.pem")), cert: readFileSync(file("server.crt")), key: readFileSync(file("server.key")), requestCert: true, rejectUnauthorized: true
    }, answer)
    ports = { plain: await listen(plain), secure: await listen(secure) }
  }, 60_000)
  afterAll(() => {
    for (const server of [plain, secure]) {
      server.closeAllConnections()
      server.close()
    }
    rmSync(folder, { recursive: true })
  })
  const identity = async (port: number, certPath: string | undefined, protocol = "tcp") => {
    const { close, engine } = await connectEngine(`${protocol}://127.0.0.1:${port}`, { certPath })
    const found = await Effect.runPromise(Effect.result(engine.identity))
    await close()
    return found._tag === "Success" ? found.success.id : found.failure.reason
  }

  it("is reached in the clear", async () => {
    assert.strictEqual(await identity(ports.plain, undefined), "E/d")
  })

  it("is reached with the certificates of the folder, and not without them", async () => {
    assert.strictEqual(await identity(ports.secure, folder), "E/d")
    assert.strictEqual(await identity(ports.secure, undefined), "Unavailable")
  })

  it("is not spoken to in the clear as https://", async () => {
    assert.strictEqual(await identity(ports.secure, folder, "https"), "E/d")
    assert.strictEqual(await identity(ports.plain, undefined, "https"), "Unavailable")
    assert.strictEqual(await identity(ports.secure, undefined, "https"), "Unavailable", "its certificate is of an authority that nobody trusts")
  })

  it("is not spoken to in the clear where certificates are set", async () => {
    assert.strictEqual(await identity(ports.plain, folder), "Unavailable")
  })
})
