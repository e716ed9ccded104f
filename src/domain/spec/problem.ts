/**
 * Where a spec is wrong and why: `path` is like `resources.memory`, empty for the whole. Neither says a value of the spec: it
 * may be a secret.
 */
export interface SpecProblem {
  readonly path: string
  readonly message: string
}
