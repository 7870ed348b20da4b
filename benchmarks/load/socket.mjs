// A WebSocket client with as little work for a message as possible: frames are read where the kernel put
// them, in one buffer that all sockets share, and the mask of what is sent is zero.

import net from 'node:net'
import { randomBytes } from 'node:crypto'

const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const shared = Buffer.allocUnsafe(1 << 18)

export class Socket {
  /** `onMessage(buffer, start, end)` is to read the bytes before it returns. */
  constructor ({ port, path, headers = {}, onOpen, onMessage, onClose }) {
    this.onOpen = onOpen
    this.onMessage = onMessage
    this.onClose = onClose
    this.isOpen = false
    this.isClosed = false
    this.code = 1006
    this.rest = null // what of an incomplete frame has come
    this.wanted = 0 // how many bytes the frame in `rest` has, 0 if its length is not known yet
    this.have = 0
    this.parts = null // payloads of a fragmented message
    this.tcp = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: shared, callback: (size, buffer) => { this.read(buffer, size); return true } }
    })
    this.tcp.on('connect', () => this.tcp.write(handshake(port, path, headers)))
    this.tcp.on('error', error => this.end(error.code))
    this.tcp.on('close', () => this.end('closed'))
  }

  read (buffer, size) {
    let pos = 0
    if (!this.isOpen) {
      pos = this.readHandshake(buffer, size)
      if (pos < 0) return
    }
    if (this.rest) pos = this.complete(buffer, pos, size)
    while (pos < size) {
      const length = frameLength(buffer, pos, size)
      if (length === 0 || pos + length > size) return this.keep(buffer, pos, size, length)
      this.frame(buffer, pos, pos + length)
      pos += length
    }
  }

  readHandshake (buffer, size) {
    const text = (this.head ?? '') + buffer.toString('latin1', 0, size)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) { this.head = text; return -1 }
    if (!text.startsWith('HTTP/1.1 101')) {
      this.end(`HTTP ${text.slice(9, 12)}`)
      this.tcp.destroy()
      return -1
    }
    const pos = end + 4 - (this.head?.length ?? 0)
    this.head = undefined
    this.isOpen = true
    this.onOpen()
    return pos
  }

  keep (buffer, pos, size, length) {
    this.rest = Buffer.allocUnsafe(Math.max(length, 14))
    this.wanted = length
    this.have = buffer.copy(this.rest, 0, pos, size)
  }

  /** Fill up the incomplete frame; where the next one begins. */
  complete (buffer, pos, size) {
    if (this.wanted === 0) {
      const taken = buffer.copy(this.rest, this.have, pos, Math.min(size, pos + 14 - this.have))
      const known = this.have
      this.have += taken
      this.wanted = frameLength(this.rest, 0, this.have)
      if (this.wanted === 0) return size
      this.have = known
      if (this.wanted > this.rest.length) {
        const bigger = Buffer.allocUnsafe(this.wanted)
        this.rest.copy(bigger, 0, 0, known)
        this.rest = bigger
      }
    }
    const stop = Math.min(size, pos + this.wanted - this.have)
    this.have += buffer.copy(this.rest, this.have, pos, stop)
    if (this.have === this.wanted) {
      const frame = this.rest
      this.rest = null
      this.frame(frame, 0, this.wanted)
    }
    return stop
  }

  frame (buffer, start, end) {
    const opcode = buffer[start] & 15
    const payload = start + headLength(buffer[start + 1])
    if (opcode === PING) this.control(PONG, buffer.subarray(payload, end))
    else if (opcode === CLOSE) {
      this.code = end - payload >= 2 ? buffer.readUInt16BE(payload) : 1005
      this.reason = buffer.toString('utf8', Math.min(end, payload + 2), end)
      this.control(CLOSE, buffer.subarray(payload, Math.min(end, payload + 2)))
      this.tcp.end()
    } else if (opcode !== PONG) this.data(buffer, start, payload, end)
  }

  data (buffer, start, payload, end) {
    const isLast = (buffer[start] & 128) !== 0
    if (isLast && this.parts === null) {
      this.onMessage(buffer, payload, end)
      return
    }
    this.parts = [...(this.parts ?? []), Buffer.from(buffer.subarray(payload, end))]
    if (isLast) {
      const whole = Buffer.concat(this.parts)
      this.parts = null
      this.onMessage(whole, 0, whole.length)
    }
  }

  send (payload) {
    if (!this.isClosed) this.tcp.write(frame(BINARY, payload))
  }

  control (opcode, payload) {
    this.tcp.write(frame(opcode, payload))
  }

  close () {
    if (this.isOpen && !this.isClosed) this.control(CLOSE, Buffer.from([3, 232]))
    this.isClosed = true
    this.tcp.destroySoon()
  }

  end (why) {
    if (this.isClosed) return
    this.isClosed = true
    this.onClose(this.code === 1006 ? why : `${this.code} ${this.reason}`)
  }
}

/** The payload in a frame of a client, masked with zeros. */
function frame (opcode, payload) {
  const size = payload.length
  const head = size < 126 ? 6 : size < 65536 ? 8 : 14
  const out = Buffer.allocUnsafe(head + size)
  out[0] = 128 | opcode
  if (head === 6) out[1] = 128 | size
  else if (head === 8) { out[1] = 254; out.writeUInt16BE(size, 2) } else { out[1] = 255; out.writeBigUInt64BE(BigInt(size), 2) }
  out.fill(0, head - 4, head)
  payload.copy(out, head)
  return out
}

function headLength (second) {
  const short = second & 127
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

/** The length of the frame at `pos` with its head; 0 if too little of it is there to tell. */
function frameLength (buffer, pos, size) {
  if (size - pos < 2) return 0
  const head = headLength(buffer[pos + 1])
  if (head === 2) return 2 + buffer[pos + 1]
  if (size - pos < head) return 0
  return head + (head === 4 ? buffer.readUInt16BE(pos + 2) : Number(buffer.readBigUInt64BE(pos + 2)))
}

function handshake (port, path, headers) {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  ]
  return lines.join('\r\n') + '\r\n\r\n'
}
