// Writers: real providers that type at random, wander from server to server, and keep account of what
// was acknowledged to them. For tests that break the servers under them.
//
// An update is acknowledged when all of it has come back as an update (not in a sync step 2, which may
// hold what is not saved yet). What a writer was promised stays on the books after it has died.

import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as decoding from 'lib0/decoding'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { edit, fromHex, isWaitingForMore, read, toHex } from './documents.mjs'
import { awaitedBy, bring, covers, heldBy, waitingIn } from './holdings.mjs'
import { poke, until } from './waiting.mjs'

const MESSAGE_SYNC = 0
const SYNC_UPDATE = 2
const MESSAGE_AUTH = 2
const MAX_BACKOFF_MS = 500
/** To compare all documents takes a while: looked at after every frame, nobody would get to read the frames. */
const LOOK_AGAIN_MS = 500

let writers = []
let random = Math.random

/** Mulberry32: the same seed, the same numbers. */
const seeded = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

const below = (limit) => Math.floor(random() * limit)
const pick = (items) => items[below(items.length)]
const chance = (share) => random() < share

const WORDS = ['gate', 'house ', '協作', 'שלום', '👩‍👩‍👧‍👦', 'x', '\n', 'a longer run of words ']

/** The place, or the one before it if that is inside a surrogate pair: Yjs itself shows a pair that was cut in more
 * than one way. */
const beside = (text, place) => /[\udc00-\udfff]/.test(text.toString()[place] ?? '') ? place - 1 : place

/** One edit that fits the document as it is; inserts and deletions keep it small. */
const randomEdit = (doc) => {
  const [text, array, xml] = [doc.getText('text'), doc.getArray('array'), doc.getXmlFragment('xml')]
  const key = `key ${below(12)}`
  const edits = [
    () => ['text.insert', beside(text, below(text.length + 1)), pick(WORDS)],
    () => ['text.insert', text.length, pick(WORDS)],
    () => ['map.set', key, pick([below(1000), { $map: { nested: pick(WORDS) } }, { $text: pick(WORDS) }])],
    () => ['array.insert', below(array.length + 1), [pick([below(1000), { $array: [pick(WORDS)] }])]],
    () => ['xml.insert', [], below(xml.length + 1), [{ tag: 'p', attributes: { n: String(below(9)) }, children: [pick(WORDS)] }]]
  ]
  if (text.length > 8) {
    const [start, longest] = [beside(text, below(text.length - 4)), text.length > 500 ? 60 : 4]
    const lengthUpTo = (length) => beside(text, Math.min(start + length, text.length)) - start
    edits.push(() => ['text.format', start, lengthUpTo(3), { bold: chance(0.5) || null }])
    edits.push(() => ['text.delete', start, lengthUpTo(2 + below(longest))])
  }
  if (doc.getMap('map').has(key)) edits.push(() => ['map.delete', key])
  if (array.length > 20) edits.push(() => ['array.delete', below(array.length - 3), 3])
  if (xml.length > 0) edits.push(() => ['xml.attribute', [below(xml.length)], 'n', String(below(99))])
  if (xml.length > 20) edits.push(() => ['xml.delete', [], below(xml.length - 3), 3])
  return pick(edits)()
}

class Writer {
  constructor (options) {
    const { name, urls, first, room, params, meanMs } = options
    Object.assign(this, { options, name, urls, at: first, room, meanMs })
    this.isAlive = true
    this.isDoomed = false
    this.stoppedBy = null
    this.closes = {}
    this.written = []
    this.outstanding = []
    this.doc = new Y.Doc()
    const writer = this
    process.setMaxListeners(0) // each provider adds one
    this.provider = new WebsocketProvider(urls[first], room, this.doc, {
      disableBc: true,
      params,
      maxBackoffTime: MAX_BACKOFF_MS,
      WebSocketPolyfill: class extends WebSocket {
        constructor (...rest) {
          super(...rest)
          this.on('message', (data) => writer.heard(new Uint8Array(data)))
        }
      }
    })
    this.provider.messageHandlers[MESSAGE_AUTH] = () => {} // its own handler prints the URL
    this.provider.on('connection-close', (event) => this.closed(event))
    this.provider.on('closed', ({ code }) => { this.stoppedBy = code })
    this.provider.on('sync', poke)
    this.doc.on('update', (update, origin) => {
      if (origin !== this.provider) this.wrote(update)
      poke()
    })
    this.writeLater()
  }

  get url () {
    return this.urls[this.at]
  }

