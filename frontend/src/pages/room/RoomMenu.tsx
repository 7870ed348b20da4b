import { useState } from 'react'
import { api, type RoomInfo } from '../../api'
import { IconButton } from '../../ui/Button'
import { ConfirmDialog } from '../../ui/Dialog'
import { Menu, MenuHeading, MenuItem, MenuSeparator } from '../../ui/Menu'
import { useToast } from '../../ui/Toast'
import { roleName } from '../../ui/RolePicker'
import { History, Key, Leave, Link, More, Plug, Trash } from '../../ui/icons'
import { lazily } from '../../ui/lazily'

const RoomPanel = lazily(() => import('./RoomPanel'))
const TransferDialog = lazily(() => import('./TransferDialog'))

interface RoomMenuProps {
  room: RoomInfo
  onChanged: (room: RoomInfo) => void
  onGone: () => void
}

/** What is done with the room as a whole. */
export function RoomMenu({ room, onChanged, onGone }: RoomMenuProps) {
  const [asked, setAsked] = useState<'transfer' | 'leave' | 'trash' | null>(null)
  const [panel, setPanel] = useState<'connections' | 'audit' | null>(null)
  const toast = useToast()
  const { abilities } = room
  const close = () => setAsked(null)

  const copyLink = async () => {
    await navigator.clipboard.writeText(`${location.origin}/rooms/${room.id}`)
    toast('The link is copied. It opens for those who have access.')
  }
  const leave = async () => {
    await api.post(`rooms/${room.id}/leave/`)
    toast(`You left “${room.name}”.`)
    onGone()
  }
  const trash = async () => {
    await api.delete(`rooms/${room.id}/`)
    const restore = () => void api.post(`rooms/${room.id}/restore/`).then(() => toast('It is back.'))
    toast(`“${room.name}” is in the trash.`, { label: 'Undo', onSelect: restore })
    onGone()
  }
  return (
    <>
      <Menu label="Room" trigger={props => <IconButton {...props} label="More" icon={<More />} />}>
        {room.role && <MenuHeading>Your role: {roleName(room.role).toLowerCase()}</MenuHeading>}
        <MenuItem icon={<Plug />} onSelect={() => setPanel('connections')}>
          Who is connected
        </MenuItem>
        {abilities.share && (
          <MenuItem icon={<History />} onSelect={() => setPanel('audit')}>
            Audit trail
          </MenuItem>
        )}
        {'clipboard' in navigator && (
          <MenuItem icon={<Link />} onSelect={() => void copyLink()}>
            Copy the address
          </MenuItem>
        )}
        <MenuSeparator />
        {abilities.share && (
          <MenuItem icon={<Key />} onSelect={() => setAsked('transfer')}>
            Hand it over…
          </MenuItem>
        )}
        <MenuItem icon={<Leave />} onSelect={() => setAsked('leave')}>
          Leave the room…
        </MenuItem>
        {abilities.delete && (
          <MenuItem icon={<Trash />} tone="bad" onSelect={() => setAsked('trash')}>
            Move to the trash…
          </MenuItem>
        )}
      </Menu>
      {panel && <RoomPanel room={room} tab={panel} onTab={setPanel} onClose={() => setPanel(null)} />}
      {asked === 'transfer' && <TransferDialog room={room} onChanged={onChanged} onClose={close} />}
      {asked === 'leave' && (
        <ConfirmDialog title={`Leave “${room.name}”?`} action="Leave" onConfirm={leave} onClose={close}>
          You give up what was given to you by name and by links. What comes from a group or the organization stays.
        </ConfirmDialog>
      )}
      {asked === 'trash' && (
        <ConfirmDialog title={`Move “${room.name}” to the trash?`} action="Move to the trash" danger onConfirm={trash} onClose={close}>
          It closes for everyone who has it open. You can take it out again.
        </ConfirmDialog>
      )}
    </>
  )
}
