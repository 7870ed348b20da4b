import { useState } from 'react'
import type { RoomInfo } from '../../api'
import { Button } from '../../ui/Button'
import { People } from '../../ui/icons'
import { lazily } from '../../ui/lazily'

const ShareDialog = lazily(() => import('./ShareDialog'))

/** `isOpen`: from the start, as a mail about a request for access leads to it. */
export function ShareButton({ room, isOpen }: { room: RoomInfo; isOpen: boolean }) {
  const [isShown, setShown] = useState(isOpen)
  return (
    <>
      <Button size="small" icon={<People />} onClick={() => setShown(true)}>
        <span className="wide-only">Share</span>
      </Button>
      {isShown && <ShareDialog room={room} onClose={() => setShown(false)} />}
    </>
  )
}
