/** One line of the append-only `operation_log`: something the controller did, or tried and failed to do. */
import { Schema } from "effect"
import type { ErrorCode } from "./ErrorCode.ts"

export const OperationKind = Schema.Literals([
  "start", "stop", "restart", "patch", "cleanup_container",
  "reconcile_adopt", "reconcile_dispose", "reconcile_recreate", "reconcile_restart"
])
export type OperationKind = typeof OperationKind.Type

export const OperationSource = Schema.Literals(["job_stream", "desired_state", "api", "auto_reconcile", "auto_ttl"])
export type OperationSource = typeof OperationSource.Type

export interface Operation {
  readonly kind: OperationKind
  readonly source: OperationSource
  /** The stream entry id of a job, the generation of a row; empty where there is none. */
  readonly sourceRef: string
  readonly imageRef: string | null
  readonly containerId: string | null
  readonly outcome: "success" | "failure"
  readonly errorCode: ErrorCode | null
  readonly errorMessage: string | null
  readonly startedAtMs: number
  readonly finishedAtMs: number
}
