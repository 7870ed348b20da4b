/** Beside the editor: who is connected now, and what was done in the room. */
import { useEffect, useRef, useState } from 'react'
import { api, type Connection, type RoomInfo } from '../../api'
import { useMe } from '../../me'
import { ago, fullTime } from '../../time'
import { Avatar } from '../../ui/Avatar'
import { Button, IconButton } from '../../ui/Button'
import { roleName } from '../../ui/RolePicker'
import { Paged, Row, Rows } from '../../ui/Rows'
import { Tabs } from '../../ui/Tabs'
import { Close, Plug } from '../../ui/icons'
import { usePages } from '../../ui/resources'
import { EmptyState } from '../../ui/states'
import { useAttempt } from '../../ui/useAttempt'
import { usePolling } from '../../ui/usePolling'
import { AuditTrail } from '../AuditTrail'
import '../../styles/people.css'
import '../../styles/panel.css'

const LOOK_EVERY_MS = 2000
const PROTOCOLS: Record<string, string> = { hocuspocus: 'Hocuspocus', 'y-websocket': 'y-websocket' }

type TabId = 'connections' | 'audit'

interface RoomPanelProps {
  room: RoomInfo
  tab: TabId
  onTab: (tab: TabId) => void
  onClose: () => void
}

export default function RoomPanel({ room, tab, onTab, onClose }: RoomPanelProps) {
  const panel = useRef<HTMLElement>(null)
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    panel.current?.focus({ preventScroll: true })
    return () => before?.focus({ preventScroll: true })
  }, [])
  const tabs = [
    { id: 'connections', name: 'Connected now' },
    ...(room.abilities.share ? [{ id: 'audit', name: 'Audit trail' } as const] : [])
  ] as const
  return (
    <aside
      className="side-panel"
      ref={panel}
      tabIndex={-1}
      aria-label="About the room"
      onKeyDown={event => {
        if (event.key === 'Escape') onClose()
      }}
    >
      <div className="side-panel-close">
        <IconButton label="Close the panel" icon={<Close />} onClick={onClose} />
      </div>
      <Tabs label="About the room" tabs={tabs} current={room.abilities.share ? tab : 'connections'} onSelect={onTab}>
        {tab === 'audit' && room.abilities.share ? <AuditTrail path={`rooms/${room.id}/audit`} isOfRoom /> : <Connections room={room} />}
      </Tabs>
    </aside>
  )
}

function Connections({ room }: { room: RoomInfo }) {
  const connections = usePages<Connection>(`rooms/${room.id}/connections/?page_size=200`)
  const [told, setTold] = useState('')
  const list = useRef<HTMLDivElement>(null)
  usePolling(connections.reload, LOOK_EVERY_MS)
  const onKicked = (gone: Connection) => {
    connections.update(items => items.filter(({ id }) => id !== gone.id))
    setTold(`${gone.user.name} was disconnected. Who still has access can come back.`)
    list.current?.focus()
  }
  const people = new Set(connections.items?.map(({ user }) => user.id)).size
  return (
    <div className="stack focus-target" ref={list} tabIndex={-1}>
      {connections.items && connections.items.length > 0 && (
        <p className="small muted live">
          {people === 1 ? '1 person' : `${people} people`}, {connections.items.length === 1 ? '1 connection' : `${connections.items.length} connections`}
        </p>
      )}
      <p className="share-told" role="status">
        {told}
      </p>
      <Paged
        pages={connections}
        count={2}
        empty={
          <EmptyState icon={<Plug size={22} />} title="Nobody is connected">
            Whoever opens the room shows up here within a moment.
          </EmptyState>
        }
      >
        {items => (
          <Rows label="Connections">
            {items.map(connection => (
              <ConnectionRow key={connection.id} room={room} connection={connection} onKicked={() => onKicked(connection)} />
            ))}
          </Rows>
        )}
      </Paged>
    </div>
  )
}

interface ConnectionRowProps {
  room: RoomInfo
  connection: Connection
  onKicked: () => void
}

function ConnectionRow({ room, connection, onKicked }: ConnectionRowProps) {
  const { user: me } = useMe()
  const { busy, error, attempt } = useAttempt()
  const { id, user, role, since, protocol } = connection
  const kick = () =>
    attempt(async () => {
      await api.delete(`rooms/${room.id}/connections/${id}/`)
      onKicked()
    })
  return (
    <Row
      lead={<Avatar name={user.name} size={32} />}
      name={
        <>
          {user.name}
          {user.id === me?.id && <span className="muted"> (you)</span>}
        </>
      }
      detail={
        <span className="dotted">
          <span>{roleName(role)}</span>
          <span>{PROTOCOLS[protocol] ?? protocol}</span>
          <time dateTime={since} title={fullTime(since)}>
            {ago(since)}
          </time>
        </span>
      }
      error={error?.message}
      busy={busy}
    >
      {room.abilities.share && (
        <Button size="small" disabled={busy} aria-label={`Disconnect ${user.name}`} onClick={() => void kick()}>
          Disconnect
        </Button>
      )}
    </Row>
  )
}
