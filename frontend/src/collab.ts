/**
 * Gatehouse's client: signing in, tokens that renew themselves, and rooms over either protocol.
 *
 * Made to be lifted out: it needs `yjs`, `y-protocols`, `lib0` and the stock provider of the protocol you use
 * (`y-websocket` 3 or `@hocuspocus/provider` 4), and nothing else of this page. The providers are loaded when the
 * first room is opened.
 *
 *     const session = new Session()
 *     await session.signIn(email, password)
 *     const doc = new Y.Doc()
 *     const room = new Room({ session, roomId, doc, awareness: new Awareness(doc), onState: show })
 *     room.open()
 */
import type * as Y from 'yjs'
import type { Awareness } from 'y-protocols/awareness'

/** There is no session, or not any more: the person has to sign in. */
export class SignedOutError extends Error {
  constructor() {
    super('You are signed out.')
  }
}

/** The server did not answer: try again later. */
export class OfflineError extends Error {
  constructor() {
    super('The server does not answer.')
  }
}

/** The server refused, and said why. */
export class RefusedError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string
  ) {
    super(detail)
  }
}

interface Claims {
  user_id: string
  exp: number
  iat: number
}

interface Access {
  token: string
  /** Milliseconds of `performance.now()`, some time before the end: the clock of the person may be wrong. */
  renewAt: number
}

function claimsOf(token: string): Claims {
  const [, body = ''] = token.split('.')
  return JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/'))) as Claims
}

/**
 * One sign-in, shared by all tabs of the browser.
 *
 * The access token is only in memory. The refresh token is in `localStorage`, so that a sign-in outlives a tab; a
 * script that is injected into the page could read it there, which the content security policy is for. It is good
 * once: who uses a stolen one ends the session.
 */
export class Session {
  readonly #listeners = new Set<(userId: string | null) => void>()
  readonly #channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('gatehouse.access')
  #access: Access | null = null
  #renewal: Promise<string> | null = null

  /**
   * @param server Where the API is, such as `https://gatehouse.example`; empty for the server of the page.
   * @param key Under which the refresh token is kept.
   */
  constructor(
    readonly server = '',
    private readonly key = 'gatehouse.refresh'
  ) {
    this.#channel?.addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (claimsOf(data).user_id === this.userId) this.#access = received(data)
    })
    addEventListener('storage', event => {
      if (event.key !== key) return
      const userOf = (token: string | null) => (token ? claimsOf(token).user_id : null)
      if (userOf(event.oldValue) === userOf(event.newValue)) return
      this.#access = null
      this.#tell()
    })
  }

  /** The id of who is signed in. */
  get userId(): string | null {
    const token = localStorage.getItem(this.key)
    return token === null ? null : claimsOf(token).user_id
  }

  /** Hear of sign-ins and sign-outs, in other tabs too; gives what ends it. */
  onChange(listener: (userId: string | null) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** @throws {RefusedError} wrong e-mail or password, or too many attempts. @throws {OfflineError} */
  async signIn(email: string, password: string): Promise<void> {
    this.#take(await post<{ access: string; refresh: string }>(this.server, 'token/', { email, password }))
    this.#tell()
  }

  /** Ends the session everywhere: its sockets close at once. Without an answer it is forgotten here. */
  async signOut(): Promise<void> {
    const refresh = localStorage.getItem(this.key)
    this.#forget()
    if (refresh !== null) await post(this.server, 'token/blacklist/', { refresh }).catch(() => {})
  }

  /**
   * A token that is good for a while yet; renewed before it ends, by one request at a time in all tabs: a refresh
   * token that comes twice is taken for stolen.
   *
   * @param refused A token that the server does not take any more, though its time is not over.
   * @throws {SignedOutError} @throws {OfflineError}
   */
  async getToken(refused?: string): Promise<string> {
    if (refused !== undefined && this.#access?.token === refused) this.#access = null
    if (this.#isGood(this.#access)) return this.#access.token
    this.#renewal ??= exclusively(this.key, () => this.#renew()).finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  #isGood(access: Access | null): access is Access {
    return access !== null && performance.now() < access.renewAt
  }

  async #renew(): Promise<string> {
    if (this.#isGood(this.#access)) return this.#access.token // another tab was first
    const refresh = localStorage.getItem(this.key)
    if (refresh === null) throw new SignedOutError()
    try {
      const tokens = await post<{ access: string; refresh: string }>(this.server, 'token/refresh/', { refresh })
      if (localStorage.getItem(this.key) === null) throw new SignedOutError() // signed out meanwhile
      this.#take(tokens)
      this.#channel?.postMessage(tokens.access)
      return tokens.access
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      if (error.status !== 401) throw new OfflineError()
      if (localStorage.getItem(this.key) !== refresh) return this.#renew() // a tab without locks was first
      this.#forget()
      throw new SignedOutError()
    }
  }

  #take(tokens: { access: string; refresh: string }): void {
    localStorage.setItem(this.key, tokens.refresh)
    this.#access = received(tokens.access)
  }

  #forget(): void {
    localStorage.removeItem(this.key)
    this.#access = null
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.userId)
  }
}

