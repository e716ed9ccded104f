/** Registry credentials as the docker CLI finds them: `auths`, `credHelpers` and `credsStore` of a config.json. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import reference from "@swimlane/docker-reference"

interface ConfigFile {
  readonly auths?: Record<string, { readonly auth?: string; readonly identitytoken?: string }>
  readonly credHelpers?: Record<string, string>
  readonly credsStore?: string
}

const dockerHub = "https://index.docker.io/v1/"

/** The `X-Registry-Auth` value for the registry of `imageRef`; undefined: pull as nobody in particular. */
export const registryAuth = async (configFolder: string, imageRef: string): Promise<string | undefined> => {
  const config = await readConfig(configFolder)
  const domain = reference.parseFamiliarName(imageRef).domain ?? "docker.io"
  const server = domain === "docker.io" ? dockerHub : domain
  const helper = config.credHelpers?.[server] ?? config.credHelpers?.[domain] ?? config.credsStore
  const found = (helper === undefined ? undefined : await fromHelper(helper, server)) ?? fromFile(config, server, domain)
  return found && Buffer.from(JSON.stringify({ ...found, serveraddress: server })).toString("base64url")
}

/** A file that is missing or broken means no credentials, as for the docker CLI; the registry then says what it wants. */
const readConfig = async (folder: string): Promise<ConfigFile> => {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(folder, "config.json"), "utf8"))
    return typeof parsed === "object" && parsed !== null ? parsed as ConfigFile : {}
  } catch {
    return {}
  }
}

type Credentials = { readonly username: string; readonly password: string } | { readonly identitytoken: string }

const fromFile = (config: ConfigFile, server: string, domain: string): Credentials | undefined => {
  const names = [server, domain, `https://${domain}`, `https://${domain}/v1/`, `https://${domain}/v2/`]
  const entry = names.map((name) => config.auths?.[name]).find((candidate) => candidate !== undefined)
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken }
  if (!entry?.auth) return undefined
  const text = Buffer.from(entry.auth, "base64").toString("utf8")
  const colon = text.indexOf(":")
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

const helperDeadlineMs = 10_000

const fromHelper = (name: string, server: string): Promise<Credentials | undefined> =>
  new Promise((resolve) => {
    if (!/^[a-z0-9-]+$/i.test(name)) return resolve(undefined)
    const child = execFile(`docker-credential-${name}`, ["get"], { timeout: helperDeadlineMs }, (error, stdout) => {
      if (error) return resolve(undefined)
      try {
        const { Username, Secret } = JSON.parse(stdout) as { Username: string; Secret: string }
        resolve(Username === "<token>" ? { identitytoken: Secret } : { username: Username, password: Secret })
      } catch {
        resolve(undefined)
      }
    })
    child.stdin?.on("error", () => resolve(undefined))
    child.stdin?.end(server)
  })
