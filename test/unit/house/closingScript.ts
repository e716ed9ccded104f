/**
 * A script as scripts/start.ts is one: says which server it started (`kept <pid>`), then `ready`, then counts until it is ended.
 * Arguments: how many milliseconds the server takes to start; how the script fails: `later part` or `elsewhere`.
 */
import { spawn } from "node:child_process"
import { ended, makeClosing } from "../../../scripts/lib/closing.ts"

const farewell = "farewell"
const closing = makeClosing(farewell)
const [slowStart = "", failure = ""] = process.argv.slice(2)

const server = async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true })
  console.log(`kept ${child.pid}`)
  if (slowStart !== "") await new Promise((resolve) => setTimeout(resolve, Number(slowStart)))
  return { stop: () => ended(child, 5000) }
}

try {
  await closing.keep(server)
  await closing.keep(async () => ({ stop: () => Promise.reject(new Error("cannot be stopped")) }))
  if (failure === "later part") throw new Error("no image")
  if (failure === "elsewhere") setTimeout(() => { throw new Error("nobody caught it") })
  console.log("ready")
  for (let count = 0;; count++) {
    console.log(`count ${count}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
} catch (error) {
  console.error(String(error))
  await closing.close(1)
}
