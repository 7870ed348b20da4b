import { useEffect, useState, type ReactNode } from 'react'
import type { Protocol, RoomState } from '../collab'
import { Button } from '../ui/Button'
import { Menu, MenuChoice, MenuHeading } from '../ui/Menu'
import { Check, Cloud, CloudOff, Plug, Warning } from '../ui/icons'

interface Shown {
  text: string
  detail: string
  tone?: 'warn' | 'bad'
  icon: ReactNode
}

function shownFor(state: RoomState, isOnline: boolean): Shown {
  const { saved, denied } = state
  // Without a network an open socket may take long to notice.
  const connection = isOnline || state.connection === 'connecting' ? state.connection : 'offline'
  if (denied) return { text: 'Not saved', detail: 'You may view this room, and not change it.', tone: 'bad', icon: <Warning /> }
  if (connection === 'connecting') return { text: 'Connecting…', detail: 'The room is being opened.', icon: <Plug /> }
  if (connection === 'online' && saved) return { text: 'Saved', detail: 'Every change is in the database.', icon: <Check /> }
  if (connection === 'online') return { text: 'Saving…', detail: 'Your last changes are on their way.', icon: <Cloud /> }
  const detail = saved ? 'Go on writing: it is sent when the line is back.' : 'Your changes are kept here until the line is back.'
  return { text: isOnline ? 'Reconnecting…' : 'Offline', detail, tone: 'warn', icon: <CloudOff /> }
}

const PROTOCOLS: [Protocol, string][] = [
  ['y-websocket', 'y-websocket'],
  ['hocuspocus', 'Hocuspocus']
]

interface StatusProps {
  state: RoomState
  protocol: Protocol
  onProtocol: (protocol: Protocol) => void
}

/** Whether the page is connected and everything saved; in its menu, over which protocol. */
export function Status({ state, protocol, onProtocol }: StatusProps) {
  const { text, detail, tone, icon } = shownFor(state, useIsOnline())
  const calm = useSettled(text, 1200)
  return (
    <>
      <Menu
        label="Connection"
        trigger={props => (
          <Button {...props} look="quiet" size="small" title={detail} aria-label={`${text} Connection`} icon={icon}>
            <span className="status-text" data-tone={tone} data-state={state.saved ? 'saved' : 'unsaved'}>
              {text}
            </span>
          </Button>
        )}
      >
        <p className="status-detail" role="presentation">
          {detail}
        </p>
        <MenuHeading>Connected with</MenuHeading>
        {PROTOCOLS.map(([value, name]) => (
          <MenuChoice key={value} checked={protocol === value} onSelect={() => onProtocol(value)}>
            {name}
          </MenuChoice>
        ))}
      </Menu>
      <span className="visually-hidden" role="status">
        {calm}
      </span>
    </>
  )
}

function useIsOnline(): boolean {
  const [isOnline, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const update = () => setOnline(navigator.onLine)
    addEventListener('online', update)
    addEventListener('offline', update)
    return () => {
      removeEventListener('online', update)
      removeEventListener('offline', update)
    }
  }, [])
  return isOnline
}

/** What has stayed the same for a while: a screen reader need not hear of every keystroke that is saved. */
function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms)
    return () => clearTimeout(timer)
  }, [text, ms])
  return settled
}
