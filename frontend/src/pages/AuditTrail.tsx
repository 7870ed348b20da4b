/** What was done in an organization or a room: newest first, by action and time, and as a file. */
import { useState } from 'react'
import { api, type AuditEntry, type Group } from '../api'
import { ACTIONS, ROOM_ACTIONS, Sentence, actorOf } from '../audit'
import { ago, fullTime } from '../time'
import { Avatar } from '../ui/Avatar'
import { Button } from '../ui/Button'
import { Select } from '../ui/Field'
import { Paged } from '../ui/Rows'
import { Download, History } from '../ui/icons'
import { usePages } from '../ui/resources'
import { EmptyState, Notice } from '../ui/states'
import { useAttempt } from '../ui/useAttempt'
import '../styles/audit.css'

const PERIODS = [
  ['', 'Any time'],
  ['1', 'Last day'],
  ['7', 'Last 7 days'],
  ['30', 'Last 30 days']
] as const
const DAY_MS = 86_400_000

interface AuditTrailProps {
  /** Below the API, such as `rooms/<id>/audit`. */
  path: string
  isOfRoom?: boolean
  /** Of the organization, to name them. */
  groups?: Group[]
}

export function AuditTrail({ path, isOfRoom = false, groups = [] }: AuditTrailProps) {
  const [action, setAction] = useState('')
  const [since, setSince] = useState('')
  const query = new URLSearchParams({ ...(action && { action }), ...(since && { since }) })
  const entries = usePages<AuditEntry>(`${path}/?${query}`)
  const { busy, error, attempt } = useAttempt()
  const [days, setDays] = useState('')
  return (
    <div className="stack">
      <div className="audit-tools">
        <Select aria-label="What was done" value={action} onChange={event => setAction(event.target.value)}>
          <option value="">All</option>
          {(isOfRoom ? ROOM_ACTIONS : ACTIONS).map(each => (
            <option key={each.action} value={each.action}>
              {each.name}
            </option>
          ))}
        </Select>
        <Select
          aria-label="When"
          value={days}
          onChange={event => {
            setDays(event.target.value)
            setSince(event.target.value && new Date(Date.now() - Number(event.target.value) * DAY_MS).toISOString())
          }}
        >
          {PERIODS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
        <Button
          icon={<Download />}
          busy={busy}
          title="What is shown here, all of it, as a table"
          onClick={() => void attempt(() => save(`${path}/export/?${new URLSearchParams([...query, ['type', 'csv']])}`))}
        >
          CSV
        </Button>
      </div>
      {error && <Notice tone="bad">{error.message}</Notice>}
      <Paged
        pages={entries}
        count={6}
        empty={
          <EmptyState icon={<History size={22} />} title="Nothing of that kind">
            {action || since ? 'Look for another action, or further back.' : 'What is done from now on shows up here.'}
          </EmptyState>
        }
      >
        {items => (
          <ol className="audit" aria-label="What was done, newest first" aria-busy={entries.isLoading}>
            {items.map(entry => (
              <Entry key={entry.id} entry={entry} isOfRoom={isOfRoom} groups={groups} />
            ))}
          </ol>
        )}
      </Paged>
    </div>
  )
}

function Entry({ entry, isOfRoom, groups }: { entry: AuditEntry; isOfRoom: boolean; groups: Group[] }) {
  const { number, created_at, address, user_agent, actor } = entry
  return (
    <li className="audit-entry" data-tone={toneOf(entry)}>
      <Avatar name={actor ? actorOf(entry) : ''} size={28} />
      <details>
        <summary>
          <span className="audit-text">
            <Sentence entry={entry} isOfRoom={isOfRoom} groups={groups} />
          </span>
          <time className="small muted" dateTime={created_at} title={fullTime(created_at)}>
            {ago(created_at)}
          </time>
        </summary>
        <dl className="audit-more small">
          <dt>When</dt>
          <dd>
            <time dateTime={created_at}>{fullTime(created_at)}</time>
          </dd>
          {actor?.email && (
            <>
              <dt>Who</dt>
              <dd>{actor.email}</dd>
            </>
          )}
          {address && (
            <>
              <dt>From</dt>
              <dd>{address}</dd>
            </>
          )}
          {user_agent && (
            <>
              <dt>With</dt>
              <dd>{user_agent}</dd>
            </>
          )}
          <dt>Entry</dt>
          <dd>
            {number}, <code>{entry.action}</code>
          </dd>
        </dl>
      </details>
    </li>
  )
}

const toneOf = ({ action }: AuditEntry) =>
  ['session.refused', 'ticket.reused', 'write.denied'].includes(action) ? 'bad' : undefined

async function save(path: string): Promise<void> {
  const url = URL.createObjectURL(await api.file(path))
  const link = document.createElement('a')
  link.href = url
  link.download = `audit-${new Date().toISOString().slice(0, 10)}.csv`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