  writeLater () {
    if (this.meanMs === 0) return
    this.timer = setTimeout(() => {
      this.doc.transact(() => {
        for (let count = chance(0.1) ? 3 : 1; count > 0; count -= 1) edit(this.doc, [randomEdit(this.doc)])
      })
      this.writeLater()
    }, this.meanMs * 2 * random())
  }

  stop () {
    clearTimeout(this.timer)
    this.meanMs = 0
  }

  wrote (update) {
    const record = { hex: toHex(update), at: performance.now(), missing: bring(update), tookMs: null }
    this.written.push(record)
    this.outstanding.push(record)
  }

  /** The server's frames, beside the provider that handles them. */
  heard (frame) {
    if (this.outstanding.length === 0 || frame[0] !== MESSAGE_SYNC || frame[1] !== SYNC_UPDATE) return
    const { structs, deletes } = bring(decoding.readVarUint8Array(decoding.createDecoder(frame.subarray(2))))
    const now = performance.now()
    this.outstanding = this.outstanding.filter((record) => {
      const { missing } = record
      missing.structs = missing.structs.filter((range) => !covers(structs, range))
      missing.deletes = missing.deletes.filter((range) => !covers(deletes, range))
      if (missing.structs.length + missing.deletes.length > 0) return true
      record.tookMs = now - record.at
      return false
    })
    poke()
  }

  closed (event) {
    if (!this.isAlive) return
    const code = event?.code ?? 'local'
    this.closes[code] = (this.closes[code] ?? 0) + 1
    if (this.isDoomed) {
      this.die()
      writers.push(this.successor())
    } else {
      this.moveOn()
    }
    poke()
  }

  /** The next connection goes to another server. */
  moveOn () {
    this.at = (this.at + 1) % this.urls.length
    this.provider.serverUrl = this.url
  }

  /** Gone for good, with whatever nobody else has: only the store can keep what it was promised. */
  die () {
    this.isAlive = false
    this.stop()
    this.provider.awareness.destroy()
    this.provider.destroy()
    this.doc.destroy()
  }

  /** Someone who comes anew, on another server, with an empty document. */
  successor () {
    const { options, at, urls, name } = this
    return new Writer({ ...options, name: `${name}'`, first: (at + 1) % urls.length })
  }

  /** The same to see, made of the same, and waiting with the same. */
  isLevelWith (other) {
    const [own, others] = [this.doc, other.doc]
    return isWaitingForMore(own) === isWaitingForMore(others) &&
      Y.equalSnapshots(Y.snapshot(own), Y.snapshot(others)) &&
      isDeepStrictEqual(waitingIn(own), waitingIn(others)) &&
      isDeepStrictEqual(read(own), read(others))
  }

  get promised () {
    return this.written.filter(({ tookMs }) => tookMs !== null)
  }
}

const living = () => writers.filter(({ isAlive }) => isAlive)

const byRoom = (all) => {
  const rooms = new Map()
  for (const writer of all) rooms.set(writer.room, [...(rooms.get(writer.room) ?? []), writer])
  return rooms
}

const roomsApart = () =>
  [...byRoom(living())]
    .filter(([, group]) =>
      !group.every(({ provider }) => provider.synced) || !group.every((writer) => writer.isLevelWith(group[0])))
    .map(([room]) => room)

/** How a writer differs from all of its room together. */
const describe = (writer, known) => {
  const { doc, provider, name, url } = writer
  const lacks = [...known].filter(([client, clock]) => Y.getState(doc.store, client) < clock)
  return {
    name,
    url,
    connected: provider.wsconnected,
    synced: provider.synced,
    waiting: waitingIn(doc),
    lacks: Object.fromEntries(lacks.map(([client, clock]) => [client, `${Y.getState(doc.store, client)} of ${clock}`])),
    outstanding: writer.outstanding.length,
    client: doc.clientID
  }
}

const describeRoom = (room) => {
  const group = living().filter((writer) => writer.room === room)
  const known = new Map()
  for (const { doc } of group) {
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
      known.set(client, Math.max(clock, known.get(client) ?? 0))
    }
  }
  return group.map((writer) => JSON.stringify(describe(writer, known)))
}

/** Promised updates of all writers of a room, the dead ones too, that this document does not have. */
const promisedAndUnknown = (room, doc) => {
  const held = heldBy(doc)
  const isHeld = ({ structs, deletes }) =>
    structs.every((range) => covers(held.structs, range)) && deletes.every((range) => covers(held.deletes, range))
  return writers.filter((writer) => writer.room === room)
    .flatMap((writer) => writer.promised.filter(({ hex }) => !isHeld(bring(fromHex(hex)))).map(({ hex }) => hex))
}

