/** A room: its editor, who is there, and whether what one writes is saved. */
import { useEffect, useState } from 'react'
import { useLocation, useSearch } from 'wouter'
import { api, type RoomInfo } from '../../api'
import { editorOf } from '../../editor/kinds'
import { LoadingEditor } from '../../editor/LoadingEditor'
import { PresenceBar } from '../../editor/PresenceBar'
import { Status } from '../../editor/Status'
import { KINDS, RICH_TEXT } from '../../kinds'
import { useMe } from '../../me'
import { Button } from '../../ui/Button'
import { useResource } from '../../ui/resources'
import { Badge, EmptyState, ErrorState, Notice, Skeleton } from '../../ui/states'
import { Box, Eye } from '../../ui/icons'
import { Shell } from '../Shell'
import { Ended } from './Ended'
import { RoomMenu } from './RoomMenu'
import { RoomTitle } from './RoomTitle'
import { ShareButton } from './ShareButton'
import { useLiveRoom, type LiveRoom } from './useLiveRoom'
import '../../styles/room.css'

export default function Room({ id }: { id: string }) {
  const { user } = useMe()
  const info = useResource(`room ${id}`, signal => api.get<RoomInfo>(`rooms/${id}/`, { signal }))
  const live = useLiveRoom(id)
  const [, navigate] = useLocation()
  const asksForRequests = new URLSearchParams(useSearch()).has('requests')
  const room = info.data
  const state = live?.state
  const { reload } = info

  useEffect(() => {
    if (room) editorOf(room.kind).load()
  }, [room?.kind])

  // The server's word on the open socket is newer than what the page was loaded with.
  const canWrite = state?.canWrite ?? room?.abilities.write ?? false
  const isConnected = state?.connection === 'online'
  useEffect(() => {
    if (room === null ? isConnected : room.abilities.write !== canWrite) reload()
  }, [canWrite, isConnected, room === null, reload])

  useEffect(() => {
    if (live && user) live.awareness.setLocalStateField('user', { name: user.name })
  }, [live?.awareness, user])

  const isSaved = state?.saved ?? true
  useEffect(() => {
    if (isSaved) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', warn)
    return () => removeEventListener('beforeunload', warn)
  }, [isSaved])

  if (state?.ending || info.error?.status === 404) {
    const ending = state?.ending ?? 'no-access'
    const reopen = () => {
      live?.reopen()
      reload()
    }
    return (
      <Shell title="Room">
        <Ended roomId={id} ending={ending} isSaved={isSaved} onReopen={reopen} />
      </Shell>
    )
  }
  const set = info.set
  return (
    <Shell
      title={room?.name ?? 'Room'}
      full
      context={
        <>
          {room ? <RoomTitle room={room} onRenamed={set} /> : <Skeleton width="160px" height="20px" />}
          {room && !canWrite && (
            <Badge tone="warn" title="You may view this room, and not change it.">
              <Eye size={14} />
              <span className="wide-only">View only</span>
            </Badge>
          )}
        </>
      }
      actions={
        live && (
          <>
            <PresenceBar awareness={live.awareness} />
            <Status state={live.state} protocol={live.protocol} onProtocol={live.switchTo} />
            {room && <ShareButton room={room} showsRequests={asksForRequests} onChanged={set} />}
            {room && <RoomMenu room={room} onChanged={set} onGone={() => navigate('/')} />}
          </>
        )
      }
    >
      {live?.state.denied && (
        <div className="room-notice">
          <Notice tone="warn">
            You may only view this room now. What you wrote last was not saved, and nobody else sees it. Copy it if you
            need it, then <button className="link" type="button" onClick={() => live.reopen()}>show the room as it is</button>.
          </Notice>
        </div>
      )}
      {info.error && !room ? (
        <ErrorState error={info.error} onRetry={reload} />
      ) : room && live?.state.hasContent ? (
        <RoomEditor room={room} live={live} canWrite={canWrite} />
      ) : (
        <LoadingEditor />
      )}
    </Shell>
  )
}

function RoomEditor({ room, live, canWrite }: { room: RoomInfo; live: LiveRoom; canWrite: boolean }) {
  const [kind, setKind] = useState(room.kind || RICH_TEXT)
  useEffect(() => setKind(room.kind || RICH_TEXT), [room.kind])
  if (!KINDS.some(({ id }) => id === kind)) {
    return (
      <EmptyState
        icon={<Box size={22} />}
        title={`This room holds “${kind}”`}
        actions={KINDS.map(({ id, name, icon }) => (
          <Button key={id} icon={icon} onClick={() => setKind(id)}>
            Open as {name.toLowerCase()}
          </Button>
        ))}
      >
        Another application made it, and this page has no editor for it. Opened here, it shows only what this page wrote.
      </EmptyState>
    )
  }
  const Editor = editorOf(kind)
  return (
    <Editor key={live.doc.guid} doc={live.doc} awareness={live.awareness} canWrite={canWrite} name={room.name} />
  )
}
