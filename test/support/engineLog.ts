/** What the engine itself says happened to the games' containers, by its own clock: the measure of what a controller did. */
import type { Readable } from "node:stream"
import type Docker from "dockerode"
import { JsonObjectStream } from "../../src/engine/docker/jsonStream.ts"
import { until } from "./until.ts"

export interface EngineAction {
  readonly gameId: string
  readonly containerId: string
  readonly action: string
  /** Of a kill. */
  readonly signal: string
  readonly atMs: number
}

interface Event {
  readonly Action: string
  readonly timeNano: number
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
}

export class EngineLog {
  readonly actions: Array<EngineAction> = []
  readonly #body: Readable

  private constructor(body: Readable) {
    this.#body = body
    const objects = new JsonObjectStream()
    body.on("error", () => {})
    body.on("data", (chunk: Uint8Array) => {
      for (const object of objects.push(chunk)) this.#hear(object as Event)
    })
  }

  static async open(docker: Docker): Promise<EngineLog> {
    return new EngineLog(await docker.getEvents({ filters: { type: ["container"], label: ["com.galaxy.owner=rtmanager"] } }) as unknown as Readable)
  }

  close(): void {
    this.#body.destroy()
  }

  /** The actions of this kind from a place in the log on, of one game or of those whose name begins so. */
  of(action: string, game: string | RegExp, from = 0): ReadonlyArray<EngineAction> {
    return this.actions.slice(from).filter((one) => one.action === action && (typeof game === "string" ? one.gameId === game : game.test(one.gameId)))
  }

  /** The first such action from a place in the log on; waits for it. */
  next(action: string, gameId: string, from: number, deadlineMs = 30_000): Promise<EngineAction> {
    return until(`${action} of ${gameId}`, () => this.of(action, gameId, from)[0], deadlineMs)
  }

  #hear({ Action, Actor, timeNano }: Event): void {
    const { "com.galaxy.game_id": gameId = "", signal = "" } = Actor.Attributes
    this.actions.push({ gameId, containerId: Actor.ID, action: Action.split(":", 1)[0]!, signal, atMs: timeNano / 1e6 })
  }
}
