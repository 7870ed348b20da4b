// The files of docs/editors.md that every editor shares, in Node: `node recipes.mjs DIRECTORY MODULE < JSON`.
// The JSON is {server, room, member, ada: {email, password}, bob: …}; ends with 0 if all went as said.

import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import WebSocket from 'ws'

globalThis.WebSocket = WebSocket
const [, , directory, module] = process.argv
const { openRoom } = await import(`${directory}/${module}`)
const { signIn } = await import(`${directory}/session.js`)
const { server, room: roomId, member, ada, bob } = JSON.parse(await text(process.stdin))

const admin = await signIn(server, ada.email, ada.password)
const request = async (method, path, body) => {
  const token = await admin()
  const answer = await fetch(`${server}/api/v1/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body)
  })
  assert(answer.ok, `${method} ${path}: ${answer.status}`)
}

const until = async (condition, what, seconds = 15) => {
  const end = Date.now() + seconds * 1000
  while (!condition()) {
    assert(Date.now() < end, `not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const open = async ({ email, password }) => {
  const news = []
  const tokens = await signIn(server, email, password)
  const given = []
  const getToken = async () => {
    given.push(await tokens())
    return given.at(-1)
  }
  const room = openRoom({ server, roomId, getToken, onState: (state) => news.push({ ...state }) })
  room.connect()
  await until(() => room.state.connected && room.state.canWrite, 'connected')
  return { ...room, news, given, text: room.doc.getText('text') }
}

const hers = await open(ada)
const his = await open(bob)
const sees = (page, words) => until(() => page.text.toString().includes(words), `${words} in ${page.text}`)
const saved = (page) => until(() => page.state.saved, 'saved')

// What is typed is not saved at once, and is when it was committed.
his.text.insert(0, 'one ')
his.text.insert(4, 'two ')
assert.equal(his.state.saved, false)
await saved(his)
await sees(hers, 'one two ')
his.text.delete(0, 4)
assert.equal(his.state.saved, false)
await saved(his)

// The token is followed by others on the open socket, beyond its end.
const connections = (page) => page.news.filter((state, at) => state.connected && !page.news[at - 1]?.connected).length
await until(() => his.given.length >= 3 && hers.given.length >= 3, 'newer tokens', 40)
his.text.insert(0, 'three ')
await sees(hers, 'three ')
await saved(his)
assert.equal(connections(his), 1)
assert.equal(connections(hers), 1)

// A viewer does not write; an editor again, what was written meanwhile counts.
const membership = `rooms/${roomId}/members/${member}/`
const change = (role) => request('PATCH', membership, { role })
await change('viewer')
if (module.includes('hocuspocus')) await until(() => !his.state.canWrite, 'read only')
his.text.insert(0, 'meanwhile ')
await until(() => !his.state.canWrite, 'read only')
assert.equal(his.state.saved, false)
hers.text.insert(0, 'four ')
await sees(his, 'four ')
assert(!hers.text.toString().includes('meanwhile'))
await change('editor')
await sees(hers, 'meanwhile ')
await until(() => his.state.canWrite, 'an editor again')
await saved(his)

// Gone for good.
await request('DELETE', membership)
await until(() => his.state.ended, 'his end')
assert.match(his.state.ended, /access/)
assert(!his.state.canWrite && !his.state.connected)

// Signed out: nobody gets another token.
await request('POST', 'users/me/password/', { old_password: ada.password, new_password: `${ada.password}-2` })
await until(() => hers.state.ended, 'her end')
assert(!hers.state.connected)
process.exit(0)
