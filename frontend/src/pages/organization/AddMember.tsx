import { useState } from 'react'
import { api, type Organization, type OrganizationMember, type OrganizationRole } from '../../api'
import { Button } from '../../ui/Button'
import { TextField } from '../../ui/Field'
import { RolePicker } from '../../ui/RolePicker'
import type { Pages } from '../../ui/resources'
import { useAttempt } from '../../ui/useAttempt'
import { rolesToGive } from './rights'

interface AddMemberProps {
  organization: Organization
  members: Pages<OrganizationMember>
}

/** The account with an address becomes a member at once; an address without one is invited. */
export function AddMember({ organization, members }: AddMemberProps) {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<OrganizationRole>('member')
  const [told, setTold] = useState('')
  const { busy, error, attempt, forget } = useAttempt()
  const add = () =>
    attempt(async () => {
      const made = await api.post<OrganizationMember>(`organizations/${organization.id}/members/`, { email: email.trim(), role })
      members.update(items => [made, ...items])
      setTold(made.user ? `${made.user.name} is a member now, and was sent a mail.` : `${made.email} is invited by e-mail.`)
      setEmail('')
    })
  return (
    <div>
      <form
        className="share-add"
        noValidate
        onSubmit={event => {
          event.preventDefault()
          if (email.trim()) void add()
        }}
      >
        <TextField
          label="Add a member"
          type="email"
          placeholder="name@example.com"
          autoComplete="off"
          value={email}
          error={error ? (error.field('email') ?? error.message) : undefined}
          onChange={event => {
            forget()
            setTold('')
            setEmail(event.target.value)
          }}
        />
        <RolePicker label="Role" roles={rolesToGive(organization.role)} value={role} onChange={setRole} />
        <Button look="primary" type="submit" busy={busy} disabled={!email.trim()}>
          Add
        </Button>
      </form>
      <p className="share-told" role="status">
        {told}
      </p>
    </div>
  )
}
