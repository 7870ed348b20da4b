import { useState } from 'react'
import { useLocation } from 'wouter'
import { api, type Organization } from '../../api'
import { useMe } from '../../me'
import { chooseOrganization } from '../../organizations'
import { Button } from '../../ui/Button'
import { TextField } from '../../ui/Field'
import { PhraseDialog } from '../../ui/PhraseDialog'
import { Section } from '../../ui/Section'
import { useToast } from '../../ui/Toast'
import { Notice } from '../../ui/states'
import { restOf, useAttempt } from '../../ui/useAttempt'

interface SettingsProps {
  organization: Organization
  onChanged: (organization: Organization) => void
}

export function Settings({ organization, onChanged }: SettingsProps) {
  return (
    <div className="sections">
      <Name organization={organization} onChanged={onChanged} />
      <Deletion organization={organization} />
    </div>
  )
}

function Name({ organization, onChanged }: SettingsProps) {
  const [name, setName] = useState(organization.name)
  const { busy, error, attempt } = useAttempt()
  const toast = useToast()
  const rename = () =>
    attempt(async () => {
      onChanged(await api.patch<Organization>(`organizations/${organization.id}/`, { name }))
      toast('The organization has its new name.')
    })
  const rest = restOf(error, 'name')
  return (
    <Section title="Name" about="All members see it, and whoever is invited.">
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void rename()
        }}
      >
        {rest && <Notice tone="bad">{rest}</Notice>}
        <TextField
          label="Name of the organization"
          required
          maxLength={150}
          value={name}
          error={error?.field('name')}
          onChange={event => setName(event.target.value)}
        />
        <div>
          <Button type="submit" look="primary" busy={busy} disabled={!name.trim() || name.trim() === organization.name}>
            Rename
          </Button>
        </div>
      </form>
    </Section>
  )
}

function Deletion({ organization }: { organization: Organization }) {
  const { organizations } = useMe()
  const [isAsked, setAsked] = useState(false)
  const [, navigate] = useLocation()
  const toast = useToast()
  const isOwner = organization.role === 'owner'
  return (
    <Section title="Delete the organization" about="With all its rooms, their documents and its groups. Nobody can undo it." danger>
      {isOwner ? (
        <div>
          <Button onClick={() => setAsked(true)}>Delete “{organization.name}”…</Button>
        </div>
      ) : (
        <p className="muted">Only its owners can.</p>
      )}
      {isAsked && (
        <PhraseDialog
          title={`Delete “${organization.name}” for good?`}
          label="Name of the organization"
          phrase={organization.name}
          action="Delete it for good"
          onClose={() => setAsked(false)}
          onConfirm={async () => {
            await api.delete(`organizations/${organization.id}/`)
            chooseOrganization(null)
            organizations.reload()
            toast(`“${organization.name}” is deleted.`)
            navigate('/', { replace: true })
          }}
        >
          All its rooms close now, for everyone, and are deleted with their documents. There is no trash for
          organizations.
        </PhraseDialog>
      )}
    </Section>
  )
}
