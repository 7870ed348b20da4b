// Yjs documents as JSON: edits in, content out, comparison by what Yjs itself calls equal.

import * as Y from 'yjs'
import { until } from './waiting.mjs'

export const toHex = (bytes) => Buffer.from(bytes).toString('hex')
export const fromHex = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))

const roots = {
  text: (doc, name = 'text') => doc.getText(name),
  map: (doc, name = 'map') => doc.getMap(name),
  array: (doc, name = 'array') => doc.getArray(name),
  xml: (doc, name = 'xml') => doc.getXmlFragment(name)
}

/** `{"$map": {…}}`, `{"$array": […]}` and `{"$text": "…"}` become nested shared types; all else is a value. */
const toValue = (value) => {
  if (value?.$map) return new Y.Map(Object.entries(value.$map).map(([key, item]) => [key, toValue(item)]))
  if (value?.$array) return Y.Array.from(value.$array.map(toValue))
  if (value?.$text !== undefined) return new Y.Text(value.$text)
  return value
}

/** `"words"` is a text node, `{tag, attributes?, children?}` an element. */
const toNode = (spec) => {
  if (typeof spec === 'string') return new Y.XmlText(spec)
  const element = new Y.XmlElement(spec.tag)
  for (const [key, value] of Object.entries(spec.attributes ?? {})) element.setAttribute(key, value)
  element.insert(0, (spec.children ?? []).map(toNode))
  return element
}

const xmlAt = (doc, path) => path.reduce((parent, index) => parent.get(index), roots.xml(doc))

const operations = {
  'text.insert': (doc, index, text, attributes) => roots.text(doc).insert(index, text, attributes),
  'text.delete': (doc, index, length) => roots.text(doc).delete(index, length),
  'text.format': (doc, index, length, attributes) => roots.text(doc).format(index, length, attributes),
  'map.set': (doc, key, value) => roots.map(doc).set(key, toValue(value)),
  'map.delete': (doc, key) => roots.map(doc).delete(key),
  'array.insert': (doc, index, values) => roots.array(doc).insert(index, values.map(toValue)),
  'array.delete': (doc, index, length) => roots.array(doc).delete(index, length),
  'xml.insert': (doc, path, index, nodes) => xmlAt(doc, path).insert(index, nodes.map(toNode)),
  'xml.delete': (doc, path, index, length) => xmlAt(doc, path).delete(index, length),
  'xml.attribute': (doc, path, key, value) => xmlAt(doc, path).setAttribute(key, value),
  'xml.text': (doc, path, index, text, attributes) => xmlAt(doc, path).insert(index, text, attributes)
}

/** Applies `[name, ...arguments]` operations in one transaction: one update. */
export const edit = (doc, edits) => {
  doc.transact(() => {
    for (const [name, ...rest] of edits) {
      if (!operations[name]) throw new Error(`unknown edit ${name}`)
      operations[name](doc, ...rest)
    }
  })
}

/** The content under each root; `shape` maps root names to text, map, array or xml. */
export const read = (doc, shape = { text: 'text', map: 'map', array: 'array', xml: 'xml' }) => {
  const content = Object.fromEntries(
    Object.entries(shape).map(([name, kind]) => {
      const root = roots[kind](doc, name)
      return [name, kind === 'text' || kind === 'xml' ? root.toString() : root.toJSON()]
    })
  )
  if (shape.text === 'text') content.delta = doc.getText('text').toDelta()
  return content
}

export const isWaitingForMore = (doc) => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

/** Same state vector, same delete set, nothing pending. */
const areEqual = (docs) =>
  docs.every((doc) => !isWaitingForMore(doc)) &&
  docs.slice(1).every((doc) => Y.equalSnapshots(Y.snapshot(docs[0]), Y.snapshot(doc)))

export const waitEqual = (docs, timeoutMs) =>
  until(() => areEqual(docs), timeoutMs, () => `documents differ: ${JSON.stringify(docs.map((doc) => read(doc)))}`)

/** An update made by hand: `edits` on top of `base`, by client `client`. */
export const makeUpdate = ({ base, edits, client }) => {
  const doc = new Y.Doc()
  if (client !== undefined) doc.clientID = client
  if (base) Y.applyUpdate(doc, fromHex(base))
  const before = Y.encodeStateVector(doc)
  const updates = []
  doc.on('update', (update) => updates.push(update))
  edit(doc, edits)
  return {
    update: toHex(Y.mergeUpdates(updates)),
    state: toHex(Y.encodeStateAsUpdate(doc)),
    before: toHex(before),
    vector: toHex(Y.encodeStateVector(doc))
  }
}

/** What a fresh document holds after these updates. */
export const readUpdates = ({ updates, shape }) => {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, fromHex(update))
  return { content: read(doc, shape), pending: isWaitingForMore(doc), vector: toHex(Y.encodeStateVector(doc)) }
}

/** The client ids whose content is in this update. */
export const authorsOf = ({ update }) =>
  [...new Set(Y.decodeUpdate(fromHex(update)).structs.map((struct) => struct.id.client))]
