/** A start that was refused for a port of the host: which one, and who has it. */
import { Effect } from "effect"
import { EngineError } from "../ContainerEngine.ts"
import { labels, ownerValue } from "./labels.ts"
import { publisherOf } from "./looks.ts"
import { takenPort } from "./portBindings.ts"
import type { Verbs } from "./verbs.ts"

/** The refusal with what it is of, where it is of a port. */
export const asPortTaken = (verbs: Verbs, id: string, error: EngineError): Effect.Effect<never, EngineError> => {
  const taken = error.status === undefined || error.status < 500 ? undefined : takenPort(error.message)
  if (taken === undefined) return Effect.fail(error)
  return Effect.flatMap(publisherOf(verbs, taken, id), (found) => {
    const { message, operation } = error
    const refused = { operation, reason: "PortTaken", message, status: error.status!, taken } as const
    if (found === undefined) return Effect.fail(new EngineError({ ...refused, holder: { id: "", description: "a process of the host", gameId: null } }))
    const name = (found.Names?.[0] ?? "").replace(/^\//, "")
    const ours = found.Labels?.[labels.owner] === ownerValue
    return Effect.fail(new EngineError({
      ...refused,
      holder: { id: found.Id, description: `container ${name} (${found.Id.slice(0, 12)})`, gameId: ours ? found.Labels?.[labels.gameId] ?? null : null }
    }))
  })
}
