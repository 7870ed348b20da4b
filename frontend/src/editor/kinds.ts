/** The editors of the kinds of rooms, each a chunk of its own. */
import { lazy, type ComponentType } from 'react'
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { CODE } from '../kinds'

export interface EditorProps {
  doc: Y.Doc
  awareness: Awareness
  canWrite: boolean
  /** Of the room, for the screen reader. */
  name: string
}

const loadRichText = () => import('./RichText')
const loadCode = () => import('./CodeText')
const RichText: ComponentType<EditorProps> = lazy(loadRichText)
const CodeText: ComponentType<EditorProps> = lazy(loadCode)

export const editorOf = (kind: string) => (kind === CODE ? CodeText : RichText)

/** Fetch an editor before the room has arrived. */
export const preloadEditor = (kind: string) => void (kind === CODE ? loadCode : loadRichText)().catch(() => {})
