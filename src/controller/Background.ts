/**
 * Work that outlives a look at a key, an image's pull as an example. A look says what it wants and reads how far it is; when
 * the work ends the key is looked at again. What is known of it lives in memory only, so it must be safe to begin anew.
 */
import { type Cause, Context, Effect, Exit, Fiber, FiberSet, type Scope } from "effect"

export type TaskState<A, E> =
  /** Not asked for, forgotten, or asked for with another id. */
  | { readonly _tag: "None" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Succeeded"; readonly value: A }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<E> }

export interface Task<A, E> {
  /** What kind of work: a key has one task of a name. */
  readonly name: string
  /** Which work of that kind. */
  readonly id: string
  readonly work: Effect.Effect<A, E>
}

export class Background extends Context.Service<Background, {
  /**
   * Begins the work, unless the key has a task of this name and id already, running or ended. One of another id under the same
   * name is interrupted, and the new work begins when the old has really ended.
   */
  readonly ensure: <A, E>(key: string, task: Task<A, E>) => Effect.Effect<void>
  /** How far the work is. Its end is kept until `release`. */
  readonly state: (key: string, name: string, id: string) => TaskState<unknown, unknown>
  /** Forgets and interrupts the key's tasks, but those to `keep`; does not wait for their end. */
  readonly release: (key: string, keep?: (name: string, id: string) => boolean) => Effect.Effect<void>
}>()("rtmanager/controller/Background") {}

/** The tasks of one name, with what they end with. All use of the name goes through here: that is what the types rest on. */
export const tasksOf = <A, E>(background: Background["Service"], name: string) => ({
  ensure: (key: string, id: string, work: Effect.Effect<A, E>): Effect.Effect<void> => background.ensure(key, { name, id, work }),
  state: (key: string, id: string): TaskState<A, E> => background.state(key, name, id) as TaskState<A, E>
})

const none: TaskState<never, never> = { _tag: "None" }
const running: TaskState<never, never> = { _tag: "Running" }

interface Current {
  readonly id: string
  state: TaskState<unknown, unknown>
}

/** What a key has under a name. Its fiber may go on ending when nobody wants it any more. */
interface Slot {
  current: Current | undefined
  fiber: Fiber.Fiber<void> | undefined
}

export interface BackgroundOptions {
  /** Run when a task ended, whichever way; not when it was replaced or released. */
  readonly wake: (key: string) => Effect.Effect<void>
}

/** Closing the scope interrupts all. */
export const makeBackground = Effect.fnUntraced(function*({ wake }: BackgroundOptions): Effect.fn.Return<
  Background["Service"],
  never,
  Scope.Scope
> {
  const fibers = yield* FiberSet.make<void>()
  const keys = new Map<string, Map<string, Slot>>()

  const slotOf = (key: string, name: string): Slot => {
    const slots = keys.get(key) ?? new Map<string, Slot>()
    keys.set(key, slots)
    const slot = slots.get(name) ?? { current: undefined, fiber: undefined }
    slots.set(name, slot)
    return slot
  }
  const drop = (key: string, name: string): void => {
    const slots = keys.get(key)
    slots?.delete(name)
    if (slots?.size === 0) keys.delete(key)
  }
  const ensure = Effect.fnUntraced(function*<A, E>(key: string, { id, name, work }: Task<A, E>) {
    const slot = slotOf(key, name)
    if (slot.current?.id === id) return
    const current: Current = { id, state: running }
    slot.current = current
    const fiber = yield* FiberSet.run(fibers, run(slot, current, work, wake(key)))
    slot.fiber = fiber
    fiber.addObserver(() => {
      if (slot.fiber !== fiber) return
      slot.fiber = undefined
      if (slot.current === undefined) drop(key, name)
    })
  })
  const release = (key: string, keep?: (name: string, id: string) => boolean): void => {
    const slots = keys.get(key)
    if (slots === undefined) return
    for (const [name, slot] of [...slots]) {
      if (slot.current === undefined || keep?.(name, slot.current.id) === true) continue
      slot.current = undefined
      if (slot.fiber === undefined) drop(key, name)
      else slot.fiber.interruptUnsafe()
    }
  }
  return {
    // In one piece: a task without a fiber would run for ever.
    ensure: (key, task) => Effect.uninterruptible(ensure(key, task)),
    state: (key, name, id) => {
      const current = keys.get(key)?.get(name)?.current
      return current?.id === id ? current.state : none
    },
    release: (key, keep) => Effect.sync(() => release(key, keep))
  }
})

/** Runs the work once what was there before has ended, and tells how it ended, unless nobody wants to know any more. */
const run = <A, E>(slot: Slot, current: Current, work: Effect.Effect<A, E>, wake: Effect.Effect<void>): Effect.Effect<void> => {
  const end = (exit: Exit.Exit<A, E>) => {
    if (slot.current !== current) return Effect.void
    current.state = Exit.isSuccess(exit) ? { _tag: "Succeeded", value: exit.value } : { _tag: "Failed", cause: exit.cause }
    return wake
  }
  // Never within `ensure`, which has yet to keep the fiber: work may end at once, and its wake may ask for the next.
  return endOf(slot.fiber).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.exit(work)), Effect.flatMap(end))
}

/** Interrupts the fiber and waits for its end, even when interrupted: else whoever is third would not wait for the first. */
const endOf = (fiber: Fiber.Fiber<void> | undefined): Effect.Effect<void> =>
  fiber === undefined ? Effect.void : Effect.uninterruptible(Fiber.interrupt(fiber))
