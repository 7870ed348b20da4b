// Plain WebSocket clients for hand-made frames: what a hostile or a broken client would send.

import WebSocket from 'ws'
import { fromHex, toHex } from './documents.mjs'
import { Journal } from './waiting.mjs'

const sockets = new Map()

const get = (name) => {
  const socket = sockets.get(name)
  if (!socket) throw new Error(`no raw socket ${name}`)
  return socket
}

const watch = (socket, journal) => {
  socket.on('message', (data, isBinary) =>
    journal.add('frame', isBinary ? { hex: toHex(data) } : { text: data.toString() })
  )
  socket.on('close', (code, reason) => journal.add('close', { code, reason: reason.toString() }))
  // After the opening an error is always followed by 'close'; without a listener it would end the process.
  socket.on('error', (error) => journal.add('error', { message: error.message }))
}

export const socketCommands = {
  /** Resolves once the upgrade is answered: `{status: 101, protocol}` or `{status, body}` of the refusal. */
  rawOpen: ({ name, url, protocols = [], headers = {}, timeoutMs }) =>
    new Promise((resolve, reject) => {
      if (sockets.has(name)) throw new Error(`raw socket ${name} is open already`)
      const journal = new Journal()
      const socket = new WebSocket(url, protocols, { headers, handshakeTimeout: timeoutMs, perMessageDeflate: false })
      sockets.set(name, { socket, journal })
      watch(socket, journal)
      socket.once('open', () => resolve({ status: 101, protocol: socket.protocol }))
      socket.once('error', reject)
      socket.once('unexpected-response', (_request, response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }))
      })
    }),

  rawSend: ({ name, hex, text }) => get(name).socket.send(text ?? fromHex(hex)),

  rawWaitFrame ({ name, prefix = '', since, timeoutMs }) {
    const fits = ({ type, hex }) => type === 'frame' && hex?.startsWith(prefix)
    return get(name).journal.waitFor({ fits, since, timeoutMs, what: `frame ${prefix}` })
  },

  rawWaitClose: ({ name, timeoutMs }) => get(name).journal.wait({ type: 'close', timeoutMs }),
  rawEvents: ({ name }) => get(name).journal.events,
  rawClose: ({ name, code = 1000 }) => get(name).socket.close(code),
  rawTerminate: ({ name }) => get(name).socket.terminate()
}

export const destroySockets = () => {
  for (const { socket } of sockets.values()) socket.terminate()
  sockets.clear()
}
