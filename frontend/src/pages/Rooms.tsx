/** The rooms that one may read, and how a new one is made. */
import { useDeferredValue, useState } from 'react'
import { Link } from 'wouter'
import { api, asApiError, type Organization, type RoomInfo } from '../api'
import { editorOf } from '../editor/kinds'
import { kindOf } from '../kinds'
import { useMe } from '../me'
import { useChosenOrganization } from '../organizations'
import { ago, fullTime } from '../time'
import { Button, IconButton } from '../ui/Button'
import { Select } from '../ui/Field'
import { roleName } from '../ui/RolePicker'
import { useToast } from '../ui/Toast'
import { Box, Plus, Restore, Search, Trash } from '../ui/icons'
import { usePages } from '../ui/resources'
import { Badge, EmptyState, ErrorState, Skeleton } from '../ui/states'
import { NewRoom } from './NewRoom'
import { Shell } from './Shell'
import '../styles/rooms.css'

const ORDERINGS = [
  ['-created_at', 'Newest first'],
  ['created_at', 'Oldest first'],
  ['name', 'Name, A to Z'],
  ['-name', 'Name, Z to A']
] as const

export default function Rooms() {
  const { organizations } = useMe()
  const chosen = useChosenOrganization()
  const [search, setSearch] = useState('')
  const [ordering, setOrdering] = useState<string>('-created_at')
  const [isTrash, setTrash] = useState(false)
  const [isNew, setNew] = useState(false)

  const all = organizations.data ?? []
  const organization = all.find(({ id }) => id === chosen) ?? null
  const query = new URLSearchParams({ ordering })
  // While the organizations come, the one that was chosen is taken for granted; then only if it is among them.
  if (chosen && (organization || organizations.data === null)) query.set('organization', chosen)
  const term = useDeferredValue(search.trim())
  if (term) query.set('search', term)
  if (isTrash) query.set('trashed', 'true')
  const rooms = usePages<RoomInfo>(`rooms/?${query}`)

  const mayCreateIn = all.filter(({ role }) => role !== 'guest')
  const newRoom = (
    <Button look="primary" icon={<Plus />} disabled={mayCreateIn.length === 0} onClick={() => setNew(true)}>
      New room
    </Button>
  )
  const title = isTrash ? 'Trash' : organization ? organization.name : 'Rooms'
  return (
    <Shell title={title}>
      <div className="rooms-head">
        <h1 className="truncate">{title}</h1>
        {!isTrash && newRoom}
      </div>
      <div className="rooms-tools">
        <label className="rooms-search">
          <span className="visually-hidden">Search rooms by name</span>
          <Search />
          <input
            className="input"
            type="search"
            placeholder="Search by name"
            maxLength={200}
            value={search}
            onChange={event => setSearch(event.target.value)}
          />
        </label>
        <Select aria-label="Order" value={ordering} onChange={event => setOrdering(event.target.value)}>
          {ORDERINGS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
        <IconButton
          label={isTrash ? 'Back to the rooms' : 'Trash'}
          look="quiet"
          icon={<Trash />}
          aria-pressed={isTrash}
          onClick={() => setTrash(!isTrash)}
        />
      </div>
      {rooms.error && rooms.items === null ? (
        <ErrorState error={rooms.error} onRetry={rooms.reload} />
      ) : rooms.items === null ? (
        <LoadingRooms />
      ) : rooms.items.length === 0 ? (
        <NoRooms term={term} isTrash={isTrash} action={newRoom} mayCreate={mayCreateIn.length > 0} />
      ) : (
        <>
          <ul className="rooms" aria-busy={rooms.isLoading}>
            {rooms.items.map(room =>
              isTrash ? (
                <TrashedRoom key={room.id} room={room} onRestored={() => rooms.update(items => items.filter(({ id }) => id !== room.id))} />
              ) : (
                <RoomRow key={room.id} room={room} organization={organization ? null : all.find(({ id }) => id === room.organization)} />
              )
            )}
          </ul>
          {rooms.error && <ErrorState error={rooms.error} onRetry={rooms.loadMore} />}
          {rooms.hasMore && !rooms.error && (
            <div className="rooms-more">
              <Button busy={rooms.isLoadingMore} onClick={rooms.loadMore}>
                Load more
              </Button>
            </div>
          )}
        </>
      )}
      {isNew && <NewRoom organizations={mayCreateIn} organization={organization} onClose={() => setNew(false)} />}
    </Shell>
  )
}

function RoomRow({ room, organization }: { room: RoomInfo; organization: Organization | null | undefined }) {
  const kind = kindOf(room.kind)
  return (
    <li className="room-row" onPointerEnter={() => editorOf(room.kind).load()}>
      <span className="room-icon" title={kind.name}>
        {kind.icon}
      </span>
      <div className="room-about">
        <Link href={`/rooms/${room.id}`} className="room-name truncate">
          {room.name}
        </Link>
        <p className="truncate small muted">
          {organization && `${organization.name} · `}
          <time dateTime={room.created_at} title={fullTime(room.created_at)}>
            {ago(room.created_at)}
          </time>
        </p>
      </div>
      {room.role && <Badge tone={room.role === 'owner' ? 'accent' : undefined}>{roleName(room.role)}</Badge>}
    </li>
  )
}

function TrashedRoom({ room, onRestored }: { room: RoomInfo; onRestored: () => void }) {
  const [busy, setBusy] = useState(false)
  const toast = useToast()
  const restore = async () => {
    setBusy(true)
    try {
      await api.post(`rooms/${room.id}/restore/`)
      toast(`“${room.name}” is back.`)
      onRestored()
    } catch (error) {
      toast(asApiError(error).message)
      setBusy(false)
    }
  }
  return (
    <li className="room-row">
      <span className="room-icon">{kindOf(room.kind).icon}</span>
      <div className="room-about">
        <span className="room-name truncate">{room.name}</span>
        <p className="small muted">In the trash {room.trashed_at && ago(room.trashed_at)}</p>
      </div>
      <Button size="small" icon={<Restore />} busy={busy} onClick={() => void restore()}>
        Restore
      </Button>
    </li>
  )
}

function LoadingRooms() {
  return (
    <ul className="rooms" aria-busy="true" aria-label="Loading">
      {['44%', '28%', '36%', '52%', '31%'].map(width => (
        <li className="room-row" key={width}>
          <span className="room-icon" />
          <div className="room-about">
            <span className="room-name">
              <Skeleton width={width} />
            </span>
            <p className="small">
              <Skeleton width="18%" />
            </p>
          </div>
        </li>
      ))}
    </ul>
  )
}

interface NoRoomsProps {
  term: string
  isTrash: boolean
  mayCreate: boolean
  action: React.ReactNode
}

function NoRooms({ term, isTrash, mayCreate, action }: NoRoomsProps) {
  if (term) {
    return (
      <EmptyState icon={<Search size={22} />} title={`Nothing is called “${term}”`}>
        Look for a part of the name, in upper or lower case.
      </EmptyState>
    )
  }
  if (isTrash) {
    return (
      <EmptyState icon={<Trash size={22} />} title="The trash is empty">
        Rooms that you may take out again show up here.
      </EmptyState>
    )
  }
  return (
    <EmptyState icon={<Box size={22} />} title="No rooms yet" actions={mayCreate && action}>
      {mayCreate
        ? 'A room is one document, and the people who write in it together. Make the first.'
        : 'Nobody has shared a room with you here. Ask a member to.'}
    </EmptyState>
  )
}
