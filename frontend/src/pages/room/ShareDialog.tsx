/** Who has access to the room, and giving and taking it. */
import { useState } from 'react'
import { api, type AccessRequest, type RoomInfo } from '../../api'
import { Dialog } from '../../ui/Dialog'
import { Tabs } from '../../ui/Tabs'
import { usePages } from '../../ui/resources'
import { usePolling } from '../../ui/usePolling'
import { Links } from './share/Links'
import { People } from './share/People'
import { Requests } from './share/Requests'
import '../../styles/people.css'
import '../../styles/share.css'

const LOOK_FOR_REQUESTS_EVERY_MS = 10_000

interface ShareDialogProps {
  room: RoomInfo
  showsRequests: boolean
  onChanged: (room: RoomInfo) => void
  onClose: () => void
}

type TabId = 'people' | 'links' | 'requests'

export default function ShareDialog({ room, showsRequests, onChanged, onClose }: ShareDialogProps) {
  return (
    <Dialog title={`Share “${room.name}”`} size="large" onClose={onClose}>
      {room.abilities.share ? (
        <Sharing room={room} showsRequests={showsRequests} onChanged={onChanged} />
      ) : (
        <People room={room} onChanged={onChanged} />
      )}
    </Dialog>
  )
}

function Sharing({ room, showsRequests, onChanged }: Omit<ShareDialogProps, 'onClose'>) {
  const [tab, setTab] = useState<TabId>(showsRequests ? 'requests' : 'people')
  const requests = usePages<AccessRequest>(`rooms/${room.id}/access-requests/?page_size=200`)
  const pending = requests.items?.filter(({ status }) => status === 'pending').length
  usePolling(requests.reload, LOOK_FOR_REQUESTS_EVERY_MS)
  const tabs = [
    { id: 'people', name: 'People' },
    { id: 'links', name: 'Links' },
    { id: 'requests', name: 'Requests', count: pending }
  ] as const
  /** What one did to oneself: the room may allow less now. */
  const look = () => api.get<RoomInfo>(`rooms/${room.id}/`).then(onChanged, () => {})
  return (
    <Tabs label="Share" tabs={tabs} current={tab} onSelect={setTab}>
      {tab === 'people' && <People room={room} onChanged={onChanged} onOwnChange={look} />}
      {tab === 'links' && <Links roomId={room.id} />}
      {tab === 'requests' && <Requests roomId={room.id} requests={requests} />}
    </Tabs>
  )
}
