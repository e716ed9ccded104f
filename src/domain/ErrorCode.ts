/** The stable codes that other programs see in job results, the operation log and problem documents. */
import { Schema } from "effect"

export const ErrorCode = Schema.Literals([
  "image_pull_failed",
  "container_start_failed",
  "no_port_free",
  "start_config_invalid",
  "invalid_request",
  "not_found",
  "conflict",
  "superseded",
  "stale",
  "replay_no_op",
  "semver_patch_only",
  "image_ref_not_semver",
  "service_unavailable",
  "internal_error"
])
export type ErrorCode = typeof ErrorCode.Type

/**
 * Why something was refused or failed, in the form it is stored and told.
 *
 * `reason` is a machine word from a closed set (an engine's or a schema's); a failure is told again only when `code` or
 * `reason` changes, because `message` may carry addresses and ports that differ from one try to the next.
 */
export interface Failure {
  readonly code: ErrorCode
  readonly reason: string
  readonly message: string
}
