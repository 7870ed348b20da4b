/** The editor of code: CodeMirror, on the text `codemirror` of the room's document. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder
} from '@codemirror/view'
import { useEffect, useRef, useState } from 'react'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import type * as Y from 'yjs'
import { Select } from '../ui/Field'
import { highlighting, theme } from './codeTheme'
import { LANGUAGES, languageOf } from './languages'
import { remoteCarets } from './remoteCarets'
import { adoptStyles } from './styles'
import type { EditorProps } from './kinds'
import '../styles/code.css'

adoptStyles()

const accessOf = (canWrite: boolean): Extension => [EditorState.readOnly.of(!canWrite), EditorView.editable.of(canWrite)]

export default function CodeText({ doc, awareness, canWrite, name }: EditorProps) {
  const place = useRef<HTMLDivElement>(null)
  const [view, setView] = useState<EditorView | null>(null)
  const [compartments] = useState(() => ({ access: new Compartment(), language: new Compartment(), label: new Compartment() }))
  const [language, setLanguage] = useSharedLanguage(doc)

  useEffect(() => {
    const text = doc.getText('codemirror')
    const { access, language, label } = compartments
    const made = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: text.toString(),
        extensions: [
          lineNumbers(),
          highlightActiveLineGutter(),
          highlightSpecialChars(),
          foldGutter(),
          drawSelection(),
          EditorState.allowMultipleSelections.of(true),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          search({ top: true }),
          EditorView.lineWrapping,
          placeholder('Write some code. Everyone in the room sees it.'),
          keymap.of([...yUndoManagerKeymap, ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...foldKeymap, ...completionKeymap, indentWithTab]),
          theme,
          syntaxHighlighting(highlighting),
          yCollab(text, null), // its own carets set styles that the content security policy refuses
          remoteCarets(text, awareness),
          access.of([]),
          language.of([]),
          label.of([])
        ]
      })
    })
    setView(made)
    return () => made.destroy()
  }, [doc, awareness, compartments])

  useEffect(() => {
    view?.dispatch({ effects: compartments.access.reconfigure(accessOf(canWrite)) })
  }, [view, canWrite, compartments])

  useEffect(() => {
    const attributes = { 'aria-label': name, 'aria-readonly': String(!canWrite), tabindex: '0' }
    view?.dispatch({ effects: compartments.label.reconfigure(EditorView.contentAttributes.of(attributes)) })
  }, [view, name, canWrite, compartments])

  useEffect(() => {
    let isCurrent = true
    void languageOf(language).then(support => {
      if (isCurrent) view?.dispatch({ effects: compartments.language.reconfigure(support) })
    })
    return () => {
      isCurrent = false
    }
  }, [view, language, compartments])

  return (
    <div className="code">
      <div className="toolbar-place">
        <div className="toolbar">
          <Select quiet aria-label="Language" value={language} disabled={!canWrite} onChange={event => setLanguage(event.target.value)}>
            {LANGUAGES.map(({ id, name: title }) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </Select>
        </div>
      </div>
      <div className="code-page" ref={place} />
    </div>
  )
}

/** The language stands in the document: it is the same for everyone. */
function useSharedLanguage(doc: Y.Doc): [string, (language: string) => void] {
  const settings = doc.getMap<string>('settings')
  const read = () => LANGUAGES.find(({ id }) => id === settings.get('language'))?.id ?? 'text'
  const [language, setLanguage] = useState(read)
  useEffect(() => {
    const update = () => setLanguage(read)
    update()
    settings.observe(update)
    return () => settings.unobserve(update)
  }, [settings])
  return [language, chosen => void settings.set('language', chosen)]
}
