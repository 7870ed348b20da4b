import { useState } from 'react'
import { useLocation } from 'wouter'
import { api, asApiError, type ApiError, type Organization, type RoomInfo } from '../api'
import { KINDS, RICH_TEXT } from '../kinds'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { SelectField, TextField } from '../ui/Field'
import { Notice } from '../ui/states'

interface NewRoomProps {
  /** Those in which the person may make rooms. */
  organizations: Organization[]
  organization: Organization | null
  onClose: () => void
}

export function NewRoom({ organizations, organization, onClose }: NewRoomProps) {
  const [, navigate] = useLocation()
  const [name, setName] = useState('')
  const [kind, setKind] = useState(RICH_TEXT)
  const [place, setPlace] = useState((organizations.find(({ id }) => id === organization?.id) ?? organizations[0])?.id ?? '')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)

  const create = async () => {
    setBusy(true)
    setError(null)
    try {
      const room = await api.post<RoomInfo>('rooms/', { name, kind, organization: place })
      navigate(`/rooms/${room.id}`)
    } catch (caught) {
      setError(asApiError(caught))
      setBusy(false)
    }
  }

  return (
    <Dialog title="New room" onClose={onClose}>
      <form
        className="form"
        onSubmit={event => {
          event.preventDefault()
          void create()
        }}
      >
        {error && !error.field('name') && <Notice tone="bad">{error.message}</Notice>}
        <TextField
          label="Name"
          value={name}
          error={error?.field('name')}
          maxLength={200}
          placeholder="Meeting notes"
          required
          onChange={event => setName(event.target.value)}
        />
        <fieldset className="kinds">
          <legend className="field-label">What it holds</legend>
          {KINDS.map(each => (
            <label className="kind" key={each.id}>
              <input type="radio" name="kind" value={each.id} checked={kind === each.id} onChange={() => setKind(each.id)} />
              <span className="kind-icon">{each.icon}</span>
              <span>
                <strong>{each.name}</strong>
                <span className="small muted">{each.about}</span>
              </span>
            </label>
          ))}
        </fieldset>
        {organizations.length > 1 && (
          <SelectField label="Organization" value={place} onChange={event => setPlace(event.target.value)}>
            {organizations.map(({ id, name: title }) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </SelectField>
        )}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={busy} disabled={!name.trim()}>
            Create room
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
