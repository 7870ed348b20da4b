// The load: takes commands as lines of JSON, `{id, command, crowd, …}`, and answers each with a line.

import readline from 'node:readline'
import { Crowd } from './crowd.mjs'
import { sendRequests } from './requests.mjs'

const crowds = new Map()

const commands = {
  crowd: ({ crowd, ...options }) => { crowds.set(crowd, new Crowd(options)); return null },
  open: options => get(options).open(options),
  seed: options => get(options).seed(options),
  join: options => get(options).join(options),
  write: options => get(options).write(options),
  tell: options => get(options).tell(options),
  sample: options => get(options).sample(options),
  closes: options => get(options).closes,
  close: options => {
    const result = get(options).close()
    crowds.delete(options.crowd)
    return result
  },
  requests: options => sendRequests(options)
}

function get ({ crowd }) {
  if (!crowds.has(crowd)) throw new Error(`there is no crowd ${crowd}`)
  return crowds.get(crowd)
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, command, ...options } = JSON.parse(line)
  let answer
  try {
    answer = { id, result: await commands[command](options) }
  } catch (error) {
    answer = { id, error: String(error.stack ?? error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit()
