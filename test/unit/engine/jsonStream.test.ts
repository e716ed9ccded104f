import { assert, describe, it } from "@effect/vitest"
import { JsonObjectStream } from "../../../src/engine/docker/jsonStream.ts"

const objects = [{ status: "start" }, { text: "brace } and quote \" and é and \\" }, { nested: { deep: [{ a: "{" }] } }, {}]
const texts = objects.map((object) => JSON.stringify(object))

const pushed = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<unknown> => {
  const stream = new JsonObjectStream()
  return chunks.flatMap((chunk) => stream.push(chunk))
}

describe("JSON objects out of a stream", () => {
  it.each([["a newline", "\n"], ["nothing", ""], ["CR and LF", "\r\n"], ["spaces", "   "]])("may have %s between them", (_name, separator) => {
    assert.deepStrictEqual(pushed([Buffer.from(texts.join(separator))]), objects)
  })

  it("may be broken anywhere, inside a character too", () => {
    const bytes = Buffer.from(texts.join("\n"))
    for (let cut = 0; cut <= bytes.length; cut++) assert.deepStrictEqual(pushed([bytes.subarray(0, cut), bytes.subarray(cut)]), objects)
  })

  it("may come a byte at a time", () => {
    assert.deepStrictEqual(pushed([...Buffer.from(texts.join("\n"))].map((byte) => Uint8Array.of(byte))), objects)
  })

  it("keep what a reused buffer held", () => {
    const stream = new JsonObjectStream()
    const buffer = Buffer.from("{\"a\":1")
    stream.push(buffer)
    buffer.fill(0)
    assert.deepStrictEqual(stream.push(Buffer.from("}")), [{ a: 1 }])
  })

  it("are not kept without bound", () => {
    const stream = new JsonObjectStream()
    const part = Buffer.alloc(1024 * 1024, "x")
    stream.push(Buffer.from("{\"a\":\""))
    assert.throws(() => {
      for (let index = 0; index < 5; index++) stream.push(part)
    }, /more than/)
  })
})
