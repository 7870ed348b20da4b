// One client of a room, and what it has of every writer.

import { dialects, AWARENESS, SYNC } from './dialects.mjs'
import { LETTERS, Reader, readRanges } from './encoding.mjs'
import { Socket } from './socket.mjs'

/** Writers have the Yjs client ids from here on, in the order of their crowd. */
export const FIRST_WRITER = 0x10000000
const reader = new Reader()

export class Client {
  constructor (crowd, number, place, room, door) {
    this.crowd = crowd
    this.number = number
    this.place = place // among the clients of its room
    this.room = room
    this.door = door
    this.dialect = new dialects[crowd.dialect](door)
    this.clock = 0 // of its own typing
    this.awarenessClock = 0
    this.isSynced = false
    this.document = null // updates that answer a sync step 1 of the server
    this.payloads = null // where they are kept: updates as they came
    this.syncBytes = 0
    this.syncedAt = 0
    this.levelAt = 0
    this.known = new Float64Array(room.size) // clocks of every writer of the room
    this.knownAwareness = new Float64Array(room.size)
  }

  open (onSynced) {
    this.onSynced = onSynced
    this.openedAt = performance.now()
    this.socket = new Socket({
      port: this.door.port ?? this.crowd.port,
      path: this.door.path,
      headers: this.door.headers,
      onOpen: () => { for (const message of this.dialect.greeting()) this.socket.send(message) },
      onMessage: (buffer, start, end) => this.receive(buffer, start, end),
      onClose: why => this.crowd.closed(this, why)
    })
  }

  receive (buffer, start, end) {
    const crowd = this.crowd
    crowd.frames++
    crowd.bytes += end - start
    reader.start(buffer, start, end)
    try {
      const type = this.dialect.readType(reader)
      if (type === SYNC) this.receiveSync(buffer)
      else if (type === AWARENESS) this.receiveAwareness()
      else crowd.others++
    } catch (error) {
      crowd.malformed ??= String(error)
    }
  }

  receiveSync (buffer) {
    const kind = reader.uint()
    const size = reader.uint()
    if (kind === 0) { // the server's question: what does this client have that it has not?
      const answer = this.document ?? [undefined]
      for (const update of answer) this.socket.send(this.dialect.step2(update))
      return
    }
    if (!this.isSynced && kind === 1) {
      this.isSynced = true
      this.syncedAt = performance.now()
      this.onSynced?.(this)
    }
    if (this.payloads) {
      const payload = buffer.subarray(reader.pos, reader.pos + size)
      this.payloads.push(Buffer.from(payload))
    }
    if (this.crowd.document) this.crowd.received(this, size)
    else this.readUpdate()
  }

  readUpdate () {
    const now = performance.now()
    readRanges(reader, (client, start, end) => this.seen(client, start, end, now))
  }

  /** Clocks of a writer have come: count those that are new, and how long they took. */
  seen (client, start, end, now) {
    const crowd = this.crowd
    const writer = crowd.clients[client - FIRST_WRITER]
    if (writer === undefined || writer.room !== this.room) return
    const isOwn = writer === this
    // What is joined with others' updates comes back to its author, and what was sent alone does not.
    const known = isOwn ? Math.max(start, this.known[writer.place]) : this.known[writer.place]
    if (start > known) { // before what it follows: held back until that is there
      crowd.early++
      const early = this.early ??= []
      early.push([client, start, end])
      return
    }
    if (end <= known) { crowd.repeated += (end - start) / LETTERS; return }
    this.known[writer.place] = end
    const histogram = isOwn ? crowd.ownTimes : crowd.times
    for (let index = known / LETTERS; index < end / LETTERS; index++) {
      histogram.add(now - writer.sentAt[index])
    }
    if (!isOwn) crowd.delivered += (end - known) / LETTERS
    if (this.early) this.seeEarly(now)
  }

  seeEarly (now) {
    const early = this.early
    this.early = null
    for (const [client, start, end] of early) this.seen(client, start, end, now)
  }

  receiveAwareness () {
    const crowd = this.crowd
    const now = performance.now()
    reader.uint() // bytes that follow
    for (let states = reader.uint(); states > 0; states--) {
      const client = reader.uint()
      const clock = reader.uint()
      reader.skip(reader.uint())
      const writer = crowd.clients[client - FIRST_WRITER]
      if (writer === undefined || writer === this || writer.room !== this.room) continue
      const known = this.knownAwareness[writer.place]
      if (clock <= known || clock > writer.awarenessClock) continue
      // A later state stands for those it has overtaken on the way.
      crowd.delivered += clock - known
      crowd.overtaken += clock - known - 1
      this.knownAwareness[writer.place] = clock
      crowd.times.add(now - writer.awarenessSentAt[clock])
    }
  }

  type (update) {
    (this.sentAt ??= []).push(performance.now())
    this.socket.send(this.dialect.update(update))
  }

  tellAwareness (update) {
    (this.awarenessSentAt ??= [0])[this.awarenessClock] = performance.now()
    this.socket.send(this.dialect.awareness(update))
  }
}
