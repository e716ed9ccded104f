/** Claims of ports beside many that are taken: each looks for the lowest free one. */
import { Effect } from "effect"
import type { GameId } from "../../src/domain/GameId.ts"
import { openStore } from "../support/openStore.ts"
import type { Figures } from "./figures.ts"
import { seconds } from "./measure.ts"

const taken = 10_000
const claims = 500
const atOnce = 8

export const portClaims = async (figures: Figures): Promise<void> => {
  const opened = await openStore()
  try {
    await opened.sql`INSERT INTO rtmanager.port_claims (engine_id, address, protocol, port, game_id, container_port)
      SELECT 'e', '0.0.0.0', 'udp', 20000 + n, 'g' || n, 9000 FROM generate_series(0, ${taken - 1}::int) n`
    await opened.sql`VACUUM (ANALYZE) rtmanager.port_claims`
    const claim = (index: number) => opened.writer.claimPorts({
      gameId: `new${index}` as GameId, engineId: "e", range: { from: 20_000, to: 39_999 }, keep: false, taken: [],
      wants: [{ container: 9000, protocol: "udp", address: "0.0.0.0", host: null, count: 1 }]
    })
    const took = await seconds(() => Effect.runPromise(Effect.forEach(Array.from({ length: claims }, (_, index) => index), claim, { concurrency: atOnce, discard: true })))
    figures.add(`port claims with ${taken.toLocaleString("en")} ports taken`, claims / took, "/s", "more", 100)
  } finally {
    await opened.close()
  }
}
