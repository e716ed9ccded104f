/** The classes of keys in a work queue: which goes first, and what each is promised all the same. */

/** Highest first. */
export const Priority = {
  /** Its last run took a step and asked for another look: what was begun is finished first. */
  Begun: 0,
  /** Something happened, or time is up: an end, a stop, a timer. */
  Event: 1,
  /** Somebody wants something new. */
  Wish: 2,
  /** Nobody asked: it is compared now and then. */
  Resync: 3
} as const
export type Priority = (typeof Priority)[keyof typeof Priority]

interface Class {
  /** Of the turns in which a key of the class could be taken, it gets at least each `every`-th. At least the number of classes. */
  readonly every: number
  /** What a key is when nobody says: slow work, as a start is, or a quick look. */
  readonly slow: boolean
  /** Its slow work goes on where room is kept for it: a game that fell is not to wait for those that are new. */
  readonly urgent: boolean
  /** A quick add tells something new: a slow key that waits becomes quick. Else every resync would look at all that wait for a start. */
  readonly isNews: boolean
  /** A retry waits for the key's own delay only, not for the overall limit of retries. */
  readonly retriesAlone: boolean
}

/** By `Priority`. */
export const classes: readonly [Class, Class, Class, Class] = [
  { every: 4, slow: false, urgent: true, isNews: true, retriesAlone: true },
  { every: 4, slow: false, urgent: true, isNews: true, retriesAlone: false },
  { every: 4, slow: true, urgent: false, isNews: true, retriesAlone: true },
  { every: 16, slow: false, urgent: false, isNews: false, retriesAlone: false }
]
