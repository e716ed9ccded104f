/** A real registry that asks for a name and a password, and the docker CLI's config.json. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildEngineImage, dockerAt, push, type Registry, startRegistry } from "../../scripts/lib/images.ts"
import { connectEngine } from "../support/badEngine.ts"
import { environment } from "../support/environment.ts"

/** Its hash is in `users`, as htpasswd -B writes it. */
const login = { username: "player", password: "s3cret:with/colon+plus" }
const users = "player:$2b$05$abcdefghijklmnopqrstuuzHzjPanR4IHcX4AGewRQH5daU5Ik6eO\n"

describe.each(environment.engines)("pulls of $name from a registry that asks who it is", ({ host }) => {
  const folder = mkdtempSync(join(tmpdir(), "rtm-registry-"))
  const path = process.env.PATH
  let registry: Registry
  let image: string
  beforeAll(async () => {
    registry = await startRegistry(folder, users)
    image = `${registry.address}/galaxy/private:1`
    await buildEngineImage(host, [image])
    await push(host, image, login)
  })
  afterAll(() => {
    process.kill(registry.pid)
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  })
  /** Pulls with that config.json, with nothing of the image on the host before and after; answers the failure's reason. */
  const pull = async (written: unknown, login?: string): Promise<string> => {
    await dockerAt(host).getImage(image).remove({ force: true }).catch(() => {})
    const { close, engine } = await connectEngine(host, { dockerConfig: folder, registryAuthRoot: join(folder, "logins") })
    writeFileSync(join(folder, "config.json"), JSON.stringify(written))
    const outcome = await Effect.runPromise(Effect.result(Effect.andThen(engine.pull(image, login), engine.hasImage(image))))
    await close()
    await dockerAt(host).getImage(image).remove({ force: true }).catch(() => {})
    return outcome._tag === "Success" ? `there: ${outcome.success}` : outcome.failure.reason
  }
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64")

  it("fail as nobody, and with a wrong password", async () => {
    assert.strictEqual(await pull({}), "PullFailed")
    assert.strictEqual(await pull({ auths: { [registry.address]: { auth: Buffer.from("player:wrong").toString("base64") } } }), "PullFailed")
  })

  it("succeed with what docker login wrote", async () => {
    assert.strictEqual(await pull({ auths: { [registry.address]: { auth } } }), "there: true")
  })

  it("succeed with a login that has a name, and with no other name", async () => {
    mkdirSync(join(folder, "logins/galaxy"), { recursive: true })
    writeFileSync(join(folder, "logins/galaxy/config.json"), JSON.stringify({ auths: { [registry.address]: { auth } } }))
    assert.strictEqual(await pull({}, "galaxy"), "there: true")
    assert.strictEqual(await pull({ auths: { [registry.address]: { auth } } }, "nosuch"), "PullFailed")
    assert.strictEqual(await pull({}), "PullFailed")
  })

  it("succeed with a credential helper", async () => {
    const helper = join(folder, "docker-credential-rtm-test")
    writeFileSync(helper, `#!/bin/sh\ncat >/dev/null; echo '${JSON.stringify({ Username: login.username, Secret: login.password })}'\n`)
    chmodSync(helper, 0o755)
    process.env.PATH = `${folder}:${path}`
    assert.strictEqual(await pull({ credHelpers: { [registry.address]: "rtm-test" } }), "there: true")
  })
})
