/** Registry credentials as the docker CLI finds them: `auths`, `credHelpers` and `credsStore` of a config.json. */
import { execFile } from "node:child_process"
import { access, constants, readFile } from "node:fs/promises"
import { join } from "node:path"
import reference from "@swimlane/docker-reference"

interface Entry {
  readonly auth?: unknown
  readonly username?: unknown
  readonly password?: unknown
  readonly identitytoken?: unknown
  readonly registrytoken?: unknown
}

interface ConfigFile {
  readonly auths?: Record<string, Entry>
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
  const found = (typeof helper === "string" && helper !== "" ? await fromHelper(helper, server) : undefined) ?? fromFile(config, server)
  // URL-safe and padded: the engine pulls as nobody, without a word, when it cannot read this.
  return found && Buffer.from(JSON.stringify({ ...found, serveraddress: server })).toString("base64").replaceAll("+", "-").replaceAll("/", "_")
}

/** Whether a config.json can be read there. */
export const isLogin = (folder: string): Promise<boolean> => access(join(folder, "config.json"), constants.R_OK).then(() => true, () => false)

/** A file that is missing or broken means no credentials, as for the docker CLI; the registry then says what it wants. */
const readConfig = async (folder: string): Promise<ConfigFile> => {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(folder, "config.json"), "utf8"))
    return typeof parsed === "object" && parsed !== null ? parsed as ConfigFile : {}
  } catch {
    return {}
  }
}

type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly identitytoken: string }
  | { readonly registrytoken: string }

/** `https://host/v1/` and `host` name one registry. */
const hostOf = (server: string): string => server.replace(/^https?:\/\//, "").split("/", 1)[0]!

const fromFile = ({ auths }: ConfigFile, server: string): Credentials | undefined => {
  if (typeof auths !== "object" || auths === null) return undefined
  const alike = Object.keys(auths).find((name) => hostOf(name) === hostOf(server))
  const entry = Object.hasOwn(auths, server) ? auths[server] : alike === undefined ? undefined : auths[alike]
  return typeof entry === "object" && entry !== null ? credentialsOf(entry) : undefined
}

const credentialsOf = ({ auth, identitytoken, password, registrytoken, username }: Entry): Credentials | undefined => {
  if (isText(identitytoken)) return { identitytoken }
  if (isText(registrytoken)) return { registrytoken }
  if (isText(auth)) {
    const text = Buffer.from(auth, "base64").toString("utf8")
    const colon = text.indexOf(":")
    if (colon > 0) return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") }
  }
  return isText(username) && typeof password === "string" ? { username, password } : undefined
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

const helperDeadlineMs = 10_000

const fromHelper = (name: string, server: string): Promise<Credentials | undefined> =>
  new Promise((resolve) => {
    if (!/^[a-z0-9][a-z0-9._-]*$/i.test(name)) return resolve(undefined)
    const child = execFile(`docker-credential-${name}`, ["get"], { timeout: helperDeadlineMs, killSignal: "SIGKILL" }, (error, stdout) => {
      if (error) return resolve(undefined)
      try {
        const { Secret, Username } = JSON.parse(stdout) as { Username: unknown; Secret: unknown }
        resolve(!isText(Secret) || !isText(Username)
          ? undefined
          : Username === "<token>" ? { identitytoken: Secret } : { username: Username, password: Secret })
      } catch {
        resolve(undefined)
      }
    })
    child.stdin?.on("error", () => resolve(undefined))
    child.stdin?.end(server)
  })
