// What the tests ask of a window of the page, without touching it: put into each before its own scripts.

/** What a reader sees in the editor, line by line, without others' carets; null while there is none. */
globalThis.roomText = () => {
  const editor = document.querySelector('.ProseMirror, .cm-content')
  if (editor === null) return null
  const copy = editor.cloneNode(true)
  for (const each of copy.querySelectorAll('.caret, .cm-placeholder')) each.remove()
  return [...copy.querySelectorAll('p, h1, h2, h3, .cm-line')].map(line => line.textContent).join('\n')
}

globalThis.statusText = () => document.querySelector('.status-text')?.textContent ?? null

/** Resolves when what was changed before is drawn, and no colour is on its way to another. */
globalThis.drawn = async () => {
  const frame = () => new Promise(requestAnimationFrame)
  do {
    await frame()
    await frame()
  } while (document.getAnimations().some(each => each instanceof CSSTransition))
}

const isSaved = () => statusText() === 'Saved'

/** From now on: every status that was shown, and in `savedText` what stood in the editor when it last said “Saved”. */
globalThis.watchStatus = () => {
  const status = document.querySelector('.status-text')
  const note = () => {
    statusesShown.push(status.textContent)
    if (isSaved()) globalThis.savedText = roomText()
  }
  globalThis.statusesShown = []
  globalThis.savedText = null
  note()
  new MutationObserver(note).observe(status, { childList: true, characterData: true, subtree: true })
}

const now = () => performance.timeOrigin + performance.now()

/** Note in `times`, by the clock of the machine, when each key is pressed. */
globalThis.noteKeys = () => {
  globalThis.times = []
  addEventListener('keydown', () => times.push(now()), { capture: true })
}

/** Note in `times` when the editor first shows each character more. */
globalThis.noteCharacters = () => {
  globalThis.times = []
  const before = roomText().length
  const note = () => {
    const count = roomText().length - before
    while (times.length < count) times.push(now())
  }
  const changes = { childList: true, characterData: true, subtree: true }
  new MutationObserver(note).observe(document.querySelector('.ProseMirror, .cm-content'), changes)
}

/** Milliseconds after navigation at which one could first type. */
new MutationObserver((_, observer) => {
  if (document.querySelector('.ProseMirror[contenteditable=true], .cm-content[contenteditable=true]') === null) return
  globalThis.usableAfterMs = performance.now()
  observer.disconnect()
}).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['contenteditable'] })
