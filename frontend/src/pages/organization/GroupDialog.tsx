/** One group: who is in it, its name, and its end. */
import { useRef, useState } from 'react'
import { api, type Group, type GroupMember, type Organization, type OrganizationMember } from '../../api'
import { Avatar } from '../../ui/Avatar'
import { Button, IconButton } from '../../ui/Button'
import { Combobox, type Suggestion } from '../../ui/Combobox'
import { ConfirmDialog, Dialog } from '../../ui/Dialog'
import { TextField } from '../../ui/Field'
import { Paged, Row, Rows } from '../../ui/Rows'
import { Close, Mail, Trash } from '../../ui/icons'
import { usePages, type Pages } from '../../ui/resources'
import { Badge } from '../../ui/states'
import { useAttempt } from '../../ui/useAttempt'
import { mayManage } from './rights'

interface GroupDialogProps {
  organization: Organization
  group: Group
  /** Of the organization: who can be put into it. */
  members: OrganizationMember[]
  onRenamed: (group: Group) => void
  onDeleted: () => void
  onClose: () => void
}

export function GroupDialog({ organization, group, members, onRenamed, onDeleted, onClose }: GroupDialogProps) {
  const path = `organizations/${organization.id}/groups/${group.id}/`
  const inGroup = usePages<GroupMember>(`${path}members/?page_size=100`)
  const [isAsked, setAsked] = useState(false)
  const list = useRef<HTMLDivElement>(null)
  const canManage = mayManage(organization.role)
  return (
    <Dialog title={group.name} size="large" onClose={onClose}>
      {canManage && <AddToGroup path={path} inGroup={inGroup} members={members} />}
      <div ref={list} tabIndex={-1} className="focus-target">
        <Paged pages={inGroup} count={3} empty={<p className="muted empty-line">Nobody is in this group yet.</p>}>
          {items => (
            <Rows label={`Members of ${group.name}`} busy={inGroup.isLoading}>
              {items.map(member => (
                <Member
                  key={member.id}
                  path={path}
                  member={member}
                  canManage={canManage}
                  onRemoved={() => {
                    inGroup.update(old => old.filter(({ id }) => id !== member.id))
                    list.current?.focus()
                  }}
                />
              ))}
            </Rows>
          )}
        </Paged>
      </div>
      {canManage && (
        <div className="group-foot">
          <Rename path={path} group={group} onRenamed={onRenamed} />
          <Button icon={<Trash />} onClick={() => setAsked(true)}>
            Delete the group
          </Button>
        </div>
      )}
      {isAsked && (
        <ConfirmDialog
          title={`Delete the group “${group.name}”?`}
          action="Delete"
          danger
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await api.delete(path)
            onDeleted()
          }}
        >
          What it was given in rooms ends at once, for everybody who had it by this group alone.
        </ConfirmDialog>
      )}
    </Dialog>
  )
}

interface AddToGroupProps {
  path: string
  inGroup: Pages<GroupMember>
  members: OrganizationMember[]
}

function AddToGroup({ path, inGroup, members }: AddToGroupProps) {
  const [text, setText] = useState('')
  const { busy, error, attempt, forget } = useAttempt()
  const addressOf = ({ user, email }: { user: { email: string } | null; email: string | null }) => user?.email ?? email ?? ''
  const there = new Set(inGroup.items?.map(addressOf))
  const suggestions: Suggestion[] = members
    .filter(member => !there.has(addressOf(member)))
    .map(member => ({
      id: member.id,
      value: addressOf(member),
      name: member.user?.name ?? addressOf(member),
      detail: member.user ? member.user.email : 'Invited',
      icon: member.user ? (
        <Avatar name={member.user.name} size={28} />
      ) : (
        <span className="tile" data-size="small">
          <Mail />
        </span>
      )
    }))
  const add = () =>
    attempt(async () => {
      const made = await api.post<GroupMember>(`${path}members/`, { email: text.trim() })
      inGroup.update(items => [made, ...items])
      setText('')
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
        label="Add a member"
        placeholder="Name or e-mail"
        value={text}
        error={error ? (error.field('email') ?? error.message) : undefined}
        suggestions={suggestions}
        onChange={value => {
          forget()
          setText(value)
        }}
      />
      <Button look="primary" type="submit" busy={busy} disabled={!text.trim()}>
        Add
      </Button>
    </form>
  )
}

interface MemberProps {
  path: string
  member: GroupMember
  canManage: boolean
  onRemoved: () => void
}

function Member({ path, member, canManage, onRemoved }: MemberProps) {
  const { busy, error, attempt } = useAttempt()
  const { user, email } = member
  const name = user?.name ?? email ?? ''
  const remove = () =>
    attempt(async () => {
      await api.delete(`${path}members/${member.id}/`)
      onRemoved()
    })
  return (
    <Row
      lead={
        user ? (
          <Avatar name={name} size={32} />
        ) : (
          <span className="tile">
            <Mail />
          </span>
        )
      }
      name={name}
      badge={!user && <Badge tone="warn">Invited</Badge>}
      detail={user?.email}
      error={error?.message}
      busy={busy}
    >
      {canManage && (
        <IconButton label={`Take ${name} out of the group`} icon={<Close />} disabled={busy} onClick={() => void remove()} />
      )}
    </Row>
  )
}

function Rename({ path, group, onRenamed }: { path: string; group: Group; onRenamed: (group: Group) => void }) {
  const [name, setName] = useState(group.name)
  const { busy, error, attempt } = useAttempt()
  return (
    <form
      className="share-add"
      onSubmit={event => {
        event.preventDefault()
        void attempt(async () => onRenamed(await api.patch<Group>(path, { name })))
      }}
    >
      <TextField
        label="Name of the group"
        required
        maxLength={150}
        value={name}
        error={error ? (error.field('name') ?? error.message) : undefined}
        onChange={event => setName(event.target.value)}
      />
      <Button type="submit" busy={busy} disabled={!name.trim() || name.trim() === group.name}>
        Rename
      </Button>
    </form>
  )
}
