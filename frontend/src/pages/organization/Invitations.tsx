import { useRef, useState } from 'react'
import { api, type Organization, type OrganizationMember, type OrganizationRole } from '../../api'
import { ago, fullTime } from '../../time'
import { Button } from '../../ui/Button'
import { RolePicker, roleName } from '../../ui/RolePicker'
import { Paged, Row, Rows } from '../../ui/Rows'
import { useToast } from '../../ui/Toast'
import { Mail } from '../../ui/icons'
import type { Pages } from '../../ui/resources'
import { EmptyState } from '../../ui/states'
import { useAttempt } from '../../ui/useAttempt'
import { AddMember } from './AddMember'
import { mayChange, mayManage, rolesToGive } from './rights'

interface InvitationsProps {
  organization: Organization
  members: Pages<OrganizationMember>
}

/** Addresses that were invited, and that nobody has taken up yet. */
export function Invitations({ organization, members }: InvitationsProps) {
  const list = useRef<HTMLDivElement>(null)
  const toast = useToast()
  const none = (
    <EmptyState icon={<Mail size={22} />} title="No invitations are pending">
      Addresses that have no account yet are invited, and stand here until somebody takes the invitation up.
    </EmptyState>
  )
  return (
    <div className="stack">
      {mayManage(organization.role) && <AddMember organization={organization} members={members} />}
      <div ref={list} tabIndex={-1} className="focus-target">
        <Paged pages={members} count={3} empty={none}>
          {items => {
            const invited = items.filter(({ user }) => user === null)
            if (invited.length === 0) return none
            return (
              <Rows label="Pending invitations" busy={members.isLoading}>
                {invited.map(member => (
                  <Invitation
                    key={member.id}
                    organization={organization}
                    member={member}
                    onChanged={changed => members.update(old => old.map(each => (each.id === changed.id ? changed : each)))}
                    onWithdrawn={() => {
                      members.update(old => old.filter(({ id }) => id !== member.id))
                      toast(`The invitation of ${member.email} is withdrawn.`)
                      list.current?.focus()
                    }}
                  />
                ))}
              </Rows>
            )
          }}
        </Paged>
      </div>
    </div>
  )
}

interface InvitationProps {
  organization: Organization
  member: OrganizationMember
  onChanged: (member: OrganizationMember) => void
  onWithdrawn: () => void
}

function Invitation({ organization, member, onChanged, onWithdrawn }: InvitationProps) {
  const { busy, error, attempt } = useAttempt()
  const [wanted, setWanted] = useState<OrganizationRole | null>(null)
  const path = `organizations/${organization.id}/members/${member.id}/`
  const change = async (role: OrganizationRole) => {
    setWanted(role)
    await attempt(async () => onChanged(await api.patch<OrganizationMember>(path, { role })))
    setWanted(null)
  }
  const withdraw = () =>
    attempt(async () => {
      await api.delete(path)
      onWithdrawn()
    })
  return (
    <Row
      lead={
        <span className="tile">
          <Mail />
        </span>
      }
      name={member.email}
      detail={
        <time dateTime={member.created_at} title={fullTime(member.created_at)}>
          Invited {ago(member.created_at)}
        </time>
      }
      error={error?.message}
      busy={busy}
    >
      {mayChange(organization.role, member) ? (
        <>
          <RolePicker
            quiet
            label={`Role of ${member.email}`}
            roles={rolesToGive(organization.role)}
            value={wanted ?? member.role}
            disabled={busy}
            onChange={role => void change(role)}
          />
          <Button size="small" disabled={busy} aria-label={`Withdraw the invitation of ${member.email}`} onClick={() => void withdraw()}>
            Withdraw
          </Button>
        </>
      ) : (
        <span className="row-role">{roleName(member.role)}</span>
      )}
    </Row>
  )
}