/** In milliseconds. */
function lifetimeOf(token: string): number {
  const { exp, iat } = claimsOf(token)
  return (exp - iat) * 1000
}

function received(token: string): Access {
  const lifetime = lifetimeOf(token)
  return { token, renewAt: performance.now() + lifetime - Math.min(90_000, lifetime / 3) }
}

/** One at a time in all tabs; without the Web Locks API (no HTTPS) in this one. */
function exclusively<T>(name: string, action: () => Promise<T>): Promise<T> {
  return 'locks' in navigator ? (navigator.locks.request(name, action) as Promise<T>) : action()
}

async function post<T>(server: string, path: string, body: object): Promise<T> {
  const answer = await fetch(`${server}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body)
  }).catch(() => {
    throw new OfflineError()
  })
  const content = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string }
  if (!answer.ok) throw new RefusedError(answer.status, content.code ?? 'error', content.detail ?? answer.statusText)
  return content as T
}

export type Protocol = 'y-websocket' | 'hocuspocus'

/** Why a room is over for this page. */
export type Ending = 'signed-out' | 'no-access' | 'access-lost' | 'too-big' | 'bug' | 'closed'

/** What a page shows of a room. */
export interface RoomState {
  /** `connecting` for the first time, `online` and synced, `offline` and trying again, or `ended`. */
  connection: 'connecting' | 'online' | 'offline' | 'ended'
  /** Whether the content of the room has ever arrived: before that there is nothing to show. */
  hasContent: boolean
  /** Null until the server has said. */
  canWrite: boolean | null
  /** Whether everything that was changed here is committed to the server's database. */
  saved: boolean
  /** Changes were refused because the role is a reader's: they stay here, unseen by others. */
  denied: boolean
  ending: Ending | null
}

export interface RoomOptions {
  session: Session
  roomId: string
  doc: Y.Doc
  awareness: Awareness
  protocol?: Protocol
  onState: (state: RoomState) => void
}

/** What both providers are driven with. */
interface Line {
  connect: () => void
  destroy: () => void
}

/** See `docs/websocket.md`: after these codes coming back does not help. */
const FINAL_CODES: Record<number, Ending> = { 4400: 'bug', 4403: 'no-access', 1009: 'too-big' }
const SIGN_IN_AGAIN = 4401
/** Too much, or the database is away. */
const BACK_OFF_CODES = new Set([4429, 1013])
/** Origin of what an earlier tab left behind: new to the server, like what is typed. */
const RESTORED = 'restored'
const MAX_KEPT_CHARACTERS = 2_000_000

/**
 * One room, over one of the two protocols at a time.
 *
 * What is changed here and not committed yet is also kept in `localStorage`, for the person who made it: when the tab
 * is closed or dies, the next one that opens the room brings it. The rest of the document is kept nowhere.
 */
export class Room {
  readonly #options: Required<RoomOptions>
  readonly #unsaved = new Map<string, Uint8Array>()
  readonly #kept: string
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #line: Line | null = null
  #hasRestored = false
  #generation = 0
  state: RoomState = {
    connection: 'connecting',
    hasContent: false,
    canWrite: null,
    saved: true,
    denied: false,
    ending: null
  }

  constructor(options: RoomOptions) {
    this.#options = { protocol: 'y-websocket', ...options }
    this.#kept = `gatehouse.unsaved.${options.session.userId}.${options.roomId}.`
  }

  get protocol(): Protocol {
    return this.#options.protocol
  }

  /** Connect, and come back after every failure that is not final. */
  open(): void {
    const { doc } = this.#options
    doc.on('update', this.#onUpdate)
    addEventListener('focus', this.#look)
    addEventListener('pagehide', this.#keep)
    void this.#connect()
  }

  /** Go on over the other protocol, with the same document. */
  switchTo(protocol: Protocol): void {
    const { awareness } = this.#options
    if (protocol === this.protocol || this.state.ending) return
    const mine = awareness.getLocalState()
    this.#options.protocol = protocol
    this.#hangUp()
    awareness.setLocalState(mine)
    this.#tell({ connection: 'offline' })
    void this.#connect()
  }

  close(): void {
    this.#keep()
    this.#options.doc.off('update', this.#onUpdate)
    removeEventListener('focus', this.#look)
    removeEventListener('pagehide', this.#keep)
    this.#end('closed')
  }

  async #connect(): Promise<void> {
    const generation = ++this.#generation
    const isCurrent = () => generation === this.#generation
    const open = this.protocol === 'hocuspocus' ? openHocuspocus : openWebsocket
    void load[this.protocol]().catch(() => {}) // while the token comes
    const token = await this.#token(isCurrent)
    if (token === null) return
    const line = await open(token, this.#hooks(isCurrent))
    if (isCurrent()) (this.#line = line).connect()
    else line.destroy()
  }

  #hangUp(): void {
    this.#keep()
    this.#generation++
    this.#line?.destroy()
    this.#line = null
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #end(ending: Ending): void {
    if (this.state.ending) return
    this.#hangUp()
    const lost = ending === 'no-access' && this.state.hasContent
    this.#tell({ connection: 'ended', canWrite: false, ending: lost ? 'access-lost' : ending })
  }

  #tell(news: Partial<RoomState>): void {
    const state = { ...this.state, ...news }
    const isNew = (Object.keys(news) as (keyof RoomState)[]).some(key => state[key] !== this.state[key])
    this.state = state
    if (isNew) this.#options.onState(state)
  }

  /** A token, however long it takes; null if the room ended meanwhile. */
  async #token(isCurrent: () => boolean, refused?: string): Promise<string | null> {
    while (isCurrent()) {
      try {
        const token = await this.#options.session.getToken(refused)
        return isCurrent() ? token : null
      } catch (error) {
        if (error instanceof SignedOutError) {
          if (isCurrent()) this.#end('signed-out')
          return null
        }
        this.#tell({ connection: this.state.hasContent ? 'offline' : 'connecting' })
        await new Promise(resolve => setTimeout(resolve, 2000))
      }
    }
    return null
  }

  #hooks(isCurrent: () => boolean): Hooks {
    const { session, roomId, doc, awareness } = this.#options
    const whileCurrent =
      <A extends unknown[]>(action: (...given: A) => void) =>
      (...given: A) => {
        if (isCurrent()) action(...given)
      }
    return {
      server: session.server || location.origin,
      roomId,
      doc,
      awareness,
      unsaved: this.#unsaved,
      getToken: refused => this.#token(isCurrent, refused),
      look: () => this.#look(),
      later: whileCurrent((name, ms, action) => {
        clearTimeout(this.#timers.get(name))
        this.#timers.set(name, setTimeout(action, ms))
      }),
      synced: whileCurrent(() => {
        this.#tell({ connection: 'online', hasContent: true })
        void this.#restore()
      }),
      dropped: whileCurrent(() => this.#tell({ connection: this.state.hasContent ? 'offline' : 'connecting' })),
      mayWrite: whileCurrent(canWrite => this.#mayWrite(canWrite)),
      canWrite: () => this.state.canWrite,
      saved: whileCurrent(() => this.#onSaved()),
      ended: whileCurrent(ending => this.#end(ending)),
      reconnect: whileCurrent(ms => {
        this.#hangUp()
        this.#timers.set('connect', setTimeout(() => void this.#connect(), ms))
      })
    }
  }

  #mayWrite(canWrite: boolean): void {
    this.#tell({ canWrite, denied: !canWrite && this.#unsaved.size > 0 })
    void this.#restore()
  }

  #look = async (): Promise<void> => {
    const { session, roomId } = this.#options
    const generation = this.#generation
    let token = await session.getToken().catch(() => null)
    for (let attempt = 0; token !== null && attempt < 2; attempt++) {
      const headers = { Authorization: `Bearer ${token}` }
      const answer = await fetch(`${session.server}/api/v1/rooms/${roomId}/`, { headers }).catch(() => null)
      if (generation !== this.#generation || answer === null) return
      if (answer.ok) {
        const room = (await answer.json()) as { abilities: { write: boolean } }
        if (generation === this.#generation) this.#mayWrite(room.abilities.write)
        return
      }
      if (answer.status === 404) return this.#end('no-access')
      if (answer.status !== 401) return
      token = await session.getToken(token).catch(() => null)
    }
    if (session.userId === null && generation === this.#generation) this.#end('signed-out')
  }

  #onUpdate = (update: Uint8Array, origin: unknown, _doc: Y.Doc, transaction: Y.Transaction): void => {
    if (!transaction.local && origin !== RESTORED) return
    this.#unsaved.set(keyOf(update), update)
    this.#tell({ saved: false, denied: this.state.canWrite === false })
    clearTimeout(this.#timers.get('keep'))
    this.#timers.set('keep', setTimeout(this.#keep, 300))
  }

  #onSaved(): void {
    if (this.#unsaved.size > 0) return
    this.#keep()
    this.#tell({ saved: true, denied: false })
  }

  #keep = (): void => {
    const name = this.#kept + this.#options.doc.clientID
    const updates = [...this.#unsaved.keys()]
    const size = updates.reduce((sum, update) => sum + update.length, 0)
    try {
      if (updates.length > 0 && size <= MAX_KEPT_CHARACTERS) localStorage.setItem(name, updates.join(' '))
      else localStorage.removeItem(name)
    } catch {
      // The storage is full: the page warns before an unsaved tab is closed.
    }
  }

  /** Bring what a tab left behind that was closed before it was saved. */
  async #restore(): Promise<void> {
    if (this.#hasRestored || !this.state.hasContent || !this.state.canWrite) return
    this.#hasRestored = true
    const { doc } = this.#options
    const names = Object.keys(localStorage).filter(name => name.startsWith(this.#kept))
    const left = names.filter(name => name !== this.#kept + doc.clientID)
    if (left.length === 0) return
    const { applyUpdate } = await import('yjs')
    for (const name of left) {
      const updates = (localStorage.getItem(name) ?? '').split(' ').filter(Boolean)
      for (const update of updates) applyUpdate(doc, bytesOf(update), RESTORED)
      this.#keep()
      if (doc.store.pendingStructs === null) localStorage.removeItem(name)
    }
  }
}

/** What a line needs to know, and whom it tells. */
interface Hooks {
  server: string
  roomId: string
  doc: Y.Doc
  awareness: Awareness
  unsaved: Map<string, Uint8Array>
  /** `refused`: a token that the server does not take any more. */
  getToken: (refused?: string) => Promise<string | null>
  look: () => Promise<void>
  later: (name: string, ms: number, action: () => void) => void
  synced: () => void
  dropped: () => void
  mayWrite: (canWrite: boolean) => void
  canWrite: () => boolean | null
  saved: () => void
  ended: (ending: Ending) => void
  /** Hang up, and connect anew after so many milliseconds. */
  reconnect: (ms: number) => void
}

/** What each protocol needs: fetched when it is first used. */
const load = {
  'y-websocket': () =>
    Promise.all([import('y-websocket'), import('lib0/encoding'), import('lib0/decoding'), import('y-protocols/sync')]),
  hocuspocus: () => import('@hocuspocus/provider')
}

/** Over y-websocket: a socket a room, with `echo=1`. See `docs/websocket.md`. */
async function openWebsocket(token: string, room: Hooks): Promise<Line> {
  const [{ WebsocketProvider, messageSync }, encoding, decoding, sync] = await load['y-websocket']()
  const DENIED = 2
  const provider = new WebsocketProvider(`${room.server.replace(/^http/, 'ws')}/ws`, room.roomId, room.doc, {
    connect: false,
    disableBc: true, // what comes from another tab was not seen by the server
    awareness: room.awareness,
    params: { echo: '1', token }
  })
  // As long as it is not near its end, `getToken` gives the one we have.
  const renew = async () => {
    const next = await room.getToken()
    if (next === null) return
    if (next !== provider.params.token && provider.wsconnected) provider.ws?.send(JSON.stringify({ token: next }))
    provider.params.token = next
    renewLater()
  }
  const renewLater = () => room.later('renew', Math.min(10_000, lifetimeOf(token) / 6), () => void renew())

  const sendAgain = () => {
    if (provider.synced && room.canWrite()) {
      for (const update of room.unsaved.values()) {
        provider.ws?.send(
          encoding.encode(encoder => {
            encoding.writeVarUint(encoder, messageSync)
            sync.writeUpdate(encoder, update)
          })
        )
      }
    }
    room.later('again', 5000, sendAgain)
  }

  // Said of each write that is refused, and when one becomes a reader.
  provider.messageHandlers[DENIED] = () => void room.look()
  const readSync = provider.messageHandlers[messageSync]!
  provider.messageHandlers[messageSync] = (encoder, decoder, ...rest) => {
    const copy = decoding.clone(decoder)
    const type = decoding.readVarUint(copy)
    // The server asks those who come, and those who become editors, for what they have.
    if (type === sync.messageYjsSyncStep1) void room.look().then(sendAgain)
    if (type === sync.messageYjsUpdate && room.unsaved.delete(keyOf(decoding.readVarUint8Array(copy)))) room.saved()
    readSync(encoder, decoder, ...rest)
  }
  provider.on('sync', synced => {
    if (synced) room.synced()
  })
  provider.on('connection-close', event => {
    room.dropped()
    if (event === null) return // we closed it ourselves
    const final = FINAL_CODES[event.code]
    if (final !== undefined) room.ended(final)
    else if (event.code === SIGN_IN_AGAIN) {
      // Expired, or ended from elsewhere: only the answer to a renewal tells which.
      void room.getToken(provider.params.token).then(() => room.reconnect(1000 + 1000 * Math.random()))
    }
    else if (BACK_OFF_CODES.has(event.code)) room.reconnect(10_000 + 20_000 * Math.random())
  })
  return {
    connect: () => {
      provider.connect()
      renewLater()
      room.later('again', 5000, sendAgain)
    },
    destroy: () => provider.destroy()
  }
}

/** Over Hocuspocus, where the server asks for tokens, tells the scope, and confirms each change. */
async function openHocuspocus(_token: string, room: Hooks): Promise<Line> {
  const { HocuspocusProvider, HocuspocusProviderWebsocket } = await load.hocuspocus()
  const socket = new HocuspocusProviderWebsocket({
    url: `${room.server.replace(/^http/, 'ws')}/collaboration`,
    autoConnect: false,
    maxDelay: 10_000
  })
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name: room.roomId,
    document: room.doc,
    awareness: room.awareness,
    token: async () => (await room.getToken()) ?? '',
    onAuthenticated: ({ scope }) => room.mayWrite(scope === 'read-write'),
    // It says why in words only: the API tells whether it was the token, or access.
    onAuthenticationFailed: () => void room.look(),
    onSynced: () => room.synced(),
    onUnsyncedChanges: ({ number }) => {
      if (number > 0) return
      room.unsaved.clear()
      room.saved()
    },
    onClose: ({ event }) => {
      room.dropped()
      const final = FINAL_CODES[event.code]
      if (final !== undefined) room.ended(final)
    }
  })
  return {
    connect: () => {
      provider.attach()
      void socket.connect()
    },
    destroy: () => {
      provider.destroy()
      socket.destroy()
    }
  }
}

/** An update as text: a name that no other has, and what is kept. */
function keyOf(update: Uint8Array): string {
  let text = ''
  for (let start = 0; start < update.length; start += 8192) {
    text += String.fromCharCode(...update.subarray(start, start + 8192))
  }
  return btoa(text)
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(atob(key), character => character.charCodeAt(0))
}
