// What updates bring and documents hold, as ranges of clocks: `{structs, deletes}`, each a list of
// `{client, clock, len}`, ordered and without two that touch.

import * as Y from 'yjs'

/** The same clocks, ordered, neighbours joined. */
const joined = (ranges) => {
  const ordered = [...ranges].sort((one, other) => one.client - other.client || one.clock - other.clock)
  const result = []
  for (const { client, clock, len } of ordered) {
    const last = result.at(-1)
    if (last?.client === client && last.clock + last.len >= clock) last.len = Math.max(last.len, clock + len - last.clock)
    else result.push({ client, clock, len })
  }
  return result
}

const structsOf = (structs) =>
  joined(structs.filter(({ constructor }) => constructor.name !== 'Skip')
    .map(({ id: { client, clock }, length: len }) => ({ client, clock, len })))

const deletesOf = (ds) =>
  joined([...ds.clients].flatMap(([client, items]) => items.map(({ clock, len }) => ({ client, clock, len }))))

/** What an update brings. */
export const bring = (update, decode = Y.decodeUpdate) => {
  const { structs, ds } = decode(update)
  return { structs: structsOf(structs), deletes: deletesOf(ds) }
}

export const covers = (ranges, { client, clock, len }) =>
  ranges.some((range) => range.client === client && range.clock <= clock && range.clock + range.len >= clock + len)

const beyond = (doc, ranges) =>
  ranges.flatMap(({ client, clock, len }) => {
    const start = Math.max(clock, Y.getState(doc.store, client))
    return start < clock + len ? [{ client, clock: start, len: clock + len - start }] : []
  })

/** What a document has and cannot show yet. */
export const waitingIn = (doc) => {
  const { pendingStructs, pendingDs } = doc.store
  const structs = pendingStructs ? bring(pendingStructs.update, Y.decodeUpdateV2).structs : []
  const deletes = pendingDs ? bring(pendingDs, Y.decodeUpdateV2).deletes : []
  return { structs: beyond(doc, structs), deletes: beyond(doc, deletes) }
}

/** All that a document has, whether it can show it or not. */
export const heldBy = (doc) => {
  const { sv, ds } = Y.snapshot(doc)
  const shown = [...sv].map(([client, len]) => ({ client, clock: 0, len }))
  const waiting = waitingIn(doc)
  return { structs: joined([...shown, ...waiting.structs]), deletes: joined([...deletesOf(ds), ...waiting.deletes]) }
}

/** The clocks that a document needs, and does not have, to show what it has. */
export const awaitedBy = (doc) => {
  const { structs, deletes } = waitingIn(doc)
  const needed = [...(doc.store.pendingStructs?.missing ?? [])].map(([client, clock]) => ({ client, clock, len: 1 }))
  const ends = new Map()
  for (const { client, clock, len } of [...needed, ...structs, ...deletes]) {
    ends.set(client, Math.max(clock + len, ends.get(client) ?? 0))
  }
  return [...ends].flatMap(([client, end]) => {
    const awaited = []
    let known = Y.getState(doc.store, client)
    for (const { clock, len } of [...structs.filter((range) => range.client === client), { clock: end, len: 0 }]) {
      if (clock > known) awaited.push({ client, clock: known, len: clock - known })
      known = clock + len
    }
    return awaited
  })
}
