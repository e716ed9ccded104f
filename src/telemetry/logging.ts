/** Log lines: JSON for machines, one line each, or text for a terminal. */
import { Cause, Layer, Logger, type LogLevel, References } from "effect"

export interface LoggingOptions {
  readonly format: "pretty" | "json"
  readonly level: "debug" | "info" | "warn" | "error"
}

const levels: Record<LoggingOptions["level"], LogLevel.LogLevel> = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" }

export const layer = ({ format, level }: LoggingOptions): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([format === "json" ? json : pretty]),
    Layer.succeed(References.MinimumLogLevel, levels[level])
  )

interface Line {
  readonly ts: string
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly error: string | undefined
}

const line = (options: Logger.Options<unknown>): Line => {
  const parts = Array.isArray(options.message) ? options.message as ReadonlyArray<unknown> : [options.message]
  const text = parts.filter((part) => typeof part !== "object" || part === null).map(String).join(" ")
  const objects = parts.filter((part) => typeof part === "object" && part !== null)
  const errors = objects.filter((part) => part instanceof Error).map((error) => errorText(error))
  const fields = Object.assign({}, ...objects.filter((part) => !(part instanceof Error))) as Record<string, unknown>
  const cause = options.cause.reasons.length === 0 ? [] : [Cause.pretty(options.cause)]
  const error = [...errors, ...cause].join("\n")
  return {
    ts: options.date.toISOString(),
    level: options.logLevel.toLowerCase(),
    message: text,
    fields: { ...options.fiber.getRef(References.CurrentLogAnnotations), ...fields },
    error: error === "" ? undefined : error
  }
}

const errorText = (error: Error & { readonly reason?: unknown }): string =>
  `${error.name}${typeof error.reason === "string" ? ` ${error.reason}` : ""}: ${error.message}`

const json = Logger.make((options) => {
  const { error, fields, ...rest } = line(options)
  console.log(JSON.stringify({ ...rest, ...fields, ...(error === undefined ? {} : { error }) }))
})

const colours: Record<string, string> = { debug: "90", info: "36", warn: "33", error: "31", fatal: "31" }

const pretty = Logger.make((options) => {
  const { error, fields, level, message, ts } = line(options)
  const details = Object.entries(fields).map(([key, value]) => `\u001b[90m${key}=\u001b[0m${typeof value === "string" ? value : JSON.stringify(value)}`)
  const head = `\u001b[90m${ts.slice(11, 23)}\u001b[0m \u001b[${colours[level] ?? "0"}m${level.padEnd(5)}\u001b[0m ${message}`
  console.log([head, ...details].join(" ") + (error === undefined ? "" : `\n  ${error.replaceAll("\n", "\n  ")}`))
})
