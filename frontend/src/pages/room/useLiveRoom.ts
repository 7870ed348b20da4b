import { useCallback, useEffect, useState } from 'react'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { session } from '../../api'
import { Room, type Protocol, type RoomState } from '../../collab'

const KEY = 'gatehouse.protocol'

export interface LiveRoom {
  doc: Y.Doc
  awareness: Awareness
  state: RoomState
  protocol: Protocol
  switchTo: (protocol: Protocol) => void
  /** Open it anew, after it ended. */
  reopen: () => void
}

type Open = Omit<LiveRoom, 'reopen' | 'switchTo'> & { room: Room }

/** The room's document and line, open as long as it is shown; null before the first render is through. */
export function useLiveRoom(roomId: string): LiveRoom | null {
  const [open, setOpen] = useState<Open | null>(null)
  const [attempt, setAttempt] = useState(0)

  useEffect(() => {
    const doc = new Y.Doc()
    const awareness = new Awareness(doc)
    const protocol: Protocol = localStorage.getItem(KEY) === 'hocuspocus' ? 'hocuspocus' : 'y-websocket'
    const onState = (state: RoomState) => setOpen(old => old && { ...old, state })
    const room = new Room({ session, roomId, doc, awareness, protocol, onState })
    setOpen({ doc, awareness, room, protocol, state: room.state })
    room.open()
    return () => {
      room.close()
      awareness.destroy()
      doc.destroy()
      setOpen(null)
    }
  }, [roomId, attempt])

  const room = open?.room
  const switchTo = useCallback(
    (protocol: Protocol) => {
      localStorage.setItem(KEY, protocol)
      room?.switchTo(protocol)
      setOpen(old => old && { ...old, protocol })
    },
    [room]
  )
  const reopen = useCallback(() => setAttempt(count => count + 1), [])
  return open && { ...open, switchTo, reopen }
}
