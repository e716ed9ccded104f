/**
 * JSON objects out of a stream of bytes. Chunks may hold several objects or break one anywhere, inside a character too,
 * and nothing promises a newline between two.
 */
const openBrace = 0x7b
const closeBrace = 0x7d
const quote = 0x22
const backslash = 0x5c

/** Longest object that is kept; a longer one is an engine gone mad. */
const maximumBytes = 4 * 1024 * 1024

export class JsonObjectStream {
  #pending: Array<Uint8Array> = []
  #pendingBytes = 0
  #depth = 0
  #inString = false
  #escaped = false

  /** The objects that `chunk` completes, parsed. Throws on what is no JSON. */
  push(chunk: Uint8Array): ReadonlyArray<unknown> {
    const objects: Array<unknown> = []
    let start = this.#depth > 0 ? 0 : -1
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === backslash) this.#escaped = true
        else if (byte === quote) this.#inString = false
      } else if (byte === quote) {
        this.#inString = this.#depth > 0
      } else if (byte === openBrace) {
        if (this.#depth++ === 0) start = index
      } else if (byte === closeBrace && this.#depth > 0 && --this.#depth === 0) {
        objects.push(this.#finish(chunk.subarray(start, index + 1)))
        start = -1
      }
    }
    if (start >= 0) this.#keep(chunk.subarray(start))
    return objects
  }

  #keep(part: Uint8Array): void {
    this.#pendingBytes += part.length
    if (this.#pendingBytes > maximumBytes) throw new Error(`a JSON object of more than ${maximumBytes} bytes`)
    this.#pending.push(Uint8Array.from(part))
  }

  #finish(last: Uint8Array): unknown {
    const bytes = this.#pending.length === 0 ? last : Buffer.concat([...this.#pending, last])
    this.#pending = []
    this.#pendingBytes = 0
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"))
  }
}
