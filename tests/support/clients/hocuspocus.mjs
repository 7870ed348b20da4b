// Real Hocuspocus providers, v2 to v4, seen as the y-websocket ones are.

import * as v2 from 'hocuspocus-provider-2'
import * as v3 from 'hocuspocus-provider-3'
import * as v4 from 'hocuspocus-provider-4'
import * as Y from 'yjs'
import { Journal, poke } from './waiting.mjs'

const versions = { 2: v2, 3: v3, 4: v4 }
const sockets = new Map()

/** What the commands ask of a provider of y-websocket. */
class Adapter {
  constructor (provider, line) {
    this.provider = provider
    this.line = line
  }

  get synced () { return this.provider.isSynced }
  get awareness () { return this.provider.awareness }
  get wsconnected () { return this.line.socket.status === 'connected' }
  get shouldConnect () { return this.line.socket.shouldConnect }
  get ws () { return this.line.socket.webSocket }
  connect () { this.line.socket.connect() }
  disconnect () { this.line.socket.disconnect() }

  // In version 2, which attaches itself when it is made, a provider's own connection is its place on the socket.
  attach () { return this.provider.attach ? this.provider.attach() : this.provider.connect() }
  detach () { return this.provider.detach ? this.provider.detach() : this.provider.disconnect() }

  destroy () {
    this.provider.destroy()
    this.line.users -= 1
    if (this.line.users === 0) {
      this.line.socket.destroy()
      sockets.delete(this.line.name)
    }
  }
}

/** One socket with what is known of it; made when the first provider names it. */
const lineOf = (name, { url, version, headers, recordingSocket }) => {
  const known = sockets.get(name)
  if (known) return known
  const line = { name, users: 0, frames: [], connections: 0, journal: new Journal() }
  line.socket = new versions[version].HocuspocusProviderWebsocket({
    url,
    autoConnect: false,
    connect: false, // what version 2 calls it
    delay: 200,
    minDelay: 200,
    maxDelay: 2500, // between attempts, as y-websocket has it: a test waits for everyone to be back
    WebSocketPolyfill: recordingSocket(line, headers)
  })
  sockets.set(name, line)
  return line
}

const watch = ({ journal, doc }, provider) => {
  provider.on('status', ({ status }) => journal.add('status', { status }))
  provider.on('synced', () => journal.add('sync', { synced: true }))
  provider.on('authenticated', () => journal.add('authenticated', { scope: provider.authorizedScope ?? null }))
  provider.on('authenticationFailed', ({ reason }) => journal.add('denied', { reason }))
  provider.on('stateless', ({ payload }) => journal.add('stateless', { payload }))
  provider.on('unsyncedChanges', poke)
  // The document's own close comes as code 1000, that of the socket with its own.
  provider.on('close', ({ event }) => journal.add('connection-close', { code: event.code, reason: event.reason }))
  provider.awareness.on('change', poke)
  doc.on('update', poke)
}

export const openHocuspocus = ({
  url, socket, version = 4, room, token = '', sessions = false, connect = true, client: id, headers = {}, recordingSocket
}) => {
  const line = lineOf(socket, { url, version, headers, recordingSocket })
  const doc = new Y.Doc()
  if (id !== undefined && id !== null) doc.clientID = id
  const client = { doc, token, journal: new Journal(), frames: line.frames }
  Object.defineProperty(client, 'connections', { get: () => line.connections })
  const provider = new versions[version].HocuspocusProvider({
    websocketProvider: line.socket,
    name: room,
    document: doc,
    broadcast: false, // version 2 would talk to other tabs past the server
    token: async () => client.token,
    ...(sessions ? { sessionAwareness: true } : {})
  })
  client.provider = new Adapter(provider, line)
  line.users += 1
  watch(client, provider)
  if (version > 2) provider.attach()
  if (connect && line.socket.status === 'disconnected') line.socket.connect() // again, it would begin anew
  return client
}
