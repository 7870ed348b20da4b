import { useState } from 'react'
import { useLocation } from 'wouter'
import type { RoomInfo } from '../../api'
import { Button } from '../../ui/Button'
import { People } from '../../ui/icons'
import { lazily } from '../../ui/lazily'

const ShareDialog = lazily(() => import('./ShareDialog'))

interface ShareButtonProps {
  room: RoomInfo
  /** Opens it, with the requests for access, as a mail about one leads to it. */
  showsRequests: boolean
  onChanged: (room: RoomInfo) => void
}

export function ShareButton({ room, showsRequests, onChanged }: ShareButtonProps) {
  const [isShown, setShown] = useState(false)
  const [path, navigate] = useLocation()
  const close = () => {
    setShown(false)
    if (showsRequests) navigate(path, { replace: true })
  }
  return (
    <>
      <Button size="small" icon={<People />} onPointerEnter={ShareDialog.load} onClick={() => setShown(true)}>
        <span className="wide-only">Share</span>
      </Button>
      {(isShown || showsRequests) && (
        <ShareDialog room={room} showsRequests={showsRequests} onChanged={onChanged} onClose={close} />
      )}
    </>
  )
}
