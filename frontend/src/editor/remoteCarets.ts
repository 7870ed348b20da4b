/**
 * Others' carets and selections in CodeMirror, and one's own for them: states as y-codemirror.next has them.
 *
 * Its own plugin writes `style` attributes, which a strict content security policy refuses.
 */
import { Annotation, RangeSetBuilder, type Extension } from '@codemirror/state'
import { Decoration, EditorView, ViewPlugin, WidgetType, type DecorationSet, type ViewUpdate } from '@codemirror/view'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { caretOf, personOf, type Person } from './presence'
import { classOfColor } from './styles'

const moved = Annotation.define<true>()

interface Cursor {
  anchor: unknown
  head: unknown
}

class CaretWidget extends WidgetType {
  constructor(readonly person: Person) {
    super()
  }

  override eq(other: CaretWidget) {
    return other.person.name === this.person.name && other.person.color === this.person.color
  }

  toDOM() {
    return caretOf(this.person)
  }

  override ignoreEvent() {
    return true
  }
}

class Carets {
  decorations: DecorationSet = Decoration.none
  readonly #listener: (change: { added: number[]; updated: number[]; removed: number[] }) => void

  constructor(
    readonly view: EditorView,
    readonly text: Y.Text,
    readonly awareness: Awareness
  ) {
    this.#listener = ({ added, updated, removed }) => {
      const changed = [...added, ...updated, ...removed]
      if (changed.some(id => id !== awareness.clientID)) view.dispatch({ annotations: moved.of(true) })
    }
    awareness.on('change', this.#listener)
    this.decorations = this.#draw(view)
  }

  destroy() {
    this.awareness.off('change', this.#listener)
    if (this.awareness.getLocalState()) this.awareness.setLocalStateField('cursor', null)
  }

  update(update: ViewUpdate) {
    this.#publish(update)
    this.decorations = this.#draw(update.view)
  }

  #publish({ view, state }: ViewUpdate) {
    const local = this.awareness.getLocalState() as { cursor?: Cursor | null } | null
    if (local === null || !view.hasFocus) return
    const { anchor, head } = state.selection.main
    const cursor = {
      anchor: Y.createRelativePositionFromTypeIndex(this.text, anchor),
      head: Y.createRelativePositionFromTypeIndex(this.text, head)
    }
    const isSame = (given: unknown, position: Y.RelativePosition) =>
      given != null && Y.compareRelativePositions(Y.createRelativePositionFromJSON(given), position)
    if (isSame(local.cursor?.anchor, cursor.anchor) && isSame(local.cursor?.head, cursor.head)) return
    this.awareness.setLocalStateField('cursor', cursor)
  }

  #draw({ state }: EditorView): DecorationSet {
    const drawn: { from: number; to: number; side: number; value: Decoration }[] = []
    for (const [clientId, each] of this.awareness.getStates()) {
      const person = clientId === this.awareness.clientID ? null : personOf(each)
      const cursor = (each as { cursor?: Cursor | null }).cursor
      const anchor = this.#place(cursor?.anchor, state.doc.length)
      const head = this.#place(cursor?.head, state.doc.length)
      if (person === null || anchor === null || head === null) continue
      const selection = Decoration.mark({ class: `caret-selection ${classOfColor(person.color)}` })
      if (anchor !== head) drawn.push({ from: Math.min(anchor, head), to: Math.max(anchor, head), side: 0, value: selection })
      const widget = Decoration.widget({ widget: new CaretWidget(person), side: head > anchor ? -1 : 1 })
      drawn.push({ from: head, to: head, side: widget.spec.side, value: widget })
    }
    drawn.sort((one, two) => one.from - two.from || one.value.startSide - two.value.startSide)
    const builder = new RangeSetBuilder<Decoration>()
    for (const { from, to, value } of drawn) builder.add(from, to, value)
    return builder.finish()
  }

  /** Where a position of somebody else is; null if it is nowhere in this text. What they send may be anything. */
  #place(given: unknown, length: number): number | null {
    if (given == null) return null
    try {
      const position = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(given), this.text.doc!)
      return position?.type === this.text ? Math.min(position.index, length) : null
    } catch {
      return null
    }
  }
}

export function remoteCarets(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define(view => new Carets(view, text, awareness), { decorations: carets => carets.decorations })
}
