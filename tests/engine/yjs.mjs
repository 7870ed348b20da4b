// Random Yjs sessions and what documents hold after updates: one JSON request on standard input, one
// answer on standard output. Bytes are hex.
//
//   {"generate": {"seed": 1, "sessions": 40, "edits": 40, "isPlain": false}}
//     -> [{updates: [{author, update}], extras: [update], vectors: [vector], right: reading}, …]
//        `updates` in an order in which each comes after what it builds on; `extras` overlap them.
//   {"offline": [{seed, known: [update, …]}, …]}
//     -> [{vector, update}, …]    what someone with that state vector then writes, unheard
//   {"read": [[update, …], …]}
//     -> [reading, …]    of a new document to which the updates were applied in that order
//
// A reading is {content, snapshot, pending}: what the document shows, what it consists of, and whether
// it waits for something that is missing.

import * as Y from 'yjs'

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'))

const randomFrom = (seed) => {
  let state = seed >>> 0
  const next = () => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n) => Math.floor(next() * n)
  return { below, one: (list) => list[below(list.length)], chance: (p) => next() < p }
}

const words = ['a', 'hello ', 'é', 'ünïcödé', '漢字', '😀', 'x😀y', '👩‍👩‍👧', '\n', '"\\[{', 'z'.repeat(80)]

/** What a library that encodes a document again would change; left out of `plain` sessions. */
const isLossy = (item) => typeof item === 'bigint' || Object.is(item, -0) || item instanceof Y.Doc ||
  item instanceof Y.XmlHook || (item?.constructor === Object && Object.values(item).some(isLossy))

const plainly = (make) => (random, isPlain) => {
  let made
  do made = make(random); while (isPlain && isLossy(made))
  return made
}

const value = plainly((random) => random.one([
  () => random.below(1000),
  () => -random.below(2 ** 31),
  () => random.below(2 ** 30) * 2 ** 20,
  () => 0.5,
  () => 1 / 3,
  () => -0,
  () => true,
  () => null,
  () => ({ u: undefined }),
  () => random.one(words),
  () => ({ n: 12345678901234567890n }),
  () => new Uint8Array([1, 2, random.below(256)]),
  () => ({ k: random.one(words), l: [1, [2, { m: null }]] })
])())

const sharedType = plainly((random) => random.one([
  () => new Y.Map([['k', random.below(9)]]),
  () => Y.Array.from([1, random.one(words)]),
  () => new Y.Text(random.one(words)),
  () => new Y.Doc({ guid: `sub-${random.below(1000)}`, meta: { n: random.below(9) } })
])())

const xmlNode = plainly((random) => random.one([
  () => new Y.XmlText(random.one(words)),
  () => new Y.XmlElement('p'),
  () => new Y.XmlHook('hook')
])())

const place = (random, length) => random.below(length + 1)

const nested = (random, doc) => random.one([...doc.getMap('map').values(), ...doc.getArray('array').toArray()])

/** The place, or the one behind it if it is inside a surrogate pair: formatting what is formatted already
 * cuts a pair in two without leaving a trace, and then documents differ in Yjs itself. */
const beside = (text, place) => {
  const units = text.toDelta().flatMap(({ insert }) => typeof insert === 'string' ? insert.split('') : [' '])
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(units.slice(place - 1, place + 1).join('')) ? place + 1 : place
}

const edits = [
  (random, doc) => { const t = doc.getText('text'); t.insert(place(random, t.length), random.one(words)) },
  (random, doc) => { const t = doc.getText('text'); t.insert(place(random, t.length), random.one(words)) },
  (random, doc) => { const t = doc.getText('text'); t.insert(place(random, t.length), 'b', { bold: true, link: { href: 'x' } }) },
  (random, doc) => { const t = doc.getText('text'); t.insertEmbed(place(random, t.length), { image: random.one(words) }) },
  (random, doc) => {
    const t = doc.getText('text')
    const start = beside(t, random.below(t.length || 1))
    const end = beside(t, Math.min(start + random.below(9), t.length))
    if (end > start) t.format(start, end - start, { em: random.one([true, null, 'x']) })
  },
  (random, doc) => { const t = doc.getText('text'); const i = random.below(t.length || 1); t.delete(i, Math.min(random.below(12), t.length - i)) },
  (random, doc, isPlain) => doc.getMap('map').set(random.one(['a', 'b', 'c', '']), value(random, isPlain)),
  (random, doc, isPlain) => doc.getMap('map').set(random.one(['a', 'b', 'c']), sharedType(random, isPlain)),
  (random, doc, isPlain) => { if (!isPlain) doc.getMap('map').set('big', BigInt(random.below(2 ** 40)) << 20n) },
  (random, doc) => doc.getMap('map').delete(random.one(['a', 'b', 'c'])),
  (random, doc, isPlain) => { const a = doc.getArray('array'); a.insert(place(random, a.length), [0, 0, 0].map(() => value(random, isPlain))) },
  (random, doc, isPlain) => { const a = doc.getArray('array'); a.insert(place(random, a.length), [sharedType(random, isPlain)]) },
  (random, doc) => { const a = doc.getArray('array'); const i = random.below(a.length || 1); a.delete(i, Math.min(random.below(4), a.length - i)) },
  (random, doc, isPlain) => { const x = doc.getXmlFragment('xml'); x.insert(place(random, x.length), [xmlNode(random, isPlain)]) },
  (random, doc) => { const x = doc.getXmlFragment('xml'); const i = random.below(x.length || 1); x.delete(i, Math.min(1, x.length - i)) },
  (random, doc) => {
    const child = random.one([...doc.getXmlFragment('xml').toArray(), undefined])
    if (child instanceof Y.XmlElement) {
      child.setAttribute(random.one(['id', 'class']), random.one(words))
      child.insert(0, [new Y.XmlText(random.one(words))])
    } else if (child instanceof Y.XmlText) child.insert(place(random, child.length), random.one(words))
  },
  (random, doc, isPlain) => {
    const type = nested(random, doc)
    if (type instanceof Y.Map) type.set(random.one(['k', 'l']), (random.chance(0.3) ? sharedType : value)(random, isPlain))
    else if (type instanceof Y.Array) type.insert(place(random, type.length), [value(random, isPlain)])
    else if (type instanceof Y.Text) type.insert(place(random, type.length), random.one(words))
  }
]

