// One editor of docs/editors.md, in two pages of Chromium that share nothing but the server: Ada's with
// y-websocket, Bob's with Hocuspocus. Reads one JSON object, prints what happened step by step, ends with 0.
//
//   {editor, sources: {"gatehouse.js": "…", …}, port, chromium, server, room, member, access,
//    ada: {email, password, name, color}, bob: {…}}

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import WebSocket from 'ws'

const WAIT_MS = 15_000
const HTML = `<!doctype html><meta charset="utf-8"><title>page</title><link rel="stylesheet" href="/NAME.css">
<p id="status"></p><div id="editor" style="width: 600px; height: 300px"></div><script src="/NAME.js"></script>`
const START = `
import { openPage } from './page.js'
import { signIn } from './session.js'
window.start = async ({ server, room, person, isNew }) => {
  const getToken = await signIn(server, person.email, person.password)
  window.room = openPage({
    element: document.querySelector('#editor'), status: document.querySelector('#status'),
    server, roomId: room, getToken, user: { name: person.name, color: person.color }, isNew
  })
}`

const say = (line) => process.stdout.write(line + '\n')

/** The two pages as bundles: `{"/ada.js": contents, …}`. */
const bundlePages = async (directory, { editor, sources }) => {
  const files = {}
  for (const [name, module] of [['ada', './gatehouse.js'], ['bob', './gatehouse-hocuspocus.js']]) {
    const page = {
      ...sources,
      'editor.js': sources[`${editor}.js`],
      'page.js': sources['page.js'].replace("from './gatehouse.js'", `from '${module}'`),
      'start.js': START
    }
    for (const [file, content] of Object.entries(page)) await writeFile(join(directory, file), content)
    const { outputFiles } = await build({
      entryPoints: { [name]: join(directory, 'start.js') },
      outdir: directory,
      bundle: true,
      write: false,
      format: 'iife',
      logLevel: 'error',
      loader: { '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl', '.svg': 'dataurl' },
      define: { 'process.env.NODE_ENV': '"production"' },
      nodePaths: [join(dirname(fileURLToPath(import.meta.url)), 'node_modules')]
    })
    files[`/${name}`] = HTML.replaceAll('NAME', name)
    files[`/${name}.css`] = ''
    for (const file of outputFiles) files[file.path.slice(directory.length)] = file.text
  }
  return files
}

const serve = (files, port) => new Promise((resolve) => {
  const types = { js: 'text/javascript', css: 'text/css' }
  const server = createServer(({ url }, response) => {
    if (files[url] === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'Content-Type': `${types[url.split('.')[1]] ?? 'text/html'}; charset=utf-8` })
    response.end(files[url])
  })
  server.listen(port, '127.0.0.1', () => resolve(server))
})

/** Chromium over its debugging protocol. */
class Browser {
  #next = 1
  #waiting = new Map()

  static async start (path, directory) {
    const browser = new Browser()
    browser.process = spawn(path, [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-port=0',
      `--user-data-dir=${directory}/profile`, 'about:blank'
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    const url = await new Promise((resolve, reject) => {
      browser.process.stderr.on('data', (data) => {
        said += data
        const found = /ws:\/\/\S+/.exec(said)
        if (found) resolve(found[0])
      })
      browser.process.on('exit', () => reject(new Error(`Chromium ended: ${said}`)))
    })
    browser.socket = new WebSocket(url)
    await new Promise((resolve, reject) => browser.socket.on('open', resolve).on('error', reject))
    browser.socket.on('message', (data) => browser.#answer(JSON.parse(data)))
    return browser
  }

  #answer ({ id, result, error, method, params }) {
    if (id) {
      const { resolve, reject } = this.#waiting.get(id)
      this.#waiting.delete(id)
      return error ? reject(new Error(error.message)) : resolve(result)
    }
    if (method === 'Runtime.exceptionThrown') say(`exception: ${params.exceptionDetails.exception?.description}`)
    if (method === 'Runtime.consoleAPICalled') say(`${params.type}: ${params.args.map((arg) => arg.value ?? arg.description).join(' ')}`)
  }

  call (method, params = {}, sessionId) {
    const id = this.#next++
    this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  /** A page with storage and channels of its own. */
  async open (url) {
    const { browserContextId } = await this.call('Target.createBrowserContext')
    const { targetId } = await this.call('Target.createTarget', { url, browserContextId })
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true })
    const page = new Page((method, params) => this.call(method, params, sessionId))
    await page.call('Runtime.enable')
    await page.call('Emulation.setFocusEmulationEnabled', { enabled: true })
    await page.until('typeof window.start === "function"')
    return page
  }

  /** Ended in order: children that outlive it would write into its profile again. */
  async stop () {
    const ended = new Promise((resolve) => this.process.once('exit', resolve))
    await this.call('Browser.close')
    await ended
  }
}

class Page {
  constructor (call) {
    this.call = call
  }

