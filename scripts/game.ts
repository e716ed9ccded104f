/** `npm run game -- insert|start|kill ...`: the first steps, for machines without psql, redis-cli or docker. */
import { Redis } from "ioredis"
import postgres from "postgres"
import { dockerAt } from "./lib/images.ts"
import { machineHost } from "./lib/engines.ts"

const [verb, gameId, image = "galaxy/engine:demo"] = process.argv.slice(2)

const setting = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is missing`)
  return value
}

const verbs: Record<string, (game: string) => Promise<string>> = {
  insert: async (game) => {
    const sql = postgres(setting("DATABASE_URL"), { max: 1 })
    await sql`INSERT INTO rtmanager.games (game_id, image_ref) VALUES (${game}, ${image})`
    await sql.end()
    return `the row of ${game} is written`
  },
  start: async (game) => {
    const redis = new Redis(setting("REDIS_URL"))
    const id = await redis.xadd("runtime:start_jobs", "*", "game_id", game, "image_ref", image)
    redis.disconnect()
    return `start job ${id} is on the stream`
  },
  kill: async (game) => {
    await dockerAt(machineHost()).getContainer(`galaxy-game-${game}`).kill()
    return `galaxy-game-${game} is killed`
  }
}

const run = verb === undefined ? undefined : verbs[verb]
if (run === undefined || gameId === undefined) {
  console.error("npm run game -- insert GAME_ID [IMAGE] | start GAME_ID [IMAGE] | kill GAME_ID")
  process.exit(1)
}
console.log(await run(gameId))