const show = (item) => {
  if (typeof item === 'bigint') return { $bigint: item.toString() }
  if (item === undefined) return { $undefined: true }
  if (Object.is(item, -0)) return { $minus: 0 }
  if (item instanceof Uint8Array) return { $bytes: hex(item) }
  if (item instanceof Y.Doc) return { $doc: item.guid, meta: show(item.meta) }
  if (item instanceof Y.Text) return { $delta: item.toDelta().map(show) }
  if (item instanceof Y.Map) return { $map: Object.fromEntries([...item.entries()].sort().map(([k, v]) => [k, show(v)])) }
  if (item instanceof Y.XmlFragment) return item.toString()
  if (item instanceof Y.Array) return item.toArray().map(show)
  if (Array.isArray(item)) return item.map(show)
  if (item !== null && typeof item === 'object') return Object.fromEntries(Object.keys(item).map((k) => [k, show(item[k])]))
  return item
}

const read = (doc) => ({
  content: JSON.stringify([doc.getText('text'), doc.getMap('map'), doc.getArray('array'), doc.getXmlFragment('xml')].map(show)),
  snapshot: hex(Y.encodeSnapshot(Y.snapshot(doc))),
  pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null
})

const session = (random, count, isPlain) => {
  const clients = new Set()
  while (clients.size < 3) clients.add(random.chance(0.2) ? random.below(2 ** 32) : random.below(20))
  const updates = []
  const docs = [...clients].map((client, author) => {
    const doc = new Y.Doc({ gc: random.chance(0.7) })
    doc.clientID = client
    doc.on('update', (update, origin, _, transaction) => {
      if (transaction.local) updates.push({ author, update: hex(update) })
    })
    return doc
  })
  const heard = docs.map(() => 0)
  const vectors = [Y.encodeStateVector(docs[0])]
  const extras = []
  for (let n = 0; n < count; n++) {
    const author = random.below(docs.length)
    const doc = docs[author]
    doc.transact(() => { for (let i = random.below(3); i >= 0; i--) random.one(edits)(random, doc, isPlain) })
    if (random.chance(0.3)) { // one hears what the others did
      const target = random.below(docs.length)
      for (const { author: other, update } of updates.slice(heard[target])) {
        if (other !== target) Y.applyUpdate(docs[target], bytes(update))
      }
      heard[target] = updates.length
    }
    if (random.chance(0.2)) vectors.push(Y.encodeStateVector(random.one(docs)))
    if (random.chance(0.2)) extras.push(hex(Y.encodeStateAsUpdate(random.one(docs), random.one(vectors))))
    if (random.chance(0.1) && updates.length > 2) {
      const start = random.below(updates.length - 1)
      extras.push(hex(Y.mergeUpdates(updates.slice(start, start + 5).map(({ update }) => bytes(update)))))
    }
  }
  const all = new Y.Doc()
  for (const { update } of updates) Y.applyUpdate(all, bytes(update))
  return { updates, extras, vectors: vectors.map(hex), right: read(all) }
}

const commands = {
  generate: ({ seed, sessions, edits: count, isPlain }) => {
    const random = randomFrom(seed)
    return Array.from({ length: sessions }, () => session(random, count, isPlain))
  },
  // what someone who knows some updates writes without hearing of any other
  offline: (cases) => cases.map(({ seed, known }) => {
    const random = randomFrom(seed)
    const doc = new Y.Doc()
    for (const update of known) Y.applyUpdate(doc, bytes(update))
    const vector = Y.encodeStateVector(doc)
    for (let n = 0; n < 5; n++) doc.transact(() => random.one(edits)(random, doc, true))
    return { vector: hex(vector), update: hex(Y.encodeStateAsUpdate(doc, vector)) }
  }),
  read: (cases) => cases.map((updates) => {
    const doc = new Y.Doc()
    for (const update of updates) Y.applyUpdate(doc, bytes(update))
    return read(doc)
  })
}

console.log = console.info = console.warn = console.error
let input = ''
for await (const chunk of process.stdin) input += chunk
const [[command, argument]] = Object.entries(JSON.parse(input))
process.stdout.write(JSON.stringify(commands[command](argument)))
