import type { Editor } from '@tiptap/core'
import { useEffect, useReducer, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { Select, TextField } from '../ui/Field'
import { Menu, MenuItem, MenuSeparator } from '../ui/Menu'
import * as Icon from '../ui/icons'

const isMac = /mac|iphone|ipad/i.test(navigator.platform)
const keys = (text: string) => (isMac ? text.replace('Mod', '⌘').replace('Shift', '⇧').replace('Alt', '⌥').replaceAll('+', '') : text.replace('Mod', 'Ctrl'))

interface Tool {
  name: string
  icon: ReactNode
  shortcut?: string
  isOn?: (editor: Editor) => boolean
  can?: (editor: Editor) => boolean
  run: (editor: Editor) => void
}

const focused = (editor: Editor) => editor.chain().focus()

const GROUPS: Tool[][] = [
  [
    { name: 'Undo', icon: <Icon.Undo />, shortcut: 'Mod+Z', can: editor => editor.can().undo(), run: editor => focused(editor).undo().run() },
    { name: 'Redo', icon: <Icon.Redo />, shortcut: 'Mod+Shift+Z', can: editor => editor.can().redo(), run: editor => focused(editor).redo().run() }
  ],
  [
    { name: 'Bold', icon: <Icon.Bold />, shortcut: 'Mod+B', isOn: editor => editor.isActive('bold'), run: editor => focused(editor).toggleBold().run() },
    { name: 'Italic', icon: <Icon.Italic />, shortcut: 'Mod+I', isOn: editor => editor.isActive('italic'), run: editor => focused(editor).toggleItalic().run() },
    { name: 'Strikethrough', icon: <Icon.Strike />, shortcut: 'Mod+Shift+S', isOn: editor => editor.isActive('strike'), run: editor => focused(editor).toggleStrike().run() },
    { name: 'Inline code', icon: <Icon.Code />, shortcut: 'Mod+E', isOn: editor => editor.isActive('code'), run: editor => focused(editor).toggleCode().run() }
  ],
  [
    { name: 'Bullet list', icon: <Icon.BulletList />, shortcut: 'Mod+Shift+8', isOn: editor => editor.isActive('bulletList'), run: editor => focused(editor).toggleBulletList().run() },
    { name: 'Numbered list', icon: <Icon.OrderedList />, shortcut: 'Mod+Shift+7', isOn: editor => editor.isActive('orderedList'), run: editor => focused(editor).toggleOrderedList().run() },
    { name: 'Task list', icon: <Icon.TaskList />, shortcut: 'Mod+Shift+9', isOn: editor => editor.isActive('taskList'), run: editor => focused(editor).toggleTaskList().run() }
  ],
  [
    { name: 'Quote', icon: <Icon.Quote />, shortcut: 'Mod+Shift+B', isOn: editor => editor.isActive('blockquote'), run: editor => focused(editor).toggleBlockquote().run() },
    { name: 'Code block', icon: <Icon.CodeBlock />, shortcut: 'Mod+Alt+C', isOn: editor => editor.isActive('codeBlock'), run: editor => focused(editor).toggleCodeBlock().run() }
  ]
]

const BLOCKS = [
  ['0', 'Text'],
  ['1', 'Heading 1'],
  ['2', 'Heading 2'],
  ['3', 'Heading 3']
] as const

export function Toolbar({ editor }: { editor: Editor }) {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const [isLinking, setLinking] = useState(false)
  const bar = useRef<HTMLDivElement>(null)
  const [current, setCurrent] = useState(0)

  useEffect(() => {
    editor.on('transaction', redraw)
    return () => {
      editor.off('transaction', redraw)
    }
  }, [editor])

  // One stop of the Tab key; the arrows move inside, as in every toolbar.
  const stops = () => [...(bar.current?.querySelectorAll<HTMLElement>('[data-stop], .toolbar-menu > .menu > button') ?? [])]
  useEffect(() => {
    stops().forEach((stop, place) => (stop.tabIndex = place === current ? 0 : -1))
  })
  const onKeyDown = (event: KeyboardEvent) => {
    const all = stops()
    const place = all.indexOf(event.target as HTMLElement)
    if (place < 0) return
    const places: Record<string, number> = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }
    const next = places[event.key]
    if (next === undefined) return
    event.preventDefault()
    all.at(next % all.length)?.focus()
  }

  const level = BLOCKS.find(([value]) => value !== '0' && editor.isActive('heading', { level: Number(value) }))?.[0] ?? '0'
  const setBlock = (value: string) => {
    if (value === '0') focused(editor).setParagraph().run()
    else focused(editor).setHeading({ level: Number(value) as 1 | 2 | 3 }).run()
  }
  return (
    <div
      className="toolbar"
      role="toolbar"
      aria-label="Formatting"
      ref={bar}
      onKeyDown={onKeyDown}
      onFocus={event => setCurrent(Math.max(0, stops().indexOf(event.target)))}
    >
      <Tools tools={GROUPS[0]!} editor={editor} />
      <Select quiet data-stop aria-label="Style of the block" value={level} onChange={event => setBlock(event.target.value)}>
        {BLOCKS.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </Select>
      {GROUPS.slice(1).map((tools, place) => (
        <Tools key={place} tools={tools} editor={editor} />
      ))}
      <div className="toolbar-group">
        <ToolButton tool={{ name: 'Link', icon: <Icon.Link />, shortcut: 'Mod+K', isOn: () => editor.isActive('link'), run: () => setLinking(true) }} editor={editor} />
        <TableTool editor={editor} />
      </div>
      {isLinking && <LinkDialog editor={editor} onClose={() => setLinking(false)} />}
      <LinkShortcut editor={editor} onPress={() => setLinking(true)} />
    </div>
  )
}

function Tools({ tools, editor }: { tools: Tool[]; editor: Editor }) {
  return (
    <div className="toolbar-group">
      {tools.map(tool => (
        <ToolButton key={tool.name} tool={tool} editor={editor} />
      ))}
    </div>
  )
}

function ToolButton({ tool, editor }: { tool: Tool; editor: Editor }) {
  const { name, icon, shortcut, isOn, can, run } = tool
  return (
    <button
      type="button"
      className="tool"
      data-stop
      title={shortcut ? `${name} (${keys(shortcut)})` : name}
      aria-label={name}
      aria-pressed={isOn?.(editor)}
      aria-disabled={can ? !can(editor) : undefined}
      onMouseDown={event => event.preventDefault()} // the selection stays
      onClick={() => run(editor)}
    >
      {icon}
    </button>
  )
}

function TableTool({ editor }: { editor: Editor }) {
  if (!editor.isActive('table')) {
    const insert = () => focused(editor).insertTable({ rows: 3, cols: 3, withHeaderRow: true }).run()
    return <ToolButton editor={editor} tool={{ name: 'Table', icon: <Icon.Table />, run: insert }} />
  }
  return (
    <div className="toolbar-menu">
      <Menu
        label="Table"
        trigger={props => (
          <button {...props} type="button" className="tool" data-stop title="Table" aria-label="Table" aria-pressed onMouseDown={event => event.preventDefault()}>
            <Icon.Table />
          </button>
        )}
      >
        <MenuItem onSelect={() => focused(editor).addRowAfter().run()}>Row below</MenuItem>
        <MenuItem onSelect={() => focused(editor).addRowBefore().run()}>Row above</MenuItem>
        <MenuItem onSelect={() => focused(editor).addColumnAfter().run()}>Column after</MenuItem>
        <MenuItem onSelect={() => focused(editor).addColumnBefore().run()}>Column before</MenuItem>
        <MenuSeparator />
        <MenuItem onSelect={() => focused(editor).deleteRow().run()}>Delete the row</MenuItem>
        <MenuItem onSelect={() => focused(editor).deleteColumn().run()}>Delete the column</MenuItem>
        <MenuItem tone="bad" onSelect={() => focused(editor).deleteTable().run()}>
          Delete the table
        </MenuItem>
      </Menu>
    </div>
  )
}

function LinkShortcut({ editor, onPress }: { editor: Editor; onPress: () => void }) {
  useEffect(() => {
    const { dom } = editor.view
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key !== 'k' || !(isMac ? event.metaKey : event.ctrlKey) || event.shiftKey || event.altKey) return
      event.preventDefault()
      onPress()
    }
    dom.addEventListener('keydown', onKey)
    return () => dom.removeEventListener('keydown', onKey)
  })
  return null
}

