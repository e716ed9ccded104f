/** `npm run test:env -- up|down`: the tests' environment by itself, for running single test files again and again. */
import { down, stateFile, up } from "./lib/testEnvironment.ts"

if (process.argv[2] === "up") {
  const { engines } = await up()
  console.log(`ready: ${engines.map(({ name, version }) => `${name} (${version})`).join(", ")}; see ${stateFile}`)
} else if (process.argv[2] === "down") {
  await down()
  console.log("all ended and removed")
} else {
  console.error("say up or down")
  process.exit(1)
}
process.exit(0)
