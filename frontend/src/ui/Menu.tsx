import { createContext, useContext, useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { Link } from 'wouter'
import { Check } from './icons'

const CloseMenu = createContext<() => void>(() => {})

interface MenuProps {
  /** The button that opens it; give it all of `props`. */
  trigger: (props: { 'aria-haspopup': 'menu'; 'aria-expanded': boolean; 'aria-controls': string; onClick: () => void }) => ReactNode
  label: string
  align?: 'start' | 'end'
  side?: 'top'
  children: ReactNode
}

/** A button and its menu: arrows, Home and End move, Escape and a press elsewhere close. */
export function Menu({ trigger, label, align = 'end', side, children }: MenuProps) {
  const [isOpen, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const id = useId()

  const items = () => [...(list.current?.querySelectorAll<HTMLElement>('[role^=menuitem]:not(:disabled)') ?? [])]
  const close = () => {
    if (list.current?.contains(document.activeElement)) root.current?.querySelector<HTMLElement>('[aria-haspopup]')?.focus()
    setOpen(false)
  }

  useEffect(() => {
    if (!isOpen) return
    const [first] = items()
    const current = items().find(item => item.ariaChecked === 'true')
    ;(current ?? first)?.focus()
    const onPress = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false)
    }
    document.addEventListener('pointerdown', onPress)
    return () => document.removeEventListener('pointerdown', onPress)
  }, [isOpen])

  useLayoutEffect(() => {
    if (isOpen && list.current) keepInWindow(list.current)
  }, [isOpen])

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    } else if (event.key === 'Tab') setOpen(false)
    const all = items()
    const place = all.indexOf(document.activeElement as HTMLElement)
    const places: Record<string, number> = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: -1 }
    const next = places[event.key]
    if (next === undefined) return
    event.preventDefault()
    all.at(next % all.length)?.focus()
  }

  return (
    <div className="menu" ref={root}>
      {trigger({
        'aria-haspopup': 'menu',
        'aria-expanded': isOpen,
        'aria-controls': id,
        onClick: () => setOpen(!isOpen)
      })}
      {isOpen && (
        <div className="menu-list" id={id} ref={list} role="menu" aria-label={label} data-align={align} data-side={side} onKeyDown={onKeyDown}>
          <CloseMenu.Provider value={close}>{children}</CloseMenu.Provider>
        </div>
      )}
    </div>
  )
}

const MARGIN = 8

/** Move it sideways as far as it would stand out. */
function keepInWindow(list: HTMLElement) {
  const { left, right } = list.getBoundingClientRect()
  const shift = left < MARGIN ? MARGIN - left : Math.min(0, document.documentElement.clientWidth - MARGIN - right)
  if (shift) list.style.translate = `${shift}px`
}

interface ItemProps {
  icon?: ReactNode
  tone?: 'bad'
  children: ReactNode
}

export function MenuItem({ icon, tone, children, onSelect }: ItemProps & { onSelect: () => void }) {
  const close = useContext(CloseMenu)
  return (
    <button
      type="button"
      className="menu-item"
      role="menuitem"
      tabIndex={-1}
      data-tone={tone}
      onClick={() => {
        close()
        onSelect()
      }}
    >
      {icon}
      {children}
    </button>
  )
}

/** One of several, of which one is chosen. */
export function MenuChoice({ icon, checked, children, onSelect }: ItemProps & { checked: boolean; onSelect: () => void }) {
  const close = useContext(CloseMenu)
  return (
    <button
      type="button"
      className="menu-item"
      role="menuitemradio"
      aria-checked={checked}
      tabIndex={-1}
      onClick={() => {
        close()
        onSelect()
      }}
    >
      {icon}
      {children}
      {checked && (
        <span className="menu-check">
          <Check />
        </span>
      )}
    </button>
  )
}

export function MenuLink({ icon, href, children }: ItemProps & { href: string }) {
  const close = useContext(CloseMenu)
  return (
    <Link href={href} className="menu-item" role="menuitem" tabIndex={-1} onClick={close}>
      {icon}
      {children}
    </Link>
  )
}

export const MenuSeparator = () => <hr className="menu-separator" />

export const MenuHeading = ({ children }: { children: ReactNode }) => (
  <p className="menu-heading" role="presentation">
    {children}
  </p>
)
