/** Image references, by the distribution reference grammar, with a tag or a digest required. */
import reference from "@swimlane/docker-reference"

const maximumLength = 512

/**
 * Why `value` is no usable image reference, or undefined when it is one.
 *
 * A reference without tag or digest is refused: an engine would pull every tag of it.
 */
export const imageRefProblem = (value: string): string | undefined => {
  if (value.length > maximumLength) return `is longer than ${maximumLength} characters`
  try {
    const parsed = reference.parseFamiliarName(value)
    if (!parsed.tag && !parsed.digest) return "has neither a tag nor a digest, e.g. galaxy/engine:1.4.2"
    return undefined
  } catch {
    return "is not an image reference, e.g. galaxy/engine:1.4.2 or registry.example/engine@sha256:..."
  }
}
