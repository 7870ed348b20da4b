// Many clients that were opened together, in one room or in many; what they send, and whether all of it came.

import { Reader, LETTERS, Writer, readRanges, typingUpdate } from './encoding.mjs'
import { makeDocument } from './document.mjs'
import { Client, FIRST_WRITER } from './client.mjs'
import { Histogram } from './histogram.mjs'

const KEEPALIVE_MS = 20_000
const QUIET_MS = 300
const QUIET_TIMEOUT_MS = 30_000
const TEXT = 'abcdefghijklmnopqrstuvwxyz'
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

export class Crowd {
  constructor ({ port, dialect, doors }) {
    this.port = port
    this.dialect = dialect
    this.closes = {}
    this.isEnding = false
    this.rooms = new Map()
    for (const { room } of doors) {
      if (!this.rooms.has(room)) this.rooms.set(room, { clients: [], size: 0 })
      this.rooms.get(room).size++
    }
    this.clients = doors.map((door, number) => {
      const room = this.rooms.get(door.room)
      const client = new Client(this, number, room.clients.length, room, door)
      room.clients.push(client)
      return client
    })
    this.startCounting()
  }

  startCounting () {
    this.times = new Histogram()
    this.ownTimes = new Histogram()
    this.delivered = this.repeated = this.early = this.overtaken = 0
    this.frames = this.bytes = this.others = 0
  }

  closed (client, why) {
    if (!this.isEnding) this.closes[why] = (this.closes[why] ?? 0) + 1
    this.onClosed?.(client)
  }

  // -- opening

