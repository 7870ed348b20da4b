// A document of a given size: many authors, each insertion somewhere in the middle of what is there.
// No two items can be merged, so that every server stores and sends about the same number of bytes.

import { Writer, writeItem } from './encoding.mjs'

const AUTHORS = 20
const FIRST_AUTHOR = 0x20000000
const TEXT = Buffer.from('sixteen letters ')
const BYTES_OF_ITEM = 32

/** Updates of at most about `updateBytes` that make up the document, and the last clock of each author. */
export function makeDocument (bytes, updateBytes) {
  const count = Math.max(1, Math.round(bytes / BYTES_OF_ITEM))
  const authors = new Uint8Array(count)
  const clocks = new Uint32Array(count)
  const next = new Int32Array(count).fill(-1)
  const ends = new Uint32Array(AUTHORS)
  const random = randomNumbers(7)
  const updates = []
  const perUpdate = Math.max(1, Math.floor(updateBytes / BYTES_OF_ITEM))
  for (let first = 0; first < count; first += perUpdate) {
    const last = Math.min(count, first + perUpdate)
    const parts = new Map()
    for (let item = first; item < last; item++) {
      const author = random() % AUTHORS
      let origin = null
      let right = null
      if (item > 0) {
        const before = random() % item
        origin = [FIRST_AUTHOR + authors[before], clocks[before] + TEXT.length - 1]
        const after = next[before]
        if (after >= 0) right = [FIRST_AUTHOR + authors[after], clocks[after]]
        next[item] = after
        next[before] = item
      }
      authors[item] = author
      clocks[item] = ends[author]
      let part = parts.get(author)
      if (!part) parts.set(author, part = { clock: ends[author], structs: 0, out: new Writer(65536) })
      part.structs++
      writeItem(part.out, origin, right, TEXT)
      ends[author] += TEXT.length
    }
    updates.push(joinParts(parts))
  }
  const state = new Map()
  ends.forEach((end, author) => { if (end) state.set(FIRST_AUTHOR + author, end) })
  return { updates, state }
}

function joinParts (parts) {
  const out = new Writer(1 << 20)
  out.uint(parts.size)
  for (const author of [...parts.keys()].sort((a, b) => b - a)) {
    const { clock, structs, out: items } = parts.get(author)
    out.uint(structs)
    out.uint(FIRST_AUTHOR + author)
    out.uint(clock)
    out.bytes(items.take())
  }
  out.uint(0)
  return out.take()
}

/** The same numbers at every run (xorshift). */
function randomNumbers (seed) {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
