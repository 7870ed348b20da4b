/** The editors of the kinds of rooms, each a chunk of its own. */
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { CODE } from '../kinds'
import { lazily } from '../ui/lazily'
import { LoadingEditor } from './LoadingEditor'

export interface EditorProps {
  doc: Y.Doc
  awareness: Awareness
  canWrite: boolean
  /** Of the room, for the screen reader. */
  name: string
}

const RichText = lazily<EditorProps>(() => import('./RichText'), <LoadingEditor />)
const CodeText = lazily<EditorProps>(() => import('./CodeText'), <LoadingEditor />)

export const editorOf = (kind: string) => (kind === CODE ? CodeText : RichText)
