// What a client says and hears, in the framing of y-websocket and in that of Hocuspocus.
//
//   y-websocket   type payload
//   Hocuspocus    address type payload; the address is the document's name

import { Writer, varUint } from './encoding.mjs'

export const SYNC = 0
export const AWARENESS = 1
const EMPTY_UPDATE = Buffer.from([0, 0])
const AUTH = 2
const SYNC_REPLY = 4
const SYNC_STATUS = 8
const QUERY_AWARENESS = 3
const VERSION = Buffer.from('4.7.0')

class Dialect {
  /** `door` is `{path, document, token}`. */
  constructor (door) {
    this.prefix = Buffer.alloc(0)
    this.door = door
  }

  greeting () {
    return [this.message([SYNC, 0], Buffer.from([0]))] // sync step 1 of an empty document
  }

  step2 (update = EMPTY_UPDATE) {
    return this.message([SYNC, 1], update)
  }

  update (update) {
    return this.message([SYNC, 2], update)
  }

  awareness (update) {
    return this.message([AWARENESS], update)
  }

  message (head, body) {
    const out = new Writer(this.prefix.length + head.length + body.length + 8)
    out.bytes(this.prefix)
    for (const number of head) out.uint(number)
    out.varBytes(body)
    return out.take()
  }

  /** The type of the message that the reader stands at; it stands behind it then. */
  readType (reader) {
    return reader.uint()
  }

  keepalive () {
    return null // the server's pings are enough
  }
}

class Hocuspocus extends Dialect {
  constructor (door) {
    super(door)
    const name = Buffer.from(door.document)
    this.prefix = Buffer.concat([varUint(name.length), name])
  }

  greeting () {
    const out = new Writer()
    out.bytes(this.prefix)
    out.uint(AUTH)
    out.uint(0)
    out.varBytes(Buffer.from(this.door.token ?? ''))
    out.varBytes(VERSION)
    return [out.take(), ...super.greeting()]
  }

  readType (reader) {
    if (reader.end - reader.pos < 2) return -1 // ping or pong
    reader.skip(reader.uint())
    const type = reader.uint()
    return type === SYNC_REPLY ? SYNC : type === SYNC_STATUS ? -1 : type
  }

  /** Whom the server does not hear for a minute it sends away; a ping of one byte it takes for a fault. */
  keepalive () {
    return Buffer.concat([this.prefix, varUint(QUERY_AWARENESS)])
  }
}

export const dialects = { 'y-websocket': Dialect, hocuspocus: Hocuspocus }
