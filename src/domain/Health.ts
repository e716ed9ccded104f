/** Technical health of a game's container, told on `runtime:health_events` and kept in `health_snapshots`. */
import { Schema } from "effect"

export const HealthEventType = Schema.Literals([
  "container_started", "container_exited", "container_oom", "container_disappeared",
  "inspect_unhealthy", "probe_failed", "probe_recovered"
])
export type HealthEventType = typeof HealthEventType.Type

export interface HealthEvent {
  readonly containerId: string
  readonly type: HealthEventType
  readonly occurredAtMs: number
  /** JSON object; `exit_code` for `container_exited` and `container_oom`. */
  readonly details: Readonly<Record<string, unknown>>
}

/** What was told of the game last: by it a rule knows whether it has told a change already. */
export type LastHealth = Pick<HealthEvent, "containerId" | "type">
