/** Waits until the database is up to date, and says what it waits for. */
import { Effect, Ref, Schedule } from "effect"
import { AddressUnfit, upgrade } from "./store/migrate.ts"
import { inOneLine, olderThan } from "./store/migrateCommand.ts"

export interface Upgrading {
  readonly directUrl: string
  /** The setting that the address is from. */
  readonly directVariable: string
  /** What readiness says of the schema. */
  readonly schema: Ref.Ref<string>
}

const migrated = "migrated"

export const schemaCheck = (word: string): Effect.Effect<string, { readonly message: string }> =>
  word.startsWith(migrated) ? Effect.succeed(word) : Effect.fail({ message: word })

/** Waits for as long as it takes; for an address that will never do it does not wait, but says so and fails. */
export const upgraded = ({ directUrl, directVariable, schema }: Upgrading) =>
  Effect.tryPromise({ try: () => upgrade(directUrl), catch: (cause) => cause }).pipe(
    Effect.tapError((cause) => {
      const why = inOneLine(cause)
      return Effect.andThen(Ref.set(schema, why), Effect.logWarning(`the database cannot be migrated yet: ${why}`))
    }),
    Effect.retry({ schedule: Schedule.spaced("1 second"), while: (cause) => !(cause instanceof AddressUnfit) }),
    Effect.tap(({ applied }) => applied.length > 0 ? Effect.logInfo("migrations applied", { files: applied }) : Effect.void),
    Effect.flatMap(({ unknown }) => unknown.length === 0
      ? Ref.set(schema, migrated)
      : Effect.andThen(Ref.set(schema, `${migrated}; ${olderThan(unknown)}`), Effect.logWarning(olderThan(unknown)))),
    Effect.tapError((cause) => Effect.sync(() => console.error(`${directVariable} ${inOneLine(cause)}`)))
  )
