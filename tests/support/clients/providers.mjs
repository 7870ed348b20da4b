// Real providers, each with a document of its own, watched from outside: y-websocket here, Hocuspocus beside it.

import * as module from 'node:module'
import * as decoding from 'lib0/decoding'
import WebSocket from 'ws'
import { readAuthMessage } from 'y-protocols/auth'
import * as v3 from 'y-websocket'
import * as v2 from 'y-websocket-2'
import * as Y from 'yjs'
import { edit, fromHex, isWaitingForMore, read, toHex, waitEqual } from './documents.mjs'
import { openHocuspocus } from './hocuspocus.mjs'
import { Journal, poke, until } from './waiting.mjs'

// Its package does not say that it is made of modules, which Node sees by itself from 20.19 on.
module.register?.('./modules.mjs', import.meta.url)
const v1 = await import('y-websocket-1')

const MESSAGE_AUTH = 2
const versions = { 1: v1, 2: v2, 3: v3 }
const providers = new Map()

const get = (name) => {
  const client = providers.get(name)
  if (!client) throw new Error(`no provider ${name}`)
  return client
}

/** A WebSocket that records its frames, and can send headers as a browser's or a server's client would. */
const recordingSocket = (client, headers) =>
  class extends WebSocket {
    constructor (url, protocols) {
      super(url, protocols, { headers })
      client.connections += 1
      this.number = client.connections
      this.on('message', (data) => this.record('in', data))
      // A provider that goes while it connects takes its listeners away first; a page would not end for that.
      this.on('error', () => {})
    }

    record (direction, data) {
      client.frames.push({ direction, connection: this.number, hex: toHex(new Uint8Array(data)) })
      poke()
    }

    get onmessage () {
      return super.onmessage
    }

    /** A page reports an error in a handler (an update that Yjs can't apply) and goes on; so does this. */
    set onmessage (handler) {
      super.onmessage = handler && ((event) => {
        try {
          handler(event)
        } catch (error) {
          client.journal.add('error', { message: error.message })
        }
      })
    }

    send (data, ...rest) {
      this.record('out', data)
      super.send(data, ...rest)
    }
  }

const watch = (client) => {
  const { provider, journal, doc } = client
  provider.on('status', ({ status }) => journal.add('status', { status }))
  provider.on('connection-close', (event) =>
    journal.add('connection-close', { code: event?.code ?? null, reason: event?.reason ?? null })
  )
  provider.on('closed', ({ code, reason }) => journal.add('closed', { code, reason }))
  provider.on('connection-error', (event) => journal.add('connection-error', { message: String(event?.message) }))
  provider.on('sync', (synced) => journal.add('sync', { synced }))
  provider.awareness.on('change', poke)
  doc.on('update', poke)
  provider.messageHandlers[MESSAGE_AUTH] = (_encoder, decoder) =>
    readAuthMessage(decoder, doc, (_doc, reason) => journal.add('denied', { reason }))
}

/** Version 1 makes its URL once, when it is made itself. */
const setParams = (provider, params) => {
  if ('params' in provider) provider.params = params
  else provider.url = `${provider.url.split('?')[0]}?${new URLSearchParams(params)}`
}

/** As behind a load balancer: whoever lost a connection finds another server. */
const moveOn = (provider, urls) => {
  let at = 0
  provider.on('connection-close', () => {
    at = (at + 1) % urls.length
    provider.serverUrl = urls[at]
  })
}

/** How far the updates that came back from the server cover what this client itself wrote. */
const echoedClock = (client) => {
  let clock = 0
  for (const { direction, hex } of client.frames) {
    if (direction !== 'in' || !/^000[12]/.test(hex)) continue
    const decoder = decoding.createDecoder(fromHex(hex).subarray(2))
    for (const struct of Y.decodeUpdate(decoding.readVarUint8Array(decoder)).structs) {
      const isOwn = struct.id.client === client.doc.clientID && struct.constructor.name !== 'Skip'
      if (isOwn && struct.id.clock <= clock) clock = Math.max(clock, struct.id.clock + struct.length)
    }
  }
  return clock
}

const isQuiet = ({ provider }) => provider.ws === null || provider.ws.readyState === WebSocket.CLOSED

