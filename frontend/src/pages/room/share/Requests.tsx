/** Who asks for access, and the answer. */
import { useRef, useState } from 'react'
import { api, type AccessRequest, type SharedRole } from '../../../api'
import { ago, fullTime } from '../../../time'
import { Avatar } from '../../../ui/Avatar'
import { Button } from '../../../ui/Button'
import { RolePicker } from '../../../ui/RolePicker'
import { Paged, Row, Rows } from '../../../ui/Rows'
import { Check, People } from '../../../ui/icons'
import type { Pages } from '../../../ui/resources'
import { Badge, EmptyState } from '../../../ui/states'
import { useAttempt } from '../../../ui/useAttempt'

const ROLES: readonly SharedRole[] = ['viewer', 'editor']
const ANSWERED_SHOWN = 5

export function Requests({ roomId, requests }: { roomId: string; requests: Pages<AccessRequest> }) {
  const list = useRef<HTMLDivElement>(null)
  const onAnswered = (answered: AccessRequest) => {
    requests.update(items => items.map(each => (each.id === answered.id ? answered : each)))
    list.current?.focus()
  }
  const nobody = (
    <EmptyState icon={<People size={22} />} title="Nobody waits for an answer">
      Members of the organization who open this room without access can ask for it. They show up here.
    </EmptyState>
  )
  return (
    <div ref={list} tabIndex={-1} className="focus-target stack">
      <Paged pages={requests} empty={nobody} count={2}>
        {items => {
          const pending = items.filter(({ status }) => status === 'pending')
          const answered = items.filter(({ status }) => status !== 'pending').slice(0, ANSWERED_SHOWN)
          return (
            <>
              {pending.length === 0 && nobody}
              {pending.length > 0 && (
                <Rows label="Requests that wait">
                  {pending.map(request => (
                    <Pending key={request.id} roomId={roomId} request={request} onAnswered={onAnswered} />
                  ))}
                </Rows>
              )}
              {answered.length > 0 && (
                <section className="stack">
                  <h3 className="small muted">Answered</h3>
                  <Rows label="Answered requests">
                    {answered.map(({ id, user, status, created_at }) => (
                      <Row
                        key={id}
                        lead={<Avatar name={user.name} size={32} />}
                        name={user.name}
                        detail={<time dateTime={created_at} title={fullTime(created_at)}>Asked {ago(created_at)}</time>}
                      >
                        <Badge tone={status === 'accepted' ? 'good' : undefined}>{status === 'accepted' ? 'Accepted' : 'Declined'}</Badge>
                      </Row>
                    ))}
                  </Rows>
                </section>
              )}
            </>
          )
        }}
      </Paged>
    </div>
  )
}

interface PendingProps {
  roomId: string
  request: AccessRequest
  onAnswered: (request: AccessRequest) => void
}

function Pending({ roomId, request, onAnswered }: PendingProps) {
  const { user, message, created_at } = request
  const [role, setRole] = useState(request.role)
  const { busy, error, attempt } = useAttempt()
  const path = `rooms/${roomId}/access-requests/${request.id}`
  const answer = (way: 'accept' | 'decline') =>
    attempt(async () => onAnswered(await api.post<AccessRequest>(`${path}/${way}/`, way === 'accept' ? { role } : undefined)))
  return (
    <Row
      lead={<Avatar name={user.name} size={32} />}
      name={user.name}
      detail={
        <>
          {user.email} · wants to {request.role === 'editor' ? 'edit' : 'view'} ·{' '}
          <time dateTime={created_at} title={fullTime(created_at)}>
            {ago(created_at)}
          </time>
        </>
      }
      error={error?.message}
      busy={busy}
      more={
        <div className="request">
          {message && <blockquote className="request-message">{message}</blockquote>}
          <div className="request-answer">
            <RolePicker label={`Role for ${user.name}`} roles={ROLES} value={role} disabled={busy} onChange={setRole} />
            <Button look="primary" icon={<Check />} disabled={busy} onClick={() => void answer('accept')}>
              Accept
            </Button>
            <Button disabled={busy} onClick={() => void answer('decline')}>
              Decline
            </Button>
          </div>
        </div>
      }
    />
  )
}
