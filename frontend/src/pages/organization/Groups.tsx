import { useState } from 'react'
import { api, type Group, type Organization, type OrganizationMember } from '../../api'
import { ago, fullTime } from '../../time'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { TextField } from '../../ui/Field'
import { Paged, Row, Rows } from '../../ui/Rows'
import { useToast } from '../../ui/Toast'
import { People, Plus } from '../../ui/icons'
import { usePages } from '../../ui/resources'
import { EmptyState, Notice } from '../../ui/states'
import { restOf, useAttempt } from '../../ui/useAttempt'
import { GroupDialog } from './GroupDialog'
import { mayManage } from './rights'

interface GroupsProps {
  organization: Organization
  members: OrganizationMember[]
}

/** Members who are given access to rooms together. */
export function Groups({ organization, members }: GroupsProps) {
  const path = `organizations/${organization.id}/groups/`
  const groups = usePages<Group>(path)
  const [isNew, setNew] = useState(false)
  const [open, setOpen] = useState<Group | null>(null)
  const toast = useToast()
  const canManage = mayManage(organization.role)
  const newGroup = canManage && (
    <Button icon={<Plus />} onClick={() => setNew(true)}>
      New group
    </Button>
  )
  return (
    <div className="stack">
      <div className="part-head">
        <p className="muted">A group is given access to a room like a person: in the room, under “Share”.</p>
        {newGroup}
      </div>
      <Paged
        pages={groups}
        count={3}
        empty={
          <EmptyState icon={<People size={22} />} title="No groups yet" actions={newGroup}>
            Put people together who work on the same things, and share rooms with all of them at once.
          </EmptyState>
        }
      >
        {items => (
          <Rows label="Groups" busy={groups.isLoading}>
            {items.map(group => (
              <Row
                key={group.id}
                lead={
                  <span className="tile" data-tone="accent">
                    <People />
                  </span>
                }
                name={group.name}
                detail={
                  <time dateTime={group.created_at} title={fullTime(group.created_at)}>
                    Made {ago(group.created_at)}
                  </time>
                }
              >
                <Button size="small" aria-label={`${canManage ? 'Manage' : 'Members of'} ${group.name}`} onClick={() => setOpen(group)}>
                  {canManage ? 'Manage' : 'Members'}
                </Button>
              </Row>
            ))}
          </Rows>
        )}
      </Paged>
      {isNew && (
        <NewGroup
          path={path}
          onClose={() => setNew(false)}
          onCreated={made => {
            groups.update(items => [made, ...items])
            setNew(false)
            setOpen(made)
          }}
        />
      )}
      {open && (
        <GroupDialog
          organization={organization}
          group={open}
          members={members}
          onRenamed={renamed => {
            groups.update(items => items.map(each => (each.id === renamed.id ? renamed : each)))
            setOpen(renamed)
          }}
          onDeleted={() => {
            groups.update(items => items.filter(({ id }) => id !== open.id))
            toast(`The group “${open.name}” is deleted.`)
            setOpen(null)
          }}
          onClose={() => setOpen(null)}
        />
      )}
    </div>
  )
}

function NewGroup({ path, onCreated, onClose }: { path: string; onCreated: (made: Group) => void; onClose: () => void }) {
  const [name, setName] = useState('')
  const { busy, error, attempt } = useAttempt()
  const rest = restOf(error, 'name')
  return (
    <Dialog title="New group" onClose={onClose}>
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void attempt(async () => onCreated(await api.post<Group>(path, { name })))
        }}
      >
        {rest && <Notice tone="bad">{rest}</Notice>}
        <TextField
          label="Name"
          placeholder="Editors"
          required
          maxLength={150}
          value={name}
          error={error?.field('name')}
          onChange={event => setName(event.target.value)}
        />
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={busy} disabled={!name.trim()}>
            Make the group
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