/** Why a document may not wait for these clocks; nothing where a writer died before they were promised to it. */
const cannotWaitFor = ({ client, clock, len }) => {
  const author = writers.find(({ doc }) => doc.clientID === client)
  if (!author) return `client ${client} is nobody`
  if (author.isAlive) return `${author.name} lives`
  const isPromised = author.promised.some(({ hex }) => bring(fromHex(hex)).structs
    .some((range) => range.client === client && range.clock < clock + len && clock < range.clock + range.len))
  return isPromised ? `they were promised to ${author.name}` : null
}

export const writerCommands = {
  /** `writers`: `[{name, urls, first, room, params, meanMs}]`; `meanMs` 0 only reads. */
  writersStart ({ writers: wanted, seed }) {
    if (seed !== undefined) random = seeded(seed)
    writers.push(...wanted.map((options) => new Writer(options)))
  },

  /**
   * Of a share of the rooms, all who are on this server will die with it, so that nobody is left who
   * could bring back what only this server knew. Others come in their place.
   */
  writersDoom ({ url, share }) {
    const there = living().filter((writer) => writer.url === url && writer.provider.wsconnected)
    const doomed = [...byRoom(there).values()].filter(() => chance(share)).flat()
    for (const writer of doomed) writer.isDoomed = true
    return doomed.length
  },

  /** Some lose their line, half of them without a word, and come back on another server. */
  writersDrop ({ count }) {
    const connected = living().filter(({ provider }) => provider.wsconnected)
    for (let dropped = 0; dropped < count && connected.length > 0; dropped += 1) {
      const [{ provider }] = connected.splice(below(connected.length), 1)
      if (chance(0.5)) provider.ws.terminate()
      else provider.ws.close()
    }
  },

  writersStatus () {
    const written = writers.reduce((sum, writer) => sum + writer.written.length, 0)
    const outstanding = writers.reduce((sum, writer) => sum + writer.outstanding.length, 0)
    return {
      written,
      acknowledged: written - outstanding,
      writers: writers.length,
      living: living().length,
      connected: living().filter(({ provider }) => provider.wsconnected).length
    }
  },

  /** Until so many updates were acknowledged, of all writers together. */
  async writersWaitAcknowledged ({ count, timeoutMs }) {
    const acknowledged = () => writerCommands.writersStatus().acknowledged
    await until(() => acknowledged() >= count, timeoutMs, () => `${acknowledged()} of ${count} are acknowledged`)
  },

  writersStop () {
    for (const writer of writers) writer.stop()
  },

  /** Until all that live are synced and those of each room are equal; `{room: [how its clients are]}` of the others. */
  async writersWaitLevel ({ timeoutMs }) {
    const deadline = performance.now() + timeoutMs
    let apart = roomsApart()
    while (apart.length > 0 && performance.now() < deadline) {
      await sleep(LOOK_AGAIN_MS)
      apart = roomsApart()
    }
    return Object.fromEntries(apart.map((room) => [room, describeRoom(room)]))
  },

  /**
   * What the last to come knows of each room, once all are level: its state `vector` (hex), whether it
   * `isWaiting` for what a dead writer kept, the updates it lacks although they were promised (`unknown`, hex),
   * and why it should not wait (`wrongs`).
   */
  writersFindings () {
    return Object.fromEntries([...byRoom(living())].map(([room, group]) => {
      const { doc } = group.at(-1)
      const wrongs = awaitedBy(doc).flatMap((range) => {
        const why = cannotWaitFor(range)
        return why ? [`it waits for ${JSON.stringify(range)}, but ${why}`] : []
      })
      const vector = toHex(Y.encodeStateVector(doc))
      return [room, { vector, isWaiting: isWaitingForMore(doc), unknown: promisedAndUnknown(room, doc), wrongs }]
    }))
  },

  /** Acknowledged updates (hex) by room, times in ms, why providers were closed and which gave up. */
  writersResult () {
    const result = { acknowledged: {}, tookMs: [], unacknowledged: {}, closes: {}, gaveUp: {} }
    for (const writer of writers) {
      const [promised, open] = [(result.acknowledged[writer.room] ??= []), (result.unacknowledged[writer.room] ??= [])]
      for (const { hex, tookMs } of writer.written) {
        (tookMs === null ? open : promised).push(hex)
        if (tookMs !== null) result.tookMs.push(tookMs)
      }
      for (const [code, count] of Object.entries(writer.closes)) result.closes[code] = (result.closes[code] ?? 0) + count
      if (writer.stoppedBy !== null) result.gaveUp[writer.name] = writer.stoppedBy
    }
    return result
  }
}

export const destroyWriters = () => {
  for (const writer of living()) writer.die()
  writers = []
}
