import { useState } from 'react'
import { api, type RoomInfo } from '../../api'
import { IconButton } from '../../ui/Button'
import { ConfirmDialog } from '../../ui/Dialog'
import { Menu, MenuHeading, MenuItem, MenuSeparator } from '../../ui/Menu'
import { useToast } from '../../ui/Toast'
import { roleName } from '../../ui/RolePicker'
import { Leave, More, Share, Trash } from '../../ui/icons'

/** What is done with the room as a whole. */
export function RoomMenu({ room, onGone }: { room: RoomInfo; onGone: () => void }) {
  const [asked, setAsked] = useState<'leave' | 'trash' | null>(null)
  const toast = useToast()
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
    toast(`“${room.name}” is in the trash.`, { label: 'Undo', onSelect: () => void api.post(`rooms/${room.id}/restore/`).then(() => toast('It is back.')) })
    onGone()
  }
  return (
    <>
      <Menu label="Room" trigger={props => <IconButton {...props} label="More" icon={<More />} />}>
        {room.role && <MenuHeading>Your role: {roleName(room.role).toLowerCase()}</MenuHeading>}
        {'clipboard' in navigator && (
          <MenuItem icon={<Share />} onSelect={() => void copyLink()}>
            Copy the link
          </MenuItem>
        )}
        <MenuItem icon={<Leave />} onSelect={() => setAsked('leave')}>
          Leave the room
        </MenuItem>
        {room.abilities.delete && (
          <>
            <MenuSeparator />
            <MenuItem icon={<Trash />} tone="bad" onSelect={() => setAsked('trash')}>
              Move to the trash
            </MenuItem>
          </>
        )}
      </Menu>
      {asked === 'leave' && (
        <ConfirmDialog title={`Leave “${room.name}”?`} action="Leave" onConfirm={leave} onClose={() => setAsked(null)}>
          You give up what was given to you by name and by links. What comes from a group or the organization stays.
        </ConfirmDialog>
      )}
      {asked === 'trash' && (
        <ConfirmDialog title={`Move “${room.name}” to the trash?`} action="Move to the trash" danger onConfirm={trash} onClose={() => setAsked(null)}>
          It closes for everyone who has it open. You can take it out again.
        </ConfirmDialog>
      )}
    </>
  )
}
