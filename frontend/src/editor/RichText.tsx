/** The editor of rich text: Tiptap, on the fragment `default` of the room's document. */
import { Editor, Extension } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import { TaskItem, TaskList } from '@tiptap/extension-list'
import { TableKit } from '@tiptap/extension-table'
import { Placeholder } from '@tiptap/extensions'
import StarterKit from '@tiptap/starter-kit'
import { yCursorPlugin } from '@tiptap/y-tiptap'
import { useEffect, useRef, useState } from 'react'
import type { Awareness } from 'y-protocols/awareness'
import { caretOf, personOf } from './presence'
import { classOfColor } from './styles'
import { Toolbar } from './Toolbar'
import type { EditorProps } from './kinds'
import '../styles/richtext.css'

const FIELD = 'default'

/** Others' carets and selections; those of people that the server has not named are not shown. */
const RemoteCarets = Extension.create<{ awareness: Awareness | null }>({
  name: 'remoteCarets',
  addOptions: () => ({ awareness: null }),
  addProseMirrorPlugins() {
    return [
      yCursorPlugin(this.options.awareness!, {
        awarenessStateFilter: (mine, theirs, state) => mine !== theirs && personOf(state) !== null,
        cursorBuilder: caretOf,
        selectionBuilder: ({ color }) => ({ class: `caret-selection ${classOfColor(color)}` })
      })
    ]
  }
})

export default function RichText({ doc, awareness, canWrite, name }: EditorProps) {
  const place = useRef<HTMLDivElement>(null)
  const [editor, setEditor] = useState<Editor | null>(null)
  const initially = useRef(canWrite)

  useEffect(() => {
    const made = new Editor({
      element: place.current,
      editable: initially.current,
      injectCSS: false, // the content security policy takes no style of a script
      extensions: [
        StarterKit.configure({
          undoRedo: false, // Collaboration brings its own, of one's own changes
          trailingNode: false, // it would write for those who only read
          heading: { levels: [1, 2, 3] },
          link: { openOnClick: 'whenNotEditable', HTMLAttributes: { rel: 'noopener noreferrer nofollow' } }
        }),
        TaskList,
        TaskItem.configure({ nested: true }),
        TableKit.configure({ table: { resizable: false, renderWrapper: true } }),
        Placeholder.configure({ placeholder: 'Write something. Everyone in the room sees it.', showOnlyWhenEditable: true }),
        Collaboration.configure({ document: doc, field: FIELD }),
        RemoteCarets.configure({ awareness })
      ]
    })
    setEditor(made)
    if (made.isEmpty && made.isEditable) made.commands.focus()
    return () => made.destroy()
  }, [doc, awareness])

  useEffect(() => {
    editor?.setEditable(canWrite, false)
  }, [editor, canWrite])

  useEffect(() => {
    if (!editor) return
    const { dom } = editor.view
    dom.setAttribute('aria-label', name)
    dom.setAttribute('role', 'textbox')
    dom.setAttribute('aria-multiline', 'true')
    dom.setAttribute('aria-readonly', String(!canWrite))
    dom.tabIndex = 0
  }, [editor, name, canWrite])

  return (
    <div className="richtext">
      {canWrite && <div className="toolbar-place">{editor && <Toolbar editor={editor} />}</div>}
      <div className="richtext-page" ref={place} />
    </div>
  )
}
