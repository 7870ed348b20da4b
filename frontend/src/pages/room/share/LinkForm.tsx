/** Make a share link, or change one. */
import { useState } from 'react'
import { api, type ShareLink, type SharedRole } from '../../../api'
import { fullTime } from '../../../time'
import { Button } from '../../../ui/Button'
import { SelectField, TextField } from '../../../ui/Field'
import { roleName } from '../../../ui/RolePicker'
import { Notice } from '../../../ui/states'
import { restOf, useAttempt } from '../../../ui/useAttempt'

/** With its secret, which is shown this once. */
export interface CreatedShareLink extends ShareLink {
  token: string
  url: string
}

interface LinkFormProps {
  path: string
  link: ShareLink | null
  onCreated: (link: CreatedShareLink) => void
  onChanged: (link: ShareLink) => void
  onCancel: () => void
}

const HOUR_S = 3600
const LIFETIMES = [
  [HOUR_S, 'In 1 hour'],
  [24 * HOUR_S, 'In 1 day'],
  [7 * 24 * HOUR_S, 'In 7 days'],
  [30 * 24 * HOUR_S, 'In 30 days']
] as const

export function LinkForm({ path, link, onCreated, onChanged, onCancel }: LinkFormProps) {
  const [role, setRole] = useState<SharedRole>(link?.role ?? 'viewer')
  const [expiry, setExpiry] = useState(link?.expires_at ? 'keep' : 'never')
  const [date, setDate] = useState('')
  const [password, setPassword] = useState('')
  const [dropsPassword, setDropsPassword] = useState(false)
  const [most, setMost] = useState(link?.max_uses?.toString() ?? '')
  const { busy, error, attempt } = useAttempt()

  const save = () =>
    attempt(async () => {
      const body = {
        role,
        max_uses: most ? Number(most) : null,
        ...(expiry !== 'keep' && { expires_at: momentOf(expiry, date) }),
        ...(password ? { password } : dropsPassword && { password: null })
      }
      if (link) onChanged(await api.patch<ShareLink>(`${path}${link.id}/`, body))
      else onCreated(await api.post<CreatedShareLink>(path, body))
    })
  const rest = restOf(error, 'role', 'expires_at', 'password', 'max_uses')
  return (
    <form
      className="form"
      onSubmit={event => {
        event.preventDefault()
        void save()
      }}
    >
      <h3>{link ? 'Change the link' : 'New link'}</h3>
      {rest && <Notice tone="bad">{rest}</Notice>}
      <div className="form-columns">
        <SelectField
          label="Who has it"
          value={role}
          error={error?.field('role')}
          onChange={event => setRole(event.target.value as SharedRole)}
        >
          <option value="viewer">{roleName('viewer')}</option>
          <option value="editor">{roleName('editor')}</option>
        </SelectField>
        <SelectField
          label="Expires"
          value={expiry}
          error={expiry === 'date' ? undefined : error?.field('expires_at')}
          onChange={event => setExpiry(event.target.value)}
        >
          {link?.expires_at && <option value="keep">{fullTime(link.expires_at)}</option>}
          <option value="never">Never</option>
          {LIFETIMES.map(([seconds, name]) => (
            <option key={seconds} value={seconds}>
              {name}
            </option>
          ))}
          <option value="date">On a date…</option>
        </SelectField>
        {expiry === 'date' && (
          <TextField
            label="Date and time"
            type="datetime-local"
            required
            value={date}
            error={error?.field('expires_at')}
            onChange={event => setDate(event.target.value)}
          />
        )}
        <TextField
          label={link?.has_password ? 'New password' : 'Password (optional)'}
          type="password"
          autoComplete="new-password"
          maxLength={128}
          value={password}
          error={error?.field('password')}
          hint={link?.has_password ? 'Empty: the one it has stays.' : undefined}
          onChange={event => setPassword(event.target.value)}
        />
        <TextField
          label="People at most (optional)"
          type="number"
          inputMode="numeric"
          min={1}
          max={1_000_000}
          placeholder="Any number"
          value={most}
          error={error?.field('max_uses')}
          onChange={event => setMost(event.target.value)}
        />
      </div>
      {link?.has_password && !password && (
        <label className="check">
          <input type="checkbox" checked={dropsPassword} onChange={event => setDropsPassword(event.target.checked)} />
          Ask for no password any more
        </label>
      )}
      <div className="dialog-actions">
        <Button onClick={onCancel}>Back</Button>
        <Button look="primary" type="submit" busy={busy}>
          {link ? 'Save' : 'Make the link'}
        </Button>
      </div>
    </form>
  )
}

/** As the API takes it; null for never. */
function momentOf(expiry: string, date: string): string | null {
  if (expiry === 'never') return null
  return (expiry === 'date' ? new Date(date) : new Date(Date.now() + Number(expiry) * 1000)).toISOString()
}