function LinkDialog({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const [href, setHref] = useState<string>(editor.getAttributes('link')['href'] ?? '')
  const [error, setError] = useState('')
  const isLink = editor.isActive('link')
  const set = () => {
    const address = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(href) ? href : `https://${href}`
    if (!/^(https?|mailto):/i.test(address) || !URL.canParse(address)) {
      setError('Not an address of the web, or of e-mail.')
      return
    }
    const chain = focused(editor).extendMarkRange('link')
    if (editor.state.selection.empty && !isLink) chain.insertContent({ type: 'text', text: href, marks: [{ type: 'link', attrs: { href: address } }] }).run()
    else chain.setLink({ href: address }).run()
    onClose()
  }
  const remove = () => {
    focused(editor).extendMarkRange('link').unsetLink().run()
    onClose()
  }
  return (
    <Dialog title={isLink ? 'Change the link' : 'Link'} onClose={onClose}>
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          set()
        }}
      >
        <TextField label="Address" inputMode="url" placeholder="example.com/page" required value={href} error={error} onChange={event => setHref(event.target.value.trim())} />
        <div className="dialog-actions">
          {isLink && (
            <Button look="quiet" onClick={remove}>
              Remove
            </Button>
          )}
          <Button look="primary" type="submit" disabled={!href}>
            {isLink ? 'Change' : 'Link'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
