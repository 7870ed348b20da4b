import { useEffect, useState } from 'react'
import { api, asApiError, type AccessRequest, type Page, type RoomInfo, type SharedRole } from '../../api'
import { Button } from '../../ui/Button'
import { TextArea } from '../../ui/Field'
import { RolePicker } from '../../ui/RolePicker'
import { useResource } from '../../ui/resources'
import { Notice } from '../../ui/states'

const LOOK_EVERY_MS = 5000
const ROLES: readonly SharedRole[] = ['viewer', 'editor']

/** Asks whoever shares the room; shown to those who may ask, and opens the room once they were let in. */
export function AskForAccess({ roomId, onGranted }: { roomId: string; onGranted: () => void }) {
  const path = `rooms/${roomId}/access-requests/`
  const mine = useResource(path, signal => api.get<Page<AccessRequest>>(path, { signal }))
  const [role, setRole] = useState<SharedRole>('viewer')
  const [message, setMessage] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const isPending = mine.data?.results.some(({ status }) => status === 'pending') ?? false

  useEffect(() => {
    if (!isPending) return
    const look = () => void api.get<RoomInfo>(`rooms/${roomId}/`).then(onGranted, () => {})
    const timer = setInterval(look, LOOK_EVERY_MS)
    return () => clearInterval(timer)
  }, [isPending, roomId])

  const ask = async () => {
    setBusy(true)
    setError('')
    try {
      await api.post<AccessRequest>(path, { role, ...(message.trim() && { message: message.trim() }) })
      mine.reload()
    } catch (caught) {
      setError(asApiError(caught).message)
    }
    setBusy(false)
  }

  if (mine.data === null) return null // those outside its organization can't even know that there is a room
  if (isPending) return <Notice>You have asked for access. The room opens here as soon as somebody lets you in.</Notice>
  return (
    <form
      className="ask"
      onSubmit={event => {
        event.preventDefault()
        void ask()
      }}
    >
      <h2>Ask for access</h2>
      {error && <Notice tone="bad">{error}</Notice>}
      <RolePicker label="What you want to do" roles={ROLES} value={role} onChange={setRole} />
      <TextArea label="Message (optional)" maxLength={500} value={message} onChange={event => setMessage(event.target.value)} />
      <Button look="primary" type="submit" busy={busy}>
        Ask
      </Button>
    </form>
  )
}
