import { useEffect, useId, useRef, type KeyboardEvent, type ReactNode } from 'react'
import { Link } from 'wouter'

export interface Tab<K extends string> {
  id: K
  name: string
  /** Beside the name: how many wait there. */
  count?: number | undefined
}

interface TabsProps<K extends string> {
  label: string
  tabs: readonly Tab<K>[]
  current: K
  onSelect: (id: K) => void
  /** The panel of the current tab. */
  children: ReactNode
}

/** Tabs of a dialog or a panel: arrows, Home and End move. */
export function Tabs<K extends string>({ label, tabs, current, onSelect, children }: TabsProps<K>) {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent) => {
    const place = tabs.findIndex(tab => tab.id === current)
    const places: Record<string, number> = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }
    const next = places[event.key]
    const tab = next === undefined ? undefined : tabs.at(next % tabs.length)
    if (!tab) return
    event.preventDefault()
    onSelect(tab.id)
    list.current?.querySelector<HTMLElement>(`[data-tab="${tab.id}"]`)?.focus()
  }
  return (
    <div className="tabs-and-panel">
      <div className="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map(tab => (
          <button
            key={tab.id}
            type="button"
            className="tab"
            role="tab"
            id={`${id}-${tab.id}`}
            data-tab={tab.id}
            aria-selected={tab.id === current}
            aria-controls={`${id}-panel`}
            tabIndex={tab.id === current ? 0 : -1}
            onClick={() => onSelect(tab.id)}
          >
            <TabName {...tab} />
          </button>
        ))}
      </div>
      <div className="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current}`}>
        {children}
      </div>
    </div>
  )
}

/** Parts of a page, each with an address of its own. */
export function NavTabs<K extends string>({ label, tabs, current, hrefOf }: NavTabsProps<K>) {
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current, tabs.length])
  return (
    <nav className="tabs" aria-label={label} ref={nav}>
      {tabs.map(tab => (
        <Link key={tab.id} className="tab" href={hrefOf(tab.id)} aria-current={tab.id === current ? 'page' : undefined}>
          <TabName {...tab} />
        </Link>
      ))}
    </nav>
  )
}

interface NavTabsProps<K extends string> {
  label: string
  tabs: readonly Tab<K>[]
  current: K
  hrefOf: (id: K) => string
}

function TabName({ name, count }: Tab<string>) {
  return (
    <>
      {name}
      {count ? <span className="tab-count">{count}</span> : null}
    </>
  )
}
