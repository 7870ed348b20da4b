/** What takes the place of the editor when a room is over for this page. */
import type { ReactNode } from 'react'
import { api, type RoomInfo } from '../../api'
import type { Ending } from '../../collab'
import { Button, ButtonLink } from '../../ui/Button'
import { Lock, Plug, Restore, Warning } from '../../ui/icons'
import { useResource } from '../../ui/resources'
import { EmptyState } from '../../ui/states'
import { AskForAccess } from './AskForAccess'

interface Told {
  title: string
  text: string
  icon: ReactNode
  tone?: 'bad'
}

const TOLD: Record<Ending | 'kicked', Told> = {
  'access-lost': {
    title: 'Your access to this room was taken away',
    text: 'It is closed here from now on. If that is a mistake, ask whoever shares the room.',
    icon: <Lock size={22} />,
    tone: 'bad'
  },
  kicked: {
    title: 'You were disconnected',
    text: 'Somebody who shares this room closed your connection. You still have access, and can come back.',
    icon: <Plug size={22} />
  },
  'no-access': {
    title: 'You have no access to this room',
    text: 'It may not exist, be in the trash, or be for others. If you are in its organization, you can ask for access.',
    icon: <Lock size={22} />
  },
  'signed-out': { title: 'You are signed out', text: 'Sign in again to go on writing.', icon: <Lock size={22} /> },
  'too-big': {
    title: 'This change is too big',
    text: 'The server does not take so much at once. Load the room again, and paste it in parts.',
    icon: <Warning size={22} />,
    tone: 'bad'
  },
  bug: {
    title: 'The server did not understand this page',
    text: 'One of them may be newer than the other. Load the room again.',
    icon: <Warning size={22} />,
    tone: 'bad'
  },
  closed: { title: 'The room is closed', text: 'Open it again to go on.', icon: <Warning size={22} /> }
}

interface EndedProps {
  roomId: string
  ending: Ending
  isSaved: boolean
  onReopen: () => void
}

export function Ended(props: EndedProps) {
  return props.ending === 'access-lost' ? <Refused {...props} /> : <Panel {...props} told={props.ending} />
}

/** Both have the same close code: access that was taken away, and a connection that was closed and no more. */
function Refused(props: EndedProps) {
  const room = useResource(`room ${props.roomId}`, signal => api.get<RoomInfo>(`rooms/${props.roomId}/`, { signal }))
  if (room.data === null && room.error === null) return null
  return <Panel {...props} told={room.data ? 'kicked' : 'access-lost'} />
}

function Panel({ roomId, told, isSaved, onReopen }: Omit<EndedProps, 'ending'> & { told: Ending | 'kicked' }) {
  const { title, text, icon, tone } = TOLD[told]
  const hasNoAccess = told === 'no-access' || told === 'access-lost'
  return (
    <div role="alert" className="ended">
      <EmptyState
        icon={icon}
        title={title}
        level={1}
        {...(tone && { tone })}
        actions={
          <>
            <ButtonLink href="/">To your rooms</ButtonLink>
            {!hasNoAccess && (
              <Button look="primary" icon={<Restore />} onClick={onReopen}>
                Open it again
              </Button>
            )}
          </>
        }
      >
        {text}
        {!isSaved && ' Your last changes were not saved.'}
      </EmptyState>
      {hasNoAccess && <AskForAccess roomId={roomId} onGranted={onReopen} />}
    </div>
  )
}
