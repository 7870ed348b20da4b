import { useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { api, type Organization, type OrganizationMember, type OrganizationRole } from '../../api'
import { useMe } from '../../me'
import { chooseOrganization } from '../../organizations'
import { ago, fullTime } from '../../time'
import { Avatar } from '../../ui/Avatar'
import { IconButton } from '../../ui/Button'
import { ConfirmDialog } from '../../ui/Dialog'
import { RolePicker, roleName } from '../../ui/RolePicker'
import { Paged, Row, Rows } from '../../ui/Rows'
import { useToast } from '../../ui/Toast'
import { Close, Leave } from '../../ui/icons'
import type { Pages } from '../../ui/resources'
import { Notice } from '../../ui/states'
import { useAttempt } from '../../ui/useAttempt'
import { AddMember } from './AddMember'
import { mayChange, mayManage, rolesToGive } from './rights'

interface MembersProps {
  organization: Organization
  members: Pages<OrganizationMember>
  /** After one's own role was changed. */
  onOwnChange: () => void
}

export function Members({ organization, members, onOwnChange }: MembersProps) {
  const { user: me, organizations } = useMe()
  const [removed, setRemoved] = useState<OrganizationMember | null>(null)
  const [, navigate] = useLocation()
  const list = useRef<HTMLDivElement>(null)
  const toast = useToast()
  const isMe = (member: OrganizationMember | null) => member !== null && member.user?.id === me?.id

  const remove = async (member: OrganizationMember) => {
    await api.delete(`organizations/${organization.id}/members/${member.id}/`)
    if (isMe(member)) {
      chooseOrganization(null)
      organizations.reload()
      toast(`You left “${organization.name}”.`)
      navigate('/')
      return
    }
    members.update(items => items.filter(({ id }) => id !== member.id))
    toast(`${member.user?.name} is no member of “${organization.name}” any more.`)
    list.current?.focus()
  }
  return (
    <div className="stack">
      {mayManage(organization.role) && <AddMember organization={organization} members={members} />}
      {organization.role === 'guest' && (
        <Notice>As a guest you see yourself here, and the rooms that were shared with you.</Notice>
      )}
      <div ref={list} tabIndex={-1} className="focus-target">
        <Paged pages={members} count={6} empty={null}>
          {items => (
            <Rows label="Members" busy={members.isLoading}>
              {items
                .filter(({ user }) => user !== null)
                .map(member => (
                  <Member
                    key={member.id}
                    organization={organization}
                    member={member}
                    isMe={isMe(member)}
                    onChanged={changed => {
                      members.update(old => old.map(each => (each.id === changed.id ? changed : each)))
                      if (isMe(changed)) onOwnChange()
                    }}
                    onRemove={() => setRemoved(member)}
                  />
                ))}
            </Rows>
          )}
        </Paged>
      </div>
      {removed && (
        <ConfirmDialog
          title={isMe(removed) ? `Leave “${organization.name}”?` : `Remove ${removed.user?.name}?`}
          action={isMe(removed) ? 'Leave' : 'Remove'}
          danger
          onConfirm={() => remove(removed)}
          onClose={() => setRemoved(null)}
        >
          {isMe(removed) ? 'You lose' : 'They lose'} at once what was given in the rooms of “{organization.name}”: by name, by
          group and by link. Their open windows close.
        </ConfirmDialog>
      )}
    </div>
  )
}

interface MemberProps {
  organization: Organization
  member: OrganizationMember
  isMe: boolean
  onChanged: (member: OrganizationMember) => void
  onRemove: () => void
}

function Member({ organization, member, isMe, onChanged, onRemove }: MemberProps) {
  const { busy, error, attempt } = useAttempt()
  const [wanted, setWanted] = useState<OrganizationRole | null>(null)
  const name = member.user?.name ?? ''
  const change = async (role: OrganizationRole) => {
    setWanted(role)
    await attempt(async () =>
      onChanged(await api.patch<OrganizationMember>(`organizations/${organization.id}/members/${member.id}/`, { role }))
    )
    setWanted(null)
  }
  return (
    <Row
      lead={<Avatar name={name} size={32} />}
      name={
        <>
          {name}
          {isMe && <span className="muted"> (you)</span>}
        </>
      }
      detail={
        <span className="dotted">
          <span>{member.user?.email}</span>
          <time className="wide" dateTime={member.created_at} title={fullTime(member.created_at)}>
            added {ago(member.created_at)}
          </time>
        </span>
      }
      error={error?.message}
      busy={busy}
    >
      {mayChange(organization.role, member) ? (
        <>
          <RolePicker
            quiet
            label={`Role of ${name}`}
            roles={rolesToGive(organization.role)}
            value={wanted ?? member.role}
            disabled={busy}
            onChange={role => void change(role)}
          />
          <IconButton
            label={isMe ? 'Leave the organization' : `Remove ${name}`}
            icon={isMe ? <Leave /> : <Close />}
            disabled={busy}
            onClick={onRemove}
          />
        </>
      ) : (
        <span className="row-role">{roleName(member.role)}</span>
      )}
    </Row>
  )
}
