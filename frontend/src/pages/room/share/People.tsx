/** Members of the room by name: people, groups, and addresses that are invited. */
import { useRef, useState } from 'react'
import { api, type RoomInfo, type RoomMember, type RoomRole, type SharedRole } from '../../../api'
import { useMe } from '../../../me'
import { Avatar } from '../../../ui/Avatar'
import { IconButton } from '../../../ui/Button'
import { Select } from '../../../ui/Field'
import { RolePicker, roleName } from '../../../ui/RolePicker'
import { Paged, Row, Rows } from '../../../ui/Rows'
import { Building, Close, Mail, People as PeopleIcon } from '../../../ui/icons'
import { usePages } from '../../../ui/resources'
import { Badge } from '../../../ui/states'
import { useAttempt } from '../../../ui/useAttempt'
import { AddMember } from './AddMember'

export const ROOM_ROLES: readonly RoomRole[] = ['viewer', 'editor', 'owner']

interface PeopleProps {
  room: RoomInfo
  onChanged: (room: RoomInfo) => void
  /** After one's own role was changed. */
  onOwnChange?: () => void
}

export function People({ room, onChanged, onOwnChange }: PeopleProps) {
  const members = usePages<RoomMember>(`rooms/${room.id}/members/?page_size=100`)
  const [told, setTold] = useState('')
  const list = useRef<HTMLDivElement>(null)
  const mayShare = room.abilities.share

  const onAdded = (made: RoomMember) => {
    members.update(items => [made, ...items.filter(({ id }) => id !== made.id)])
    const name = nameOf(made)
    setTold(made.email ? `${name} is invited by e-mail.` : `${name}: ${roleName(made.role).toLowerCase()} from now on.`)
  }
  const onRemoved = (gone: RoomMember) => {
    members.update(items => items.filter(({ id }) => id !== gone.id))
    setTold(gone.email ? `The invitation of ${gone.email} is withdrawn.` : `${nameOf(gone)} has no access by name any more.`)
    list.current?.focus()
  }
  return (
    <div className="stack">
      {mayShare && <AddMember room={room} members={members.items ?? []} onTyped={() => setTold('')} onAdded={onAdded} />}
      <p className="share-told" role="status">
        {told}
      </p>
      <div>
        <Everyone room={room} onChanged={onChanged} />
        <div ref={list} tabIndex={-1} className="focus-target">
          <Paged pages={members} empty={<p className="muted">Nobody was given access by name.</p>} count={3}>
            {items => (
              <Rows label="Members of the room" busy={members.isLoading}>
                {items.map(member => (
                  <Member
                    key={member.id}
                    room={room}
                    member={member}
                    onChanged={changed => {
                      members.update(old => old.map(each => (each.id === changed.id ? changed : each)))
                      setTold(`${nameOf(changed)}: ${roleName(changed.role).toLowerCase()} from now on.`)
                    }}
                    onRemoved={() => onRemoved(member)}
                    onOwnChange={onOwnChange}
                  />
                ))}
              </Rows>
            )}
          </Paged>
        </div>
      </div>
    </div>
  )
}

const nameOf = ({ user, group, email }: RoomMember) => user?.name ?? group?.name ?? email ?? ''

interface MemberProps {
  room: RoomInfo
  member: RoomMember
  onChanged: (member: RoomMember) => void
  onRemoved: () => void
  onOwnChange: (() => void) | undefined
}

function Member({ room, member, onChanged, onRemoved, onOwnChange }: MemberProps) {
  const { user: me } = useMe()
  const { busy, error, attempt } = useAttempt()
  const [wanted, setWanted] = useState<RoomRole | null>(null)
  const { user, group, email } = member
  const name = nameOf(member)
  const isMe = user !== null && user.id === me?.id
  const path = `rooms/${room.id}/members/${member.id}/`

  const change = async (role: RoomRole) => {
    setWanted(role)
    await attempt(async () => {
      onChanged(await api.patch<RoomMember>(path, { role }))
      if (isMe) onOwnChange?.()
    })
    setWanted(null)
  }
  const remove = () =>
    attempt(async () => {
      await api.delete(path)
      onRemoved()
      if (isMe) onOwnChange?.()
    })
  return (
    <Row
      lead={user ? <Avatar name={name} size={32} /> : <span className="tile">{group ? <PeopleIcon /> : <Mail />}</span>}
      name={
        <>
          {name}
          {isMe && <span className="muted"> (you)</span>}
        </>
      }
      badge={email && <Badge tone="warn">Invited</Badge>}
      detail={user?.email ?? (group ? 'Group' : 'Has not taken up the invitation yet')}
      error={error?.message}
      busy={busy}
    >
      {room.abilities.share ? (
        <>
          <RolePicker
            quiet
            label={`Role of ${name}`}
            roles={ROOM_ROLES}
            value={wanted ?? member.role}
            disabled={busy}
            onChange={role => void change(role)}
          />
          <IconButton
            label={email ? `Withdraw the invitation of ${name}` : `Take away the access of ${name}`}
            icon={<Close />}
            disabled={busy}
            onClick={() => void remove()}
          />
        </>
      ) : (
        <span className="row-role">{roleName(member.role)}</span>
      )}
    </Row>
  )
}

/** What every member of the organization may do here. */
function Everyone({ room, onChanged }: { room: RoomInfo; onChanged: (room: RoomInfo) => void }) {
  const { organizations } = useMe()
  const { busy, error, attempt } = useAttempt()
  const [wanted, setWanted] = useState<SharedRole | '' | null>(null)
  const organization = organizations.data?.find(({ id }) => id === room.organization)?.name ?? 'the organization'
  const change = async (role: SharedRole | '') => {
    setWanted(role)
    await attempt(async () => onChanged(await api.patch<RoomInfo>(`rooms/${room.id}/`, { organization_role: role || null })))
    setWanted(null)
  }
  return (
    <Rows label="Everyone in the organization">
      <Row
        lead={
          <span className="tile" data-tone={room.organization_role ? 'accent' : undefined}>
            <Building />
          </span>
        }
        name={`Everyone in ${organization}`}
        detail="Its members; no guests. Its owners and admins own all rooms."
        error={error?.message}
        busy={busy}
      >
        {room.abilities.manage ? (
          <Select
            quiet
            aria-label={`What everyone in ${organization} may do`}
            value={wanted ?? room.organization_role ?? ''}
            disabled={busy}
            onChange={event => void change(event.target.value as SharedRole | '')}
          >
            <option value="">No access</option>
            <option value="viewer">{roleName('viewer')}</option>
            <option value="editor">{roleName('editor')}</option>
          </Select>
        ) : (
          <span className="row-role">{room.organization_role ? roleName(room.organization_role) : 'No access'}</span>
        )}
      </Row>
    </Rows>
  )
}
