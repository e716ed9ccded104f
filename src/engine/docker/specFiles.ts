/**
 * What a spec names and the controller has in files: values of `env`, seccomp profiles. Read at each create and kept nowhere; what is
 * in them is in the container alone.
 */
import { readFile, realpath, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import type { GameSpec } from "../../domain/GameSpec.ts"
import { fileOf, literalOf } from "../../domain/spec/env.ts"
import { isIn } from "../../domain/spec/reach.ts"
import { EngineError } from "../ContainerEngine.ts"

export interface FileSettings {
  /** Folder of the files that `env` may come from. */
  readonly secretsRoot?: string | undefined
  /** Folder of seccomp profiles. */
  readonly seccompRoot?: string | undefined
}

/** A spec's own texts, those of files among them. */
export interface Contents {
  /** The whole of `env`. */
  readonly env: Readonly<Record<string, string>>
  /** The seccomp profile's JSON. */
  readonly seccomp?: string | undefined
}

/** Fails with `Unmet` where a file is not there or is not what it is to be; the message names it, and says nothing of what is in it. */
export const contentsOf = (spec: GameSpec, { seccompRoot, secretsRoot }: FileSettings): Effect.Effect<Contents, EngineError> =>
  Effect.tryPromise({
    try: async () => {
      const env: Record<string, string> = {}
      for (const [name, value] of Object.entries(spec.env ?? {})) {
        const file = fileOf(value)
        env[name] = literalOf(value) ?? (await textBelow(`spec.env.${name}.from_file`, "RTM_SECRETS_ROOT", secretsRoot, file!)).replace(/\r?\n$/, "")
      }
      const profile = spec.security?.seccomp
      return { env, seccomp: profile === undefined ? undefined : await profileNamed(profile, seccompRoot) }
    },
    catch: (cause) => unmet(cause instanceof Problem ? cause.message : "a file of the spec cannot be read")
  })

export const unmet = (message: string): EngineError => new EngineError({ operation: "create", reason: "Unmet", message })

class Problem extends Error {}

/** As a value of `env` in a spec: 128 KiB; a profile is far smaller. */
const maximumBytes = 131_072

const textBelow = async (path: string, setting: string, root: string | undefined, file: string): Promise<string> => {
  const refuse = (what: string): never => {
    throw new Problem(`${path}: ${what}`)
  }
  if (root === undefined) return refuse(`needs ${setting}, which is not set`)
  const found = await realpath(join(root, file)).catch((cause) => refuse(`the file ${file} in ${setting} ${inWords(cause)}`))
  // Links within the folder are usual: who mounts secrets exchanges them by one.
  if (!isIn(found, await realpath(root))) return refuse(`the file ${file} leads out of ${setting}`)
  const { isFile, size } = await stat(found).then((seen) => ({ isFile: seen.isFile(), size: seen.size }), (cause) => refuse(`the file ${file} in ${setting} ${inWords(cause)}`))
  if (!isFile) return refuse(`${file} in ${setting} is no file`)
  if (size > maximumBytes) return refuse(`the file ${file} in ${setting} has ${size} bytes; it takes at most ${maximumBytes}`)
  const bytes = await readFile(found).catch((cause) => refuse(`the file ${file} in ${setting} ${inWords(cause)}`))
  const text = decoded(bytes)
  return text === undefined || text.includes("\0") ? refuse(`the file ${file} in ${setting} is no UTF-8 text without NUL bytes`) : text
}

const decoded = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const codes: Readonly<Record<string, string>> = {
  ENOENT: "is not there", ENOTDIR: "is not there", EACCES: "may not be read", EPERM: "may not be read", ELOOP: "leads in a circle"
}
const inWords = (cause: unknown): string => codes[(cause as NodeJS.ErrnoException).code ?? ""] ?? "cannot be read"

const profileNamed = async (name: string, root: string | undefined): Promise<string> => {
  const text = await textBelow("spec.security.seccomp", "RTM_SECCOMP_ROOT", root, `${name}.json`)
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    throw new Problem(`spec.security.seccomp: the file ${name}.json in RTM_SECCOMP_ROOT is no JSON`)
  }
}