  /**
   * Open every client, `inFlight` at a time, until each has its first answer; how long that took. The first
   * one comes alone: some servers are stuck when several open a room that is not there yet.
   */
  async open ({ inFlight, timeoutMs }) {
    const waits = new Histogram()
    const startedAt = performance.now()
    let lastAt = startedAt
    let next = 0
    let waiting = this.clients.length
    await new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs)
      const done = new Set()
      const finish = client => {
        if (done.has(client)) return
        done.add(client)
        if (client.isSynced) {
          waits.add(client.syncedAt - client.openedAt)
          lastAt = Math.max(lastAt, client.syncedAt)
        }
        if (--waiting === 0) { clearTimeout(timer); resolve() }
        for (let count = done.size === 1 ? inFlight : 1; count > 0; count--) openNext()
      }
      const openNext = () => { if (next < this.clients.length) this.clients[next++].open(finish) }
      this.onClosed = finish
      openNext()
    })
    this.onClosed = undefined
    await this.untilQuiet()
    const ping = this.clients[0].dialect.keepalive()
    if (ping) this.keepalive = setInterval(() => { for (const each of this.clients) each.socket.send(ping) }, KEEPALIVE_MS)
    const opened = this.clients.filter(client => client.isSynced).length
    return { opened, seconds: (lastAt - startedAt) / 1000, waits: waits.summary(), closes: this.closes }
  }

  /** Until what opening has set off is over: a client that comes makes some servers talk to all others. */
  async untilQuiet () {
    const deadline = performance.now() + QUIET_TIMEOUT_MS
    let before
    do {
      before = this.frames
      await sleep(QUIET_MS)
    } while (this.frames !== before && performance.now() < deadline)
  }

  // -- documents

  /**
   * Let the first client write a document of `bytes`, and answer for it as long as it is there; wait until
   * the second one has it.
   */
  async seed ({ bytes, updateBytes, timeoutMs }) {
    const { updates, state } = makeDocument(bytes, updateBytes)
    const [writer, watcher] = this.clients
    this.expect(updates, state, [watcher])
    writer.document = updates
    for (const update of updates) {
      writer.socket.send(writer.dialect.update(update))
      while (writer.socket.tcp.writableLength > 1 << 20 && !writer.socket.isClosed) await sleep(5)
    }
    await this.untilLevel(timeoutMs)
    this.document = null
    return { isLevel: watcher.levelAt > 0, bytes: bytesOf(updates), closes: this.closes }
  }

  /** Open every client at once; when each has the whole document of `bytes`, and how many never got it. */
  async join ({ bytes, timeoutMs }) {
    const { updates, state } = makeDocument(bytes, bytes)
    this.expect(updates, state, this.clients)
    const startedAt = performance.now()
    for (const client of this.clients) client.open()
    await this.untilLevel(timeoutMs)
    const level = this.clients.filter(client => client.levelAt)
    const waits = new Histogram()
    for (const client of level) waits.add(client.levelAt - startedAt)
    const lastAt = level.reduce((last, client) => Math.max(last, client.levelAt), startedAt)
    this.document = null
    return {
      level: level.length,
      clients: this.clients.length,
      seconds: level.length === this.clients.length ? (lastAt - startedAt) / 1000 : null,
      waits: waits.summary(),
      bytesReceived: this.bytes,
      closes: this.closes
    }
  }

  /** From now on these clients keep what they get, to see when they have the whole document. */
  expect (updates, state, receivers) {
    this.document = { bytes: bytesOf(updates), state, receivers, candidates: 0, verified: null }
    for (const client of receivers) client.payloads = []
  }

  async untilLevel (timeoutMs) {
    const deadline = performance.now() + timeoutMs
    do await sleep(20)
    while (performance.now() < deadline && !(this.document.candidates === this.document.receivers.length && this.verifyAll()))
    this.verifyAll()
    for (const client of this.document.receivers) client.payloads = null
  }

  received (client, size) {
    const wanted = this.document
    if (!client.payloads) return
    const before = client.syncBytes
    client.syncBytes += size
    if (client.syncBytes >= 0.9 * wanted.bytes) {
      if (before < 0.9 * wanted.bytes) wanted.candidates++
      client.lastPartAt = performance.now()
    }
    if (client.syncBytes > 3 * wanted.bytes) client.payloads.pop() // enough to tell
  }

  /** Whether every receiver has all clocks of the document; looked at when none of them waits any more. */
  verifyAll () {
    let areLevel = true
    for (const client of this.document.receivers) {
      if (!client.levelAt && client.lastPartAt && this.hasDocument(client)) client.levelAt = client.lastPartAt
      if (client.levelAt) client.payloads = []
      else areLevel = false
    }
    return areLevel
  }

  hasDocument (client) {
    const wanted = this.document
    const large = client.payloads.filter(payload => payload.length > 1000)
    if (large.length === 1 && wanted.verified?.equals(large[0])) return true
    const state = new Map()
    const reader = new Reader()
    const stretches = []
    for (const payload of client.payloads) {
      reader.start(payload, 0, payload.length)
      readRanges(reader, (author, start, end) => stretches.push([author, start, end]))
    }
    stretches.sort((a, b) => a[1] - b[1])
    for (const [author, start, end] of stretches) {
      const known = state.get(author) ?? 0
      if (start <= known && end > known) state.set(author, end)
    }
    for (const [author, end] of wanted.state) if ((state.get(author) ?? 0) < end) return false
    if (large.length === 1) wanted.verified = large[0]
    return true
  }

  // -- writing

  /**
   * `rate` updates a second in all, by `writers` clients in turn, for `seconds`; then wait for what is on
   * its way. `giveUpMs`: stop as soon as more is on its way than so much time is good for. `awaitOwn`: wait
   * for what comes back to its author, too.
   */
  async write ({ rate, seconds, writers, sample = null, awaitOwn = false, drainMs = 5000, giveUpMs = null }) {
    this.startCounting()
    const authors = writers ? this.clients.slice(0, writers) : this.clients
    if (sample !== null) this.clients[sample].payloads = []
    const receivers = author => author.room.size - 1
    let expected = 0
    const sent = await this.pace(rate, seconds, giveUpMs ?? Infinity, index => {
      const author = authors[index % authors.length]
      const text = Buffer.from(TEXT.slice(index % 18, index % 18 + LETTERS))
      const update = typingUpdate(FIRST_WRITER + author.number, author.clock, text)
      author.clock += LETTERS
      author.type(update)
      expected += receivers(author)
    }, () => expected - this.delivered, () => authors[0].room.size - 1)
    await this.drain(() => this.delivered >= expected && (!awaitOwn || this.ownTimes.count >= sent.count), drainMs)
    return { ...this.result(sent, expected), missing: this.missing(client => client.clock, client => client.known) }
  }

  /** Every client tells its state `rate` times a second. */
  async tell ({ rate, seconds, drainMs = 5000 }) {
    this.startCounting()
    let expected = 0
    const sent = await this.pace(rate * this.clients.length, seconds, Infinity, index => {
      const client = this.clients[index % this.clients.length]
      client.awarenessClock++
      client.tellAwareness(awarenessUpdate(client, index))
      expected += client.room.size - 1
    })
    await this.drain(() => this.delivered >= expected, drainMs)
    return {
      ...this.result(sent, expected),
      missing: this.missing(client => client.awarenessClock, client => client.knownAwareness)
    }
  }

  /** Call `send(index)` at the given rate; how often, and how late the calls came. */
  async pace (rate, seconds, giveUpMs, send, backlog = () => 0, receivers = () => 1) {
    const late = new Histogram()
    const startedAt = performance.now()
    const count = Math.round(rate * seconds)
    let done = 0
    while (done < count) {
      const now = performance.now()
      const due = Math.min(count, Math.floor((now - startedAt) * rate / 1000) + 1)
      while (done < due) {
        late.add(performance.now() - startedAt - done * 1000 / rate)
        send(done++)
      }
      if (backlog() > rate * receivers() * giveUpMs / 1000) break
      await sleep(1)
    }
    const tookMs = performance.now() - startedAt
    return { count: done, isWhole: done === count, seconds: Math.max(tookMs / 1000, done / rate), late: late.summary() }
  }

  async drain (isDone, drainMs) {
    const deadline = performance.now() + drainMs
    while (!isDone() && performance.now() < deadline && !Object.keys(this.closes).length) await sleep(2)
  }

  result (sent, expected) {
    return {
      sent: sent.count,
      isWhole: sent.isWhole,
      seconds: sent.seconds,
      late: sent.late,
      expected,
      delivered: this.delivered,
      repeated: this.repeated,
      early: this.early,
      overtaken: this.overtaken,
      frames: this.frames,
      bytes: this.bytes,
      times: this.times.summary(),
      own: this.ownTimes.summary(),
      closes: this.closes,
      malformed: this.malformed ?? null
    }
  }

  /** Pairs of a receiver and another writer of its room of which it lacks something. */
  missing (clockOf, knownBy) {
    let missing = 0
    for (const { clients } of this.rooms.values()) {
      for (const receiver of clients) {
        for (const writer of clients) {
          if (writer !== receiver && knownBy(receiver)[writer.place] < clockOf(writer)) missing++
        }
      }
    }
    return missing
  }

  /** What one client was sent, and what the document must hold by then: for a check by a real one. */
  sample ({ client }) {
    const { payloads, room } = this.clients[client]
    this.clients[client].payloads = null
    const clocks = room.clients.filter(each => each.clock && each.number !== client)
      .map(each => [FIRST_WRITER + each.number, each.clock])
    return { updates: payloads.map(payload => payload.toString('base64')), clocks }
  }

  close () {
    this.isEnding = true
    clearInterval(this.keepalive)
    for (const client of this.clients) client.socket?.close()
    return { closes: this.closes }
  }
}

function bytesOf (updates) {
  return updates.reduce((sum, update) => sum + update.length, 0)
}

function awarenessUpdate (client, index) {
  const state = {
    user: { name: `Guest ${client.number}`, color: '#30bced' },
    cursor: { anchor: index % 1000, head: index % 1000 }
  }
  const out = new Writer(160)
  out.uint(1)
  out.uint(FIRST_WRITER + client.number)
  out.uint(client.awarenessClock)
  out.varBytes(Buffer.from(JSON.stringify(state)))
  return out.take()
}
