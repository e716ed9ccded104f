/** The adapter on a bad engine, for the tests of one file, and what such an engine may answer. */
import { afterAll, afterEach, beforeAll } from "@effect/vitest"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import type { ContainerEngine, EngineError } from "../../src/engine/ContainerEngine.ts"
import type { DockerEngineOptions } from "../../src/engine/docker/DockerEngine.ts"
import { type Answer, type Asked, BadEngine, connectEngine } from "./badEngine.ts"

export const id = (letter: string) => letter.repeat(64)
export const gameLabels = { "com.galaxy.owner": "rtmanager", "com.galaxy.kind": "game-engine", "com.galaxy.game_id": "g1" }
export const inspected = (status: string) => JSON.stringify({
  Id: id("a"), Name: "/galaxy-game-g1", Created: "2026-01-01T00:00:00Z",
  State: { Status: status, ExitCode: 0, OOMKilled: false, Error: "", StartedAt: "2026-01-01T00:00:00Z", FinishedAt: "0001-01-01T00:00:00Z" },
  Config: { Hostname: "galaxy-game-g1", Image: "a/b:1", Labels: gameLabels }, HostConfig: { RestartPolicy: { Name: "no" } }
})

/** A bad engine while the file's tests run. */
export const useBadEngine = () => {
  const bad = new BadEngine()
  const closing: Array<() => Promise<void>> = []

  beforeAll(() => bad.open())
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })
  afterAll(() => bad.close())

  /** A fresh adapter; `answers` by the path's beginning, anything else hangs. */
  const engineOn = async (answers: Record<string, Answer | ((asked: Asked) => Answer)>, more: Partial<DockerEngineOptions> = {}): Promise<ContainerEngine["Service"]> => {
    bad.asked.length = 0
    bad.answer = (asked) => {
      const found = Object.entries(answers).find(([path]) => `${asked.method} ${asked.path}`.startsWith(path))?.[1]
      return typeof found === "function" ? found(asked) : found ?? "hang"
    }
    const connected = await connectEngine(bad.host, { deadlines: { ping: 300, list: 300, inspect: 300, kill: 300, change: 300 }, pullStallMs: 300, ...more })
    closing.push(connected.close)
    return connected.engine
  }
  return { bad, engineOn }
}

export const writes = (write: (response: ServerResponse) => void): Answer => ({ write })

export const run = <A>(effect: Effect.Effect<A, EngineError>) => Effect.runPromise(effect)
export const failure = <A>(effect: Effect.Effect<A, EngineError>) => Effect.runPromise(Effect.flip(effect))
