/** Give somebody a role: one of the organization, one of its groups, or whoever has an e-mail address. */
import { useState } from 'react'
import { api, type Group, type OrganizationMember, type RoomInfo, type RoomMember, type RoomRole } from '../../../api'
import { Avatar } from '../../../ui/Avatar'
import { Button } from '../../../ui/Button'
import { Combobox, type Suggestion } from '../../../ui/Combobox'
import { RolePicker } from '../../../ui/RolePicker'
import { People as PeopleIcon } from '../../../ui/icons'
import { useAttempt } from '../../../ui/useAttempt'
import { ROOM_ROLES } from './People'

interface AddMemberProps {
  room: RoomInfo
  members: RoomMember[]
  onTyped: () => void
  onAdded: (member: RoomMember) => void
}

type Grantee = { user: string } | { group: string }

export function AddMember({ room, members, onTyped, onAdded }: AddMemberProps) {
  const known = useKnown(room.organization)
  const [text, setText] = useState('')
  const [grantee, setGrantee] = useState<Grantee | null>(null)
  const [role, setRole] = useState<RoomRole>('editor')
  const { busy, error, attempt, forget } = useAttempt()

  const isThere = (id: string) => members.some(({ user, group }) => user?.id === id || group?.id === id)
  const suggestions = known.suggestions.filter(({ id }) => !isThere(id))
  const add = () =>
    attempt(async () => {
      onAdded(await api.post<RoomMember>(`rooms/${room.id}/members/`, { ...(grantee ?? { email: text.trim() }), role }))
      setText('')
      setGrantee(null)
    })
  return (
    <form
      className="share-add"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        if (text.trim()) void add()
      }}
    >
      <Combobox
        label="Add people or groups"
        placeholder="Name, group or e-mail"
        value={text}
        error={error ? (error.field('email') ?? error.field('user') ?? error.field('group') ?? error.message) : undefined}
        suggestions={suggestions}
        onFocus={known.load}
        onChange={(value, chosen) => {
          forget()
          onTyped()
          setText(value)
          setGrantee(chosen && (known.isGroup(chosen.id) ? { group: chosen.id } : { user: chosen.id }))
        }}
      />
      <RolePicker label="Role" roles={ROOM_ROLES} value={role} onChange={setRole} />
      <Button look="primary" type="submit" busy={busy} disabled={!text.trim()}>
        Add
      </Button>
    </form>
  )
}

/** Who can be suggested: nobody to guests of the organization, or to those outside of it. */
function useKnown(organization: string) {
  const [people, setPeople] = useState<OrganizationMember[]>([])
  const [groups, setGroups] = useState<Group[] | null>(null)
  const load = () => {
    if (groups !== null) return
    setGroups([])
    const path = `organizations/${organization}`
    api.get<{ results: OrganizationMember[] }>(`${path}/members/?page_size=200`).then(page => setPeople(page.results), () => {})
    api.get<{ results: Group[] }>(`${path}/groups/?page_size=200`).then(page => setGroups(page.results), () => {})
  }
  const suggestions: Suggestion[] = [
    ...(groups ?? []).map(({ id, name }) => ({
      id,
      value: name,
      name,
      detail: 'Group',
      icon: (
        <span className="tile" data-size="small">
          <PeopleIcon />
        </span>
      )
    })),
    ...people.flatMap(({ user }) =>
      user ? { id: user.id, value: user.email, name: user.name, detail: user.email, icon: <Avatar name={user.name} size={28} /> } : []
    )
  ]
  return { load, suggestions, isGroup: (id: string) => (groups ?? []).some(group => group.id === id) }
}
