// Yjs updates (v1) without a library: hand-made insertions of text, and a reader of clock ranges.
//
//   update  = n clients × (n structs, client, clock, structs) delete set
//   struct  = info [origin] [right origin] [parent] content
//
// Source: yjs `src/utils/encoding.js`, `src/structs/Item.js`.

const ORIGIN = 0x80
const RIGHT_ORIGIN = 0x40
const PARENT_SUB = 0x20
const GC = 0
const DELETED = 1
const STRING = 4
const SKIP = 10
const ROOT = Buffer.from('body')

/** Clocks that one update takes: the letters of its text. */
export const LETTERS = 8

export class Writer {
  constructor (size = 64) {
    this.buffer = Buffer.allocUnsafe(size)
    this.length = 0
  }

  ensure (size) {
    if (this.length + size > this.buffer.length) {
      const bigger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + size))
      this.buffer.copy(bigger, 0, 0, this.length)
      this.buffer = bigger
    }
  }

  byte (value) {
    this.ensure(1)
    this.buffer[this.length++] = value
  }

  uint (value) {
    this.ensure(8)
    while (value > 127) {
      this.buffer[this.length++] = 128 | (value % 128)
      value = Math.floor(value / 128)
    }
    this.buffer[this.length++] = value
  }

  bytes (bytes) {
    this.ensure(bytes.length)
    bytes.copy(this.buffer, this.length)
    this.length += bytes.length
  }

  varBytes (bytes) {
    this.uint(bytes.length)
    this.bytes(bytes)
  }

  take () {
    return this.buffer.subarray(0, this.length)
  }
}

/** Write a string item; `origin` and `right` are [client, clock] or null. */
export function writeItem (out, origin, right, text) {
  out.byte(STRING | (origin ? ORIGIN : 0) | (right ? RIGHT_ORIGIN : 0))
  if (origin) { out.uint(origin[0]); out.uint(origin[1]) }
  if (right) { out.uint(right[0]); out.uint(right[1]) }
  if (!origin && !right) { out.uint(1); out.varBytes(ROOT) }
  out.varBytes(text)
}

/** The update that types `text` behind what this client typed before, at `clock`; about 30 bytes. */
export function typingUpdate (client, clock, text) {
  const out = new Writer()
  out.uint(1)
  out.uint(1)
  out.uint(client)
  out.uint(clock)
  writeItem(out, clock ? [client, clock - 1] : null, null, text)
  out.uint(0)
  return out.take()
}

export function varUint (value) {
  const out = new Writer(8)
  out.uint(value)
  return out.take()
}

/** Reads one buffer from `pos` to `end`; one instance is used again and again. */
export class Reader {
  start (buffer, pos, end) {
    this.buffer = buffer
    this.pos = pos
    this.end = end
  }

  uint () {
    const buffer = this.buffer
    let byte = buffer[this.pos++]
    if (byte < 128) return byte
    let value = byte & 127
    let factor = 128
    do {
      byte = buffer[this.pos++]
      value += (byte & 127) * factor
      factor *= 128
    } while (byte >= 128)
    if (this.pos > this.end) throw new Error('a frame ends within a number')
    return value
  }

  skip (length) {
    this.pos += length
    if (this.pos > this.end) throw new Error('a frame ends within a value')
  }
}

/** Call `seen(client, start, end)` for each stretch of clocks that an update brings. */
export function readRanges (reader, seen) {
  for (let clients = reader.uint(); clients > 0; clients--) {
    let structs = reader.uint()
    const client = reader.uint()
    let clock = reader.uint()
    let start = clock
    for (; structs > 0; structs--) {
      const info = reader.buffer[reader.pos++]
      const kind = info & 31
      if (kind === SKIP) {
        if (clock > start) seen(client, start, clock)
        clock += reader.uint()
        start = clock
      } else if (kind === GC) {
        clock += reader.uint()
      } else {
        if (info & ORIGIN) { reader.uint(); reader.uint() }
        if (info & RIGHT_ORIGIN) { reader.uint(); reader.uint() }
        if (!(info & (ORIGIN | RIGHT_ORIGIN))) {
          if (reader.uint() === 1) reader.skip(reader.uint())
          else { reader.uint(); reader.uint() }
          if (info & PARENT_SUB) reader.skip(reader.uint())
        }
        const length = reader.uint()
        if (kind === STRING) reader.skip(length) // of ASCII letters: a byte is a clock
        else if (kind !== DELETED) throw new Error(`content of kind ${kind} that nobody wrote`)
        clock += length
      }
    }
    if (clock > start) seen(client, start, clock)
  }
}