export const providerCommands = {
  /** With `others`, each connection that closes is followed by one to the next of these URLs. */
  open ({
    name, url, others = [], room, version = 3, params = {}, protocols = [], headers = {}, connect = true, client: id
  }) {
    if (providers.has(name)) throw new Error(`provider ${name} is open already`)
    const doc = new Y.Doc()
    if (id !== undefined && id !== null) doc.clientID = id
    const client = { doc, journal: new Journal(), frames: [], connections: 0 }
    client.provider = new versions[version].WebsocketProvider(url, room, doc, {
      connect: false, disableBc: true, params, protocols, WebSocketPolyfill: recordingSocket(client, headers)
    })
    watch(client)
    if (others.length > 0) moveOn(client.provider, [url, ...others])
    providers.set(name, client)
    if (connect) client.provider.connect()
    return { client: doc.clientID }
  },

  /** A `HocuspocusProvider`; those with the same `socket` share one. */
  openHocuspocus ({ name, ...options }) {
    if (providers.has(name)) throw new Error(`provider ${name} is open already`)
    const client = openHocuspocus({ ...options, recordingSocket })
    providers.set(name, client)
    return { client: client.doc.clientID }
  },

  setToken ({ name, token }) {
    get(name).token = token
  },

  /** As an application does that has a newer token, or when the server asks for it. */
  sendToken: ({ name }) => get(name).provider.provider.sendToken(),
  sendStateless: ({ name, payload }) => get(name).provider.provider.sendStateless(payload),
  forceSync: ({ name }) => get(name).provider.provider.forceSync(),
  scope: ({ name }) => get(name).provider.provider.authorizedScope ?? null,
  detach: ({ name }) => get(name).provider.detach(),
  attach: ({ name }) => get(name).provider.attach(),

  async waitSaved ({ name, timeoutMs }) {
    const { provider } = get(name).provider
    await until(
      () => provider.isSynced && provider.unsyncedChanges <= 0, // version 2 counts below what was typed offline
      timeoutMs,
      () => `${provider.unsyncedChanges} changes are not saved`
    )
  },

  destroy ({ name }) {
    const client = get(name)
    client.provider.awareness.destroy()
    client.provider.destroy()
    client.doc.destroy()
    providers.delete(name)
  },

  connect: ({ name, params }) => {
    const { provider } = get(name)
    if (params) setParams(provider, params)
    provider.connect()
  },

  async disconnect ({ name, timeoutMs }) {
    const client = get(name)
    client.provider.disconnect()
    await until(() => isQuiet(client), timeoutMs, () => 'the socket is still open')
  },

  edit: ({ name, edits }) => edit(get(name).doc, edits),

  /** What a Hocuspocus provider counts as not saved before it can have heard anything from the server. */
  editUnsaved ({ name, edits }) {
    const { doc, provider } = get(name)
    edit(doc, edits)
    return provider.provider.unsyncedChanges
  },

  /** Edits of several clients before any of them hears of another's: `[[name, edits], …]`. */
  editAtOnce ({ all }) {
    for (const [name, edits] of all) edit(get(name).doc, edits)
  },

  read: ({ name, shape }) => read(get(name).doc, shape),
  state: ({ name }) => {
    const { doc, provider, connections, journal, frames } = get(name)
    return {
      update: toHex(Y.encodeStateAsUpdate(doc)),
      vector: toHex(Y.encodeStateVector(doc)),
      pending: isWaitingForMore(doc),
      synced: provider.synced,
      connected: provider.wsconnected,
      should_connect: provider.shouldConnect,
      connections,
      events: journal.events.length,
      frames: frames.length
    }
  },

  async waitSynced ({ name, timeoutMs }) {
    const { provider, journal } = get(name)
    await until(() => provider.synced, timeoutMs, () => `never synced: ${JSON.stringify(journal.events)}`)
  },

  async waitEqual ({ names, timeoutMs }) {
    await waitEqual(names.map((name) => get(name).doc), timeoutMs)
  },

  async waitContent ({ name, root, content, timeoutMs }) {
    const { doc } = get(name)
    const wanted = JSON.stringify(content)
    await until(() => JSON.stringify(read(doc)[root]) === wanted, timeoutMs, () => JSON.stringify(read(doc)))
  },

  async waitEchoed ({ name, timeoutMs }) {
    const client = get(name)
    const clock = Y.getState(client.doc.store, client.doc.clientID)
    await until(() => echoedClock(client) >= clock, timeoutMs, () => `echo at ${echoedClock(client)} of ${clock}`)
  },

  waitEvent: ({ name, ...wanted }) => get(name).journal.wait(wanted),
  events: ({ name }) => get(name).journal.events,
  frames: ({ name }) => get(name).frames,

  async waitFrame ({ name, direction = 'in', prefix = '', since = 0, timeoutMs }) {
    const { frames } = get(name)
    const fits = (frame, at) => at >= since && frame.direction === direction && frame.hex.startsWith(prefix)
    return until(() => frames.find(fits), timeoutMs, () => `no ${direction} frame ${prefix} among ${frames.length}`)
  },

  /** Hand-made bytes on the provider's own socket, past its document. */
  sendFrame: ({ name, hex }) => get(name).provider.ws.send(fromHex(hex)),

  /** As an application does that has a newer token; its frames alone are recorded. */
  sendText: ({ name, text }) => WebSocket.prototype.send.call(get(name).provider.ws, text),

  setAwareness: ({ name, state }) => get(name).provider.awareness.setLocalState(state),
  awareness: ({ name }) => Object.fromEntries(get(name).provider.awareness.getStates()),
  /** One field of a state, whatever else the server adds to it. */
  async waitAwarenessField ({ name, client, field, value, timeoutMs }) {
    const { awareness } = get(name).provider
    const seen = () => JSON.stringify(awareness.getStates().get(client)?.[field] ?? null)
    await until(() => seen() === JSON.stringify(value), timeoutMs, () => `${field} of client ${client} is ${seen()}`)
  },

  /** All of a state; its `user`, which is the server's, where that is asked for. */
  async waitAwareness ({ name, client, state, timeoutMs }) {
    const { awareness } = get(name).provider
    const wanted = JSON.stringify(state)
    const seen = () => {
      const { user, ...rest } = awareness.getStates().get(client) ?? {}
      if (!awareness.getStates().has(client)) return 'null'
      return JSON.stringify(state && 'user' in state ? { ...rest, user } : rest)
    }
    await until(() => seen() === wanted, timeoutMs, () => `client ${client} is ${seen()}`)
  }
}

export const destroyProviders = () => {
  for (const name of [...providers.keys()]) providerCommands.destroy({ name })
}