  async evaluate (expression) {
    const { result, exceptionDetails } =
      await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  async until (expression, waitMs = WAIT_MS) {
    const end = Date.now() + waitMs
    while (!(await this.evaluate(expression))) {
      if (Date.now() > end) {
        const seen = await this.evaluate('document.body.innerText')
        throw new Error(`not in time: ${expression}\nthe page shows: ${seen}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  status (wanted) {
    return this.until(`document.querySelector('#status').textContent.startsWith(${JSON.stringify(wanted)})`)
  }

  shows (word) {
    return this.until(`document.querySelector('#editor').innerText.includes(${JSON.stringify(word)})`)
  }

  /** Click into the editor, go to the end, and type. */
  async type (word, { isEditable = true } = {}) {
    const [x, y] = await this.evaluate(`(() => {
      const place = (document.querySelector('#editor [contenteditable]:not(.ql-clipboard)') ?? document.querySelector('#editor')).getBoundingClientRect()
      return [place.left + 90, place.top + 12]
    })()`)
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.call('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
    }
    if (isEditable) await this.until('document.querySelector("#editor").contains(document.activeElement)')
    for (const type of ['keyDown', 'keyUp']) {
      await this.call('Input.dispatchKeyEvent', { type, key: 'End', code: 'End', windowsVirtualKeyCode: 35 })
    }
    await this.call('Input.insertText', { text: word })
  }
}

const run = async (wanted, directory) => {
  const files = await bundlePages(directory, wanted)
  say('bundled')
  const pages = await serve(files, wanted.port)
  const browser = await Browser.start(wanted.chromium, directory)
  try {
    const [ada, bob] = await Promise.all(['ada', 'bob'].map((name) => browser.open(`http://127.0.0.1:${wanted.port}/${name}`)))
    const start = (page, person, isNew) => page.evaluate(
      `start(${JSON.stringify({ server: wanted.server, room: wanted.room, person, isNew })})`
    )
    await start(ada, wanted.ada, true)
    await ada.status('saved')
    await start(bob, wanted.bob, false)
    await bob.status('saved')
    say('connected')

    await ada.type('written-by-ada')
    await bob.shows('written-by-ada')
    await bob.type('written-by-bob')
    await ada.shows('written-by-bob')
    await Promise.all([ada, bob].map((page) => page.status('saved')))
    say('both see both')

    const change = async (method, body) => {
      const answer = await fetch(`${wanted.server}/api/v1/rooms/${wanted.room}/members/${wanted.member}/`, {
        method, headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${wanted.access}` }, body: body && JSON.stringify(body)
      })
      if (!answer.ok) throw new Error(`${method}: ${answer.status} ${await answer.text()}`)
    }
    await change('PATCH', { role: 'viewer' })
    await bob.status('read only')
    await bob.type('nobody-reads-this', { isEditable: false })
    await ada.type('still-by-ada')
    await bob.shows('still-by-ada')
    for (const page of [ada, bob]) {
      if (await page.evaluate('document.body.innerText.includes("nobody-reads-this")')) throw new Error('a viewer wrote')
    }
    say('read only')

    await change('PATCH', { role: 'editor' })
    await bob.status('saved')
    await bob.type('back-by-bob')
    await ada.shows('back-by-bob')
    await change('DELETE')
    await bob.until('window.room.state.ended !== null')
    say(`ended: ${await bob.evaluate('window.room.state.ended')}`)
  } finally {
    await browser.stop()
    pages.close()
  }
}

const directory = await mkdtemp(join(tmpdir(), 'gatehouse-editors-'))
let status = 0
try {
  await run(JSON.parse(await text(process.stdin)), directory)
} catch (error) {
  say(`failed: ${error.stack}`)
  status = 1
} finally {
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
}
process.exit(status)
