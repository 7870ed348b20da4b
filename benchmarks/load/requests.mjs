// HTTP requests, some at a time over kept connections, and how long each took.

import http from 'node:http'
import { Histogram } from './histogram.mjs'

/** Send every `{method, path, token, body}`; `statuses` counts the answers. */
export async function sendRequests ({ port, requests, inFlight }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight })
  const times = new Histogram()
  const statuses = {}
  let next = 0
  const startedAt = performance.now()
  const work = async () => {
    while (next < requests.length) {
      const sentAt = performance.now()
      const status = await sendRequest(agent, port, requests[next++])
      times.add(performance.now() - sentAt)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  agent.destroy()
  return { seconds: (performance.now() - startedAt) / 1000, times: times.summary(), statuses }
}

function sendRequest (agent, port, { method, path, token, body }) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
    const content = body === undefined ? null : Buffer.from(JSON.stringify(body))
    if (content) Object.assign(headers, { 'content-type': 'application/json', 'content-length': content.length })
    const request = http.request({ agent, host: '127.0.0.1', port, method, path, headers }, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    request.on('error', reject)
    request.end(content)
  })
}
