/** Who has access to the room, and giving and taking it. */
import { useState } from 'react'
import { api, asApiError, type RoomInfo, type RoomMember, type RoomRole } from '../../api'
import { useMe } from '../../me'
import { Avatar } from '../../ui/Avatar'
import { Button, IconButton } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { TextField } from '../../ui/Field'
import { RolePicker, roleName } from '../../ui/RolePicker'
import { Close } from '../../ui/icons'
import { usePages } from '../../ui/resources'
import { Badge, ErrorState, Notice, Skeleton } from '../../ui/states'

const ROLES: readonly RoomRole[] = ['viewer', 'editor', 'owner']

export default function ShareDialog({ room, onClose }: { room: RoomInfo; onClose: () => void }) {
  const members = usePages<RoomMember>(`rooms/${room.id}/members/`)
  const add = (made: RoomMember) => members.update(items => [...items.filter(({ id }) => id !== made.id), made])
  return (
    <Dialog title={`Share “${room.name}”`} size="large" onClose={onClose}>
      {room.abilities.share && <AddMember roomId={room.id} onAdded={add} />}
      {members.items === null ? (
        members.error ? (
          <ErrorState error={members.error} onRetry={members.reload} />
        ) : (
          <Skeleton height="48px" />
        )
      ) : (
        <ul className="members" aria-label="Members">
          {members.items.map(member => (
            <Member
              key={member.id}
              room={room}
              member={member}
              onChanged={changed => members.update(items => items.map(each => (each.id === changed.id ? changed : each)))}
              onRemoved={() => members.update(items => items.filter(({ id }) => id !== member.id))}
            />
          ))}
        </ul>
      )}
      {members.hasMore && (
        <Button busy={members.isLoadingMore} onClick={members.loadMore}>
          Load more
        </Button>
      )}
    </Dialog>
  )
}

function AddMember({ roomId, onAdded }: { roomId: string; onAdded: (member: RoomMember) => void }) {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<RoomRole>('editor')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const add = async () => {
    setBusy(true)
    setError('')
    try {
      onAdded(await api.post<RoomMember>(`rooms/${roomId}/members/`, { email, role }))
      setEmail('')
    } catch (caught) {
      const failure = asApiError(caught)
      setError(failure.field('email') ?? failure.message)
    }
    setBusy(false)
  }
  return (
    <form
      className="share-add"
      onSubmit={event => {
        event.preventDefault()
        void add()
      }}
    >
      <TextField
        label="Add by e-mail"
        type="email"
        placeholder="name@example.com"
        required
        value={email}
        error={error}
        hint="An address without an account is invited."
        onChange={event => setEmail(event.target.value)}
      />
      <div className="share-add-role">
        <RolePicker label="Role" roles={ROLES} value={role} onChange={setRole} />
        <Button look="primary" type="submit" busy={busy}>
          Add
        </Button>
      </div>
    </form>
  )
}

interface MemberProps {
  room: RoomInfo
  member: RoomMember
  onChanged: (member: RoomMember) => void
  onRemoved: () => void
}

function Member({ room, member, onChanged, onRemoved }: MemberProps) {
  const { user: me } = useMe()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const { user, group, email } = member
  const name = user?.name ?? group?.name ?? email ?? ''
  const path = `rooms/${room.id}/members/${member.id}/`
  const attempt = async (action: () => Promise<void>) => {
    setBusy(true)
    setError('')
    await action().catch((caught: unknown) => setError(asApiError(caught).message))
    setBusy(false)
  }
  return (
    <li className="member" aria-busy={busy}>
      <Avatar name={name} size={32} />
      <div className="member-about">
        <p className="truncate">
          {name}
          {user && user.id === me?.id && <span className="muted"> (you)</span>}
        </p>
        <p className="small muted truncate">{user?.email ?? (group ? 'Group' : 'Invited')}</p>
      </div>
      {!user && !group && <Badge>Invited</Badge>}
      {room.abilities.share ? (
        <>
          <RolePicker
            quiet
            label={`Role of ${name}`}
            roles={ROLES}
            value={member.role}
            disabled={busy}
            onChange={role => void attempt(async () => onChanged(await api.patch<RoomMember>(path, { role })))}
          />
          <IconButton
            label={`Take away the access of ${name}`}
            icon={<Close />}
            disabled={busy}
            onClick={() =>
              void attempt(async () => {
                await api.delete(path)
                onRemoved()
              })
            }
          />
        </>
      ) : (
        <span className="muted small">{roleName(member.role)}</span>
      )}
      {error && (
        <div className="member-error">
          <Notice tone="bad">{error}</Notice>
        </div>
      )}
    </li>
  )
}
