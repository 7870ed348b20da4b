// Many real clients in one process, driven by JSON lines.
//
//   in   {"id": 1, "command": "open", …arguments}
//   out  {"id": 1, "result": …}  or  {"id": 1, "error": "…"}
//
// Commands run at once and answer when they are done, so that one may wait while others act.
// Standard output belongs to the answers: the libraries' own words go to standard error.

import { createInterface } from 'node:readline'
import { authorsOf, makeUpdate, readUpdates } from './clients/documents.mjs'
import { destroyProviders, providerCommands } from './clients/providers.mjs'
import { destroySockets, socketCommands } from './clients/sockets.mjs'
import { destroyWriters, writerCommands } from './clients/writers.mjs'

console.log = console.info = console.error

const commands = {
  ...providerCommands,
  ...socketCommands,
  ...writerCommands,
  authorsOf,
  makeUpdate,
  readUpdates,
  reset () {
    destroyProviders()
    destroySockets()
    destroyWriters()
  }
}

const answer = async (line) => {
  const { id, command, ...rest } = JSON.parse(line)
  let reply
  try {
    if (!commands[command]) throw new Error(`unknown command ${command}`)
    reply = { id, result: (await commands[command](rest)) ?? null }
  } catch (error) {
    reply = { id, error: `${command}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
lines.on('line', answer)
lines.on('close', () => process.exit(0))
