/** Which installation this process acts for, and what people are told while that is in doubt. */
import { Deferred, Effect, Ref, Result, type Scope } from "effect"
import { rivalFound, type Standing } from "./store/Instance.ts"
import type { StoreError } from "./store/StoreError.ts"

/** The installation's id, or why it acts on nothing; `beside`: what is wrong, though it acts. */
export type InstallationWord =
  | { readonly id: string; readonly beside?: string }
  | { readonly id: undefined; readonly why: string }

export const installationCheck = (word: InstallationWord): Effect.Effect<string, { readonly message: string }> =>
  word.id === undefined ? Effect.fail({ message: word.why }) : Effect.succeed(word.beside === undefined ? word.id : `${word.id}; ${word.beside}`)

export interface InstallationOptions {
  /** A person's word, an id or `new`. It was said before this process acted, and settles nothing that comes up later. */
  readonly asked: string | undefined
  readonly settle: (asked: string | undefined) => Effect.Effect<Standing, StoreError>
  /** Keeps, under that epoch, why nothing is to be acted on. */
  readonly halt: (epoch: number, why: string) => Effect.Effect<void, StoreError>
  readonly word: Ref.Ref<InstallationWord>
}

export interface Installation {
  readonly id: string
  /** At the beginning of a term: the database may be another one by now. Ends nothing where it is in doubt: the term is ended. */
  readonly confirm: Effect.Effect<void, StoreError, Scope.Scope>
  /** Something shows that another controller of this installation is alive, while this one acts in that epoch. */
  readonly onRival: (epoch: number, what: string) => Effect.Effect<void, StoreError>
}

/** Runs `act` for as long as it is beyond doubt which installation this is; then waits for a person's word, and again. */
export const whileSettled = Effect.fnUntraced(function*<E, R>(
  options: InstallationOptions,
  act: (installation: Installation) => Effect.Effect<never, E, R>
): Effect.fn.Return<never, E, R> {
  for (let asked = options.asked;; asked = undefined) {
    const id = yield* settled(options, asked)
    const doubtful = yield* Deferred.make<void>()
    yield* Effect.raceFirst(act(makeInstallation(options, id, doubtful)), Deferred.await(doubtful))
  }
})

const makeInstallation = ({ halt, settle, word }: InstallationOptions, id: string, doubtful: Deferred.Deferred<void>): Installation => {
  const doubt = Effect.asVoid(Deferred.succeed(doubtful, undefined))
  const ask = Effect.map(settle(undefined), (standing) => standing._tag === "Acts" && standing.kept.id === id ? standing : undefined)
  return {
    id,
    confirm: Effect.gen(function*() {
      if ((yield* ask) === undefined) return yield* Effect.andThen(doubt, Effect.never)
      yield* Effect.addFinalizer(() => Ref.set(word, { id }))
    }),
    onRival: Effect.fnUntraced(function*(epoch: number, what: string) {
      const standing = yield* ask
      if (standing?.isPromoted === false) return yield* Ref.set(word, { id, beside: `a controller acts with a copy of this database: ${what}` })
      if (standing !== undefined) yield* halt(epoch, rivalFound(what))
      yield* doubt
    })
  }
}

/** Waits until it may act: a person's word is looked for every second. */
const settled = Effect.fnUntraced(function*({ settle, word }: InstallationOptions, asked: string | undefined) {
  let said = ""
  for (;;) {
    const standing = yield* Effect.result(settle(asked))
    if (Result.isSuccess(standing) && standing.success._tag === "Acts") {
      const { isPromoted, isToldApart, kept: { id } } = standing.success
      yield* Ref.set(word, { id })
      yield* Effect.logInfo("installation", { instance: id, promoted: isPromoted })
      if (!isToldApart) yield* Effect.logWarning("the schema's owner may not ask for PostgreSQL's system identifier: a copy of the database on another server is not noticed")
      return id
    }
    const why = Result.isFailure(standing) ? standing.failure.message : standing.success._tag === "Halted" ? standing.success.why : ""
    yield* Ref.set(word, { id: undefined, why })
    if (why !== said) yield* Effect.logError(`nothing is acted on: ${why}`)
    said = why
    yield* Effect.sleep("1 second")
  }
})
