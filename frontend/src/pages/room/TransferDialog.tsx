/** Make somebody else the owner, and oneself an editor. */
import { useState } from 'react'
import { api, type RoomInfo, type RoomMember } from '../../api'
import { useMe } from '../../me'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { SelectField } from '../../ui/Field'
import { useToast } from '../../ui/Toast'
import { useResource } from '../../ui/resources'
import { ErrorState, Notice, Skeleton } from '../../ui/states'
import { restOf, useAttempt } from '../../ui/useAttempt'

interface TransferDialogProps {
  room: RoomInfo
  onChanged: (room: RoomInfo) => void
  onClose: () => void
}

export default function TransferDialog({ room, onChanged, onClose }: TransferDialogProps) {
  const { user: me } = useMe()
  const path = `rooms/${room.id}/members/?page_size=200`
  const members = useResource(path, signal => api.all<RoomMember>(path, { signal }))
  const [chosen, setChosen] = useState('')
  const { busy, error, attempt } = useAttempt()
  const toast = useToast()
  const people = (members.data ?? []).flatMap(({ user }) => (user && user.id !== me?.id ? user : []))

  const transfer = () =>
    attempt(async () => {
      onChanged(await api.post<RoomInfo>(`rooms/${room.id}/transfer/`, { user: chosen }))
      toast(`${people.find(({ id }) => id === chosen)?.name} owns “${room.name}” now.`)
      onClose()
    })
  const rest = restOf(error, 'user')
  return (
    <Dialog title={`Hand over “${room.name}”`} onClose={onClose}>
      {members.error ? (
        <ErrorState error={members.error} onRetry={members.reload} />
      ) : (
        <form
          className="form"
          onSubmit={event => {
            event.preventDefault()
            void transfer()
          }}
        >
          <p className="muted">
            Whoever you choose becomes the owner, and you become an editor. You can’t take it back yourself. An owner or
            admin of the organization keeps what this role gives.
          </p>
          {rest && <Notice tone="bad">{rest}</Notice>}
          {members.data === null ? (
            <Skeleton height="59px" />
          ) : people.length === 0 ? (
            <Notice>Nobody else is a member of this room by name. Share it with them first.</Notice>
          ) : (
            <SelectField
              label="New owner"
              required
              value={chosen}
              error={error?.field('user')}
              onChange={event => setChosen(event.target.value)}
            >
              <option value="" disabled>
                Choose a member of the room
              </option>
              {people.map(({ id, name, email }) => (
                <option key={id} value={id}>
                  {name} ({email})
                </option>
              ))}
            </SelectField>
          )}
          <div className="dialog-actions">
            <Button onClick={onClose}>Cancel</Button>
            <Button look="primary" type="submit" busy={busy} disabled={!chosen}>
              Hand it over
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  )
}
